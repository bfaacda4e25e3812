"""What the regressions on earlier layers measured."""

from __future__ import annotations

from dataclasses import dataclass

from glasso_cli.artifacts.metrics.collect import CollectMetrics
from glasso_cli.artifacts.metrics.fit import DroppedEdges, EstimateUsed, PairCounts


@dataclass(frozen=True)
class LayerRegressions:
    """The regressions of one layer's neurons on all neurons of earlier layers."""

    layer: int
    targets: int
    predictors: int
    edges_at_alpha: int
    edges: int  # drawn
    explained: float  # share of the variance of a target, mean over targets; on the tokens of the fit
    explained_held_out: (
        float | None
    )  # the same on the blocks that the regression did not see; None with fewer than four
    estimate: EstimateUsed  # inverse (least squares) or lasso (debiased)
    variance: str
    variance_inflation: float
    degrees_of_freedom: float | None  # None for the normal distribution


@dataclass(frozen=True)
class OrderedMetrics:
    """The penalty, the graph that it and the tests left, and the certificate."""

    neurons: int
    alphas: int
    alpha: float
    rule: str  # fixed, degree or ebic; fit where the alpha is that of the graphical lasso
    edges: int
    mean_degree: float
    edges_at_alpha: int
    dropped: DroppedEdges
    fdr: float
    min_effect: float
    pairs: PairCounts
    expected_false_edges: float
    layers: tuple[LayerRegressions, ...]
    duality_gap: float  # nats per token, the largest of any target
    kkt_residual: float
    converged: bool
    all_converged: bool
    tol: float
    collect: CollectMetrics
