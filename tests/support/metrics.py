"""Metrics of small corpora and fits, as the stages would measure them."""

from __future__ import annotations

from glasso_cli.artifacts.metrics import CollectMetrics, FitMetrics
from glasso_cli.artifacts.metrics.collect import DocumentCounts, EffectiveTokens, HookPointRead, ModelRead, TokenCounts
from glasso_cli.artifacts.metrics.fit import DroppedEdges, EstimateUsed, HalfSamples, PairCounts


def collect_metrics(
    neurons: int, tokens: TokenCounts, n_effective: EffectiveTokens, documents: int = 12
) -> CollectMetrics:
    """The metrics of statistics of one hook point."""
    return CollectMetrics(
        model=ModelRead("causal", "float32", 12),
        hook_points=(HookPointRead("layers.9.mlp", "model.layers.9.mlp.down_proj:in", 9, neurons, True),),
        documents=DocumentCounts(documents, 0, 0, 0),
        windows=documents,
        tokens=tokens,
        n_effective=n_effective,
        neurons=neurons,
        dead=0,
        duplicates=0,
        invariants={},
        dtype_difference={},
    )


def fit_metrics(collect: CollectMetrics, neurons: int, alphas: int, edges: int, rule: str, alpha: float) -> FitMetrics:
    """The metrics of a fit that converged and whose edges are all drawn."""
    return FitMetrics(
        neurons=neurons,
        alphas=alphas,
        alpha=alpha,
        rule=rule,
        edges=edges,
        mean_degree=2 * edges / neurons,
        edges_at_alpha=edges,
        dropped=DroppedEdges(0, 0),
        fdr=0.05,
        min_effect=0.02,
        hidden_factors=0,
        dependence=None,
        plain=None,
        estimate=EstimateUsed("lasso", alpha),
        variance="pooled",
        variance_inflation=1.5,
        degrees_of_freedom=7.0,
        pairs=PairCounts(neurons * (neurons - 1) // 2, edges, edges),
        expected_false_edges=0.05 * edges,
        half_samples=HalfSamples(4, 0.9),
        null=None,
        fresh_network=None,
        factors=None,
        communities=1,
        duality_gap=3e-9,
        kkt_residual=1e-6,
        converged=True,
        all_converged=True,
        solver="newton",
        tol=1e-7,
        collect=collect,
    )
