"""What ``glasso show`` says of paths: the lines of the report, with those of an end in the scalar and of the errors."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import PathwayMetrics
from glasso_cli.artifacts.metrics.pathways import ScalarReached
from glasso_cli.report.words.labels import count
from glasso_cli.report.words.pathways import pathways_summary


def pathways_lines(metrics: PathwayMetrics) -> list[tuple[str, str]]:
    """Name and text of every line."""
    lines = dict(pathways_summary(metrics)) | {"errors": _errors(metrics)}
    if metrics.scalar is None:
        return list(lines.items())
    scalar = metrics.scalar
    lines["paths"] = f"the {metrics.paths:,} strongest from {count(metrics.sources, 'neuron')} to {scalar.scalar}"
    lines["effects"] = (
        f"changes of {scalar.scalar} per token and standard deviation, along all paths of up to {count(metrics.longest, 'edge')}, summed "
        f"over sources: {metrics.signed:.4g} signed, {metrics.absolute:.4g} in absolute values"
    )
    lines["pruned view"] = (
        f"{metrics.view_neurons:,} neurons with {metrics.nodes:.0%} of the influence on {scalar.scalar}, {metrics.view_edges:,} edges "
        f"between them, and those to {scalar.scalar}, with {metrics.edge_share:.0%}"
    )
    signs = lines.pop("signs")
    return [*lines.items(), ("against slopes", _reached(scalar)), ("signs", signs)]


def _errors(metrics: PathwayMetrics) -> str:
    units = "" if metrics.units else "; standard deviations are taken as known"
    if metrics.jackknife:
        return f"block jackknife of the products over documents{units}"
    if metrics.graph == "influence":
        how = "take the edges as independent, since the influence is of an older glasso or too large; `glasso influence --force` may help"
    else:
        how = "take the edges as independent"
    return f"over documents; they {how}{units}"


def _reached(scalar: ScalarReached) -> str:
    words = [f"slopes of {scalar.scalar} on {scalar.tokens:,} tokens of {count(scalar.documents, 'document')}"]
    if scalar.slope is not None and scalar.correlation is not None:
        words.append(
            f"what passes later neurons of these layers is {scalar.slope:.2f} times the sum of the products over the sources "
            f"(correlation {scalar.correlation:.2f})"
        )
    if scalar.direct is not None and scalar.both is not None:
        words.append(
            f"the whole slope correlates {scalar.direct:.3f} with its part past these neurons, {scalar.both:.3f} with that and the products"
        )
    return "; ".join(words)
