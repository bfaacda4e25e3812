"""What neurons of one layer do to later ones, in sentences."""

from __future__ import annotations

import numpy as np

from glasso_cli.artifacts import Influence
from glasso_cli.artifacts.metrics import InfluenceMetrics
from glasso_cli.artifacts.metrics.influence import LayersRead
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.errors import InputError
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, count

_SHOWN = 10  # strongest edges of a neuron


def one_line(metrics: InfluenceMetrics) -> str:
    """The influence on one corpus in a line."""
    near = " in neighbouring layers" if metrics.paths == "closed" else ""
    return (
        f"{count(metrics.edges, 'edge')} among {metrics.tested:,} pairs of neurons{near} "
        f"(beyond {metrics.min_effect:g} SD per SD, q <= {metrics.fdr:g}; {count(metrics.tokens, metrics.sample)} in {metrics.blocks} blocks)"
    )


def influence_summary(metrics: InfluenceMetrics) -> list[tuple[str, str]]:
    """Name and text of every line of `glasso show`."""
    lines = [
        ("neurons", f"{metrics.neurons:,}"),
        (f"{metrics.sample}s", f"{metrics.tokens:,}, of {metrics.documents:,} documents in {metrics.blocks} blocks"),
        ("paths", _paths(metrics)),
    ]
    lines += [("layers", _layers(pair)) for pair in metrics.layers]
    if metrics.combinations is not None:
        lines.append(
            (
                "root mean square",
                f"estimated from {metrics.combinations:,} random combinations of the {metrics.sample}s of each source layer",
            )
        )
    if metrics.ablation_tokens is not None:
        lines.append(("ablation", f"its root mean square is from the first {metrics.ablation_tokens:,} tokens"))
    lines += [
        (
            "edges",
            f"of {metrics.tested:,} pairs, {metrics.edges:,} have an influence of more than {metrics.min_effect:g} "
            f"standard deviations per standard deviation (q <= {metrics.fdr:g})",
        ),
        (
            "unit",
            f"standard deviations of the target per standard deviation of the source, which moves at every {metrics.sample}",
        ),
        ("signs", SIGNS_OF_TABLES),
    ]
    if metrics.mean_rms_ratio is not None:
        steady = f"the mean is {metrics.mean_rms_ratio:.2f} of the root mean square over {metrics.sample}s, in the median edge"
        lines.insert(-2, ("steadiness", steady))
    return lines


def neuron_summary(artifact: Influence, name: str) -> list[tuple[str, str]]:
    """What one neuron does to those of later layers, and what those of earlier layers do to it, the strongest edges first.

    Raises :class:`InputError` for a neuron that is not in the artifact.
    """
    found = np.flatnonzero(artifact.neuron_ids == name)
    if not len(found):
        raise InputError(
            f"'{name}' is not among the {artifact.n_neurons:,} neurons of this influence.",
            f"Name one such as {artifact.neuron_ids[0]}.",
        )
    turned, ids = oriented(artifact), artifact.neuron_ids
    lines: list[tuple[str, str]] = []
    order = artifact.strongest()
    for title, own, other in (
        (f"{name} on later layers", artifact.sources, artifact.targets),
        (f"on {name}, from earlier layers", artifact.targets, artifact.sources),
    ):
        edges = order[own[order] == found[0]]
        lines.append((title, count(len(edges), "edge")))
        for edge in edges[:_SHOWN].tolist():
            value = f"{turned.mean[edge]:+.3f} ± {turned.error[edge]:.3f}, rms {turned.rms[edge]:.3f} ± {turned.rms_error[edge]:.3f}"
            lines.append((f"  {ids[other[edge]]}", f"{value}, q {turned.q_values[edge]:.2g}"))
    return lines


def _paths(metrics: InfluenceMetrics) -> str:
    if metrics.paths == "all":
        return "all paths: the network itself is differentiated, and nothing is held"
    return "closed form: the stream and the values of heads; attention patterns and scales of norms are held"


def _layers(pair: LayersRead) -> str:
    """A pair of hook points: its edges, how the derivative was taken, and how exact it is."""
    found = f"{pair.source} to {pair.target}: {count(pair.edges, 'edge')} of {pair.tested:,} pairs; "
    if pair.derivative:
        pushed = f"{pair.pushes:,} {'directions' if pair.by == 'directions' else 'source neurons'} pushed"
        how = "forward mode" if pair.derivative == "forward" else "central differences"
        found += f"{pushed}, {how}"
    else:
        found += f"the stream and {count(pair.heads, 'head')}" if pair.heads else "the stream alone"
    if pair.check_mean is None or pair.check_rms is None:
        return found
    exact = "the derivative by source neurons on a sample" if pair.by else "the exact derivative on built-in texts"
    return f"{found}; {max(pair.check_mean, pair.check_rms):.1e} off {exact}"
