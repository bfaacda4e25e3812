"""The paths through a graph across layers, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import PathwayMetrics
from glasso_cli.artifacts.metrics.pathways import Mediated
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, count


def one_line(metrics: PathwayMetrics) -> str:
    """The paths in a line."""
    return (
        f"{count(metrics.paths, 'path')} through {metrics.edges:,} edges of {len(metrics.layers)} layers; "
        f"{metrics.view_neurons:,} of {metrics.neurons:,} neurons have {metrics.nodes:.0%} of the influence"
        + (f"; {_in_short(metrics.mediated)}" if metrics.mediated else "")
    )


def pathways_summary(metrics: PathwayMetrics) -> list[tuple[str, str]]:
    """Name and text of every line of `glasso show`."""
    lines = [
        (
            "graph",
            f"{metrics.graph}: {metrics.neurons:,} neurons of layers {', '.join(map(str, metrics.layers))}, {metrics.edges:,} edges",
        ),
        (
            "paths",
            f"the {metrics.paths:,} strongest from {count(metrics.sources, 'neuron')} to {count(metrics.targets, 'neuron')}",
        ),
        (
            "effects",
            f"along all paths of up to {count(metrics.longest, 'edge')}, summed over sources and targets: {metrics.signed:.4g} signed, "
            f"{metrics.absolute:.4g} in absolute values",
        ),
        (
            "pruned view",
            f"{metrics.view_neurons:,} neurons with {metrics.nodes:.0%} of the influence on the targets, {metrics.view_edges:,} edges with "
            f"{metrics.edge_share:.0%}",
        ),
        ("errors", "over documents, for edges and units with independent errors"),
    ]
    if metrics.mediated is not None:
        lines.append(("tried", _tried(metrics.mediated)))
    return [*lines, ("signs", SIGNS_OF_TABLES)]


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
    return (
        f"The effect of a path is the product of its edges; ± is its standard error over documents. These are the {metrics.paths:,} "
        f"strongest paths from {count(metrics.sources, 'neuron')} to {count(metrics.targets, 'neuron')}."
    )


def trial_words(found: Mediated) -> str:
    """How the measured effects of paths come about."""
    return (
        f"Measured: what goes through the neuron in the middle, as the effect of a push of the first neuron by {found.step:g} standard "
        f"deviations, less the effect with the middle held, on {found.tokens:,} tokens of {count(found.documents, 'document')}."
    )


def _in_short(found: Mediated) -> str:
    return f"{count(found.paths, 'path')} tried, {found.same_sign:.0%} of the expected sign"


def _tried(found: Mediated) -> str:
    slope = "" if found.slope is None else f"; what goes through the middle is {found.slope:.2f} times the product"
    ranks = "" if found.spearman is None else f" (rank correlation of sizes {found.spearman:.2f})"
    return (
        f"{count(found.paths, 'path')} on {found.tokens:,} tokens of {found.documents:,} documents, pushed by {found.step:g} standard "
        f"deviations: {found.same_sign:.0%} have the expected sign{slope}{ranks}; {found.consistent:.0%} agree within two standard errors"
    )
