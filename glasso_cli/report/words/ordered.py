"""What the regressions on earlier layers found, in sentences: what `glasso show` prints for an ordered graph."""

from __future__ import annotations

from typing import Any

from glasso_cli.artifacts.metrics import OrderedMetrics
from glasso_cli.artifacts.metrics.ordered import LayerRegressions
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, percent


def ordered_summary(metrics: OrderedMetrics, settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and text of every line, of the metrics of an ordered graph and the settings of its configuration section."""
    pairs, dropped = metrics.pairs, metrics.dropped
    lines = [
        ("neurons", f"{metrics.neurons:,} in {len(metrics.layers) + 1} layers"),
        ("alpha", _alpha(metrics, settings["select"])),
        (
            "certificate",
            f"{'certified' if metrics.converged else 'NOT CONVERGED'}: largest duality gap of a target "
            f"{metrics.duality_gap:.1e} nats per token (asked: {metrics.tol:.0e}), KKT residual {metrics.kkt_residual:.1e}",
        ),
        (
            "edges",
            f"{metrics.edges_at_alpha:,} at this alpha; {dropped.fdr:,} dropped because they may be zero or of the other "
            f"sign, {dropped.min_effect:,} because their partial correlations may be at most {metrics.min_effect:g} "
            f"(q > {metrics.fdr:g}); {metrics.edges:,} drawn, {metrics.mean_degree:.3g} per neuron",
        ),
        (
            "false edges",
            f"at most {metrics.expected_false_edges:.2g} expected among those drawn; of all {pairs.tested:,} pairs across "
            f"layers {pairs.nonzero:,} are not zero and {pairs.discoveries:,} are beyond {metrics.min_effect:g} "
            f"(q <= {metrics.fdr:g})",
        ),
    ]
    lines += [(f"layer {layer.layer}", _layer(layer)) for layer in metrics.layers]
    return [
        *lines,
        ("meaning", "what varies together across layers; it does not say what causes what"),
        ("signs", SIGNS_OF_TABLES),
    ]


def _alpha(metrics: OrderedMetrics, select: dict[str, Any]) -> str:
    why = {
        "fixed": "as given",
        "degree": f"for a mean degree of {select['target']:g}",
        "ebic": f"smallest EBIC, gamma {select['gamma']:g}",
        "fit": "that of the graphical lasso",
    }[metrics.rule]
    return f"{metrics.alpha:.4g} of {metrics.alphas}: {why}"


def _layer(layer: LayerRegressions) -> str:
    other = "" if layer.explained_held_out is None else f", {_share(layer.explained_held_out)} on other documents"
    estimate = (
        "least squares" if layer.estimate.alpha is None else f"the debiased lasso at alpha {layer.estimate.alpha:.4g}"
    )
    return (
        f"{layer.targets:,} neurons on {layer.predictors:,} earlier ones: {layer.edges:,} edges; the lasso explains "
        f"{_share(layer.explained)} of the variance{other}; tested by {estimate}, with a variance "
        f"{layer.variance_inflation:.3g} times the formula's ({layer.variance})"
    )


def _share(value: float) -> str:
    return percent(value) if value >= 0 else "nothing"
