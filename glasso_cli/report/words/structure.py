"""What each neuron is in the graph, and how stable the rankings are, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import StructureMetrics
from glasso_cli.artifacts.metrics.structure import RankingStability
from glasso_cli.report.words.labels import count

TITLES = {
    "predictability": "held-out R²",
    "explained": "R² in sample",
    "strength": "strength",
    "expected_influence": "expected influence",
    "bridge_strength": "bridge strength",
    "participation": "participation",
    "between_layers": "strength between layers",
    "pagerank": "PageRank",
}


def one_line(metrics: StructureMetrics) -> str:
    """The scores in a line."""
    stable = [f"{item.score} {item.coefficient:g}" for item in metrics.stability if item.coefficient is not None]
    return (
        f"{metrics.neurons:,} neurons, {count(metrics.edges, 'edge')}; mean predictability {metrics.mean_predictability:.2f}"
        + (f"; correlation stability: {', '.join(stable)}" if stable else "")
    )


def structure_summary(metrics: StructureMetrics) -> list[tuple[str, str]]:
    """Name and text of every line of `glasso show`."""
    lines = [
        ("neurons", f"{metrics.neurons:,} of {count(metrics.layers, 'layer')}, in {metrics.communities:,} communities"),
        ("edges", f"{metrics.edges:,} that are drawn; partial correlations by {_estimate(metrics.estimate)}"),
        (
            "errors",
            f"over documents, in {metrics.blocks} blocks; which pairs are edges and which neurons form a community is held",
        ),
        (
            "predictability",
            f"on average {metrics.mean_predictability:.2f} of the variance of a neuron on held-out documents, by all other neurons "
            f"(ridge, penalty {metrics.penalty:g})",
        ),
    ]
    if metrics.subsets == 0:
        lines.append(("stability", _unmeasured(metrics)))
        return lines
    lines += [
        (f"stability of {item.score}", coefficient_words(item, metrics.largest))
        for item in metrics.stability
        if item.score != "explained"
    ]
    if metrics.refused:
        shares = ", ".join(f"{share:.0%}" for share in metrics.refused)
        lines.append(
            ("not measured", f"with {shares} of the blocks dropped: fewer effective tokens are left than neurons")
        )
    return lines


def _estimate(kind: str) -> str:
    return "the inverse of the correlation" if kind == "inverse" else f"the {kind} fit without its bias"


def _unmeasured(metrics: StructureMetrics) -> str:
    if metrics.refused:
        return (
            f"not measured: {metrics.n_effective:,.0f} effective tokens are fewer than the {metrics.neurons:,} neurons"
        )
    return "not measured (structure.subsets: 0)"


def coefficient_words(item: RankingStability, largest: float) -> str:
    """The correlation-stability coefficient of a ranking; ``largest`` is the share of dropped blocks that was tried."""
    if item.coefficient is None or item.of_ranks is None:
        return "not defined: all neurons have the same value"
    verdict = "stable" if item.coefficient >= 0.5 else "somewhat stable" if item.coefficient >= 0.25 else "not stable"
    values, ranks = (
        f"{'at least ' * (share == largest > 0)}{share:.0%}" for share in (item.coefficient, item.of_ranks)
    )
    return f"{values} of the documents can be dropped (ranks: {ranks}): {verdict}"
