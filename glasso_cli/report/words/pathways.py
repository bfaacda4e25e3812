"""The paths through a graph across layers, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import PathwayMetrics
from glasso_cli.artifacts.metrics.pathways import Mediated, ScalarReached
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, count

_SCALARS = {"loss": "the loss", "logit_difference": "the logit difference", "class_logit": "the class logit"}


def one_line(metrics: PathwayMetrics) -> str:
    """The paths in a line."""
    return (
        f"{count(metrics.paths, 'path')} through {metrics.edges:,} edges of {len(metrics.layers)} layers; "
        f"{metrics.view_neurons:,} of {metrics.neurons:,} neurons have {metrics.nodes:.0%} of the influence"
        + (f"; {_in_short(metrics.mediated)}" if metrics.mediated else "")
    )


def pathways_summary(metrics: PathwayMetrics) -> list[tuple[str, str]]:
    """Name and text of every line of `glasso show`."""
    scalar = metrics.scalar
    to_end = "" if scalar is None else f" between them, and those to {end_words(metrics)},"
    lines = [
        (
            "graph",
            f"{metrics.graph}: {metrics.neurons:,} neurons of layers {', '.join(map(str, metrics.layers))}, {metrics.edges:,} edges",
        ),
        ("paths", f"the {metrics.paths:,} strongest from {count(metrics.sources, 'neuron')} to {end_words(metrics)}"),
        ("effects", _effects(metrics)),
        (
            "pruned view",
            f"{metrics.view_neurons:,} neurons with {metrics.nodes:.0%} of the influence on {end_words(metrics) if scalar else 'the targets'}, "
            f"{metrics.view_edges:,} edges{to_end} with {metrics.edge_share:.0%}",
        ),
        ("errors", _errors(metrics)),
    ]
    if metrics.mediated is not None:
        lines.append(("tried", _tried(metrics.mediated)))
    if scalar is not None:
        lines.append(("against slopes", _reached(scalar)))
    return [*lines, ("signs", SIGNS_OF_TABLES)]


def scalar_words(scalar: ScalarReached) -> str:
    """The scalar in a sentence: `the loss`; that of the user's own code by its name."""
    return _SCALARS.get(scalar.scalar, scalar.scalar)


def end_words(metrics: PathwayMetrics) -> str:
    """Where paths end: the scalar, or how many neurons."""
    return count(metrics.targets, "neuron") if metrics.scalar is None else scalar_words(metrics.scalar)


def product_words(metrics: PathwayMetrics) -> str:
    """The factors of the effect of a path."""
    if metrics.scalar is None:
        return "its edges"
    return f"its edges and of the slope of {scalar_words(metrics.scalar)} at its last neuron"


def unit_words(metrics: PathwayMetrics) -> str:
    """The unit of the effect of a path; empty for standard deviations of its last neuron."""
    if metrics.scalar is None:
        return ""
    return f"change of {scalar_words(metrics.scalar)} per token and standard deviation of the first neuron"


def edge_words(kind: str) -> str:
    """What the edges across layers are: influence, association, or partial correlation."""
    units = "in standard deviations of the target per standard deviation of the source"
    return {
        "influence": f"Edges: mean derivatives (influence), {units}.",
        "association": f"Edges: regression coefficients of the ordered graph (association), {units}.",
        "partial correlation": "Edges: partial correlations between layers (association).",
    }[kind]


def path_words(metrics: PathwayMetrics) -> str:
    """What the effect of a path is."""
    unit = f" It is the {unit_words(metrics)}." if unit_words(metrics) else ""
    return (
        f"The effect of a path is the product of {product_words(metrics)}; ± is its standard error over documents.{unit} These are the "
        f"{metrics.paths:,} strongest paths from {count(metrics.sources, 'neuron')} to {end_words(metrics)}."
    )


def exit_words(scalar: ScalarReached) -> str:
    """What an edge from a neuron to the scalar is."""
    return (
        f"Edges to {scalar_words(scalar)}: its slope in a neuron while the neurons of later layers are held, per token and standard "
        f"deviation, on {scalar.tokens:,} tokens of {count(scalar.documents, 'document')}."
    )


def trial_words(found: Mediated) -> str:
    """How the measured effects of paths come about."""
    return (
        f"Measured: what goes through the neuron in the middle, as the effect of a push of the first neuron by {found.step:g} standard "
        f"deviations, less the effect with the middle held, on {found.tokens:,} tokens of {count(found.documents, 'document')}."
    )


def _effects(metrics: PathwayMetrics) -> str:
    along = f"along all paths of up to {count(metrics.longest, 'edge')}, summed over sources"
    signed, absolute = _sum(metrics.signed, metrics.signed_error), _sum(metrics.absolute, metrics.absolute_error)
    sums = f"{signed} signed, {absolute} in absolute values"
    if metrics.scalar is None:
        return f"{along} and targets: {sums}"
    return f"changes of {end_words(metrics)} per token and standard deviation, {along}: {sums}"


def _sum(value: float, error: float | None) -> str:
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"


def _in_short(found: Mediated) -> str:
    return f"{count(found.paths, 'path')} tried, {found.same_sign:.0%} of the expected sign"


def _tried(found: Mediated) -> str:
    slope = "" if found.slope is None else f"; what goes through the middle is {found.slope:.2f} times the product"
    ranks = "" if found.spearman is None else f" (rank correlation of sizes {found.spearman:.2f})"
    return (
        f"{count(found.paths, 'path')} on {found.tokens:,} tokens of {found.documents:,} documents, pushed by {found.step:g} standard "
        f"deviations: {found.same_sign:.0%} have the expected sign{slope}{ranks}; {found.consistent:.0%} agree within two standard errors"
    )


def _errors(metrics: PathwayMetrics) -> str:
    units = "" if metrics.units else "; standard deviations are taken as known"
    if metrics.jackknife:
        return f"block jackknife of the products and their sums over documents{units}"
    if metrics.graph == "influence":
        how = "take the edges as independent, since the influence is of an older glasso or too large; `glasso influence --force` may help"
    else:
        how = "take the edges as independent"
    return f"over documents; they {how}{units}; sums over paths have none"


def _reached(scalar: ScalarReached) -> str:
    words = [f"slopes of {scalar_words(scalar)} on {scalar.tokens:,} tokens of {count(scalar.documents, 'document')}"]
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
