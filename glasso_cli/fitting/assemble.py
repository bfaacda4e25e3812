"""A fitted path and what is known about its edges, as one artifact and as Graphviz text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.artifacts.metrics import CollectMetrics, FitMetrics, to_json
from glasso_cli.artifacts.metrics.fit import (
    Dependence,
    EstimateUsed,
    FreshNetwork,
    HalfSamples,
    LeadingFactor,
    LeadingFactors,
    PairCounts,
)
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.config import FitSection
from glasso_cli.fitting import edge_table
from glasso_cli.fitting.plain_graph import PlainFit
from glasso_cli.fitting.sample_curves import Stability
from glasso_cli.fitting.tested_edges import EdgeTestResult
from glasso_cli.graph import build_graph, to_dot
from glasso_cli.inference.dependence import carried_dependence, mean_square, unpenalised
from glasso_cli.inference.factors import Factors
from glasso_cli.inference.select import Selection
from glasso_cli.solvers.path import PathPoint, stacked

Meta = Callable[[dict[str, Any]], dict[str, Any]]
_TOP = 5  # neurons named for each factor


@dataclass(frozen=True, eq=False)
class Findings:
    """All that a fit of one corpus found."""

    neurons: np.ndarray  # (p,) indices into the statistics
    correlation: np.ndarray | csr_array  # (p, p), what was fitted; sparse where only that of the edges is known
    points: list[PathPoint]
    chosen: Selection
    tested: EdgeTestResult
    stability: Stability
    factors: Factors | None
    removed: Factors | None  # those of ``factors`` that were taken out
    plain: PlainFit | None  # for a fit with hidden factors
    fresh: FreshNetwork | None  # if it was collected


class Collected(Protocol):
    """What the artifact says of the neurons that were collected, and of how."""

    @property
    def neuron_ids(self) -> np.ndarray: ...

    @property
    def layers(self) -> np.ndarray: ...

    @property
    def orientation(self) -> np.ndarray: ...

    @property
    def metrics(self) -> CollectMetrics: ...


def assemble(meta: Meta, section: FitSection, seed: int, stats: Collected, findings: Findings) -> PrecisionPath:
    """The findings as one artifact; ``meta`` makes its meta of the metrics."""
    points, chosen, tests = findings.points, findings.chosen, findings.tested.tests
    width = len(findings.neurons)
    best = points[chosen.index]
    kept = edge_table.filter_edges(tests, best.values < 0, section.fdr)
    drawn = (best.rows[kept.mask], best.cols[kept.mask], best.values[kept.mask])
    ids, layers = stats.neuron_ids[findings.neurons], stats.layers[findings.neurons]
    graph = build_graph(ids, *drawn, best.diagonal, layers, seed=seed)
    metrics = FitMetrics(
        neurons=width,
        alphas=len(points),
        alpha=best.alpha,
        rule=chosen.rule,
        edges=len(drawn[0]),
        mean_degree=2 * len(drawn[0]) / width,
        edges_at_alpha=best.n_edges,
        dropped=kept.dropped,
        fdr=section.fdr,
        min_effect=section.min_effect,
        hidden_factors=best.factors.shape[1],
        dependence=None if findings.plain is None else _dependence(best, findings.correlation),
        plain=None if findings.plain is None else findings.plain.against(best, kept.mask),
        estimate=EstimateUsed(findings.tested.estimate, findings.tested.alpha),
        variance=tests.variance,
        variance_inflation=tests.inflation,
        degrees_of_freedom=tests.freedom if np.isfinite(tests.freedom) else None,
        pairs=PairCounts(tests.pairs, tests.nonzero, tests.discoveries),
        expected_false_edges=float(tests.q[kept.mask].max(initial=0.0)) * len(drawn[0]),
        half_samples=HalfSamples(findings.stability.count, findings.stability.replication),
        null=findings.tested.null,
        fresh_network=findings.fresh,
        factors=_described(findings.factors, findings.removed, ids),
        communities=int(graph.communities.max(initial=-1)) + 1,
        duality_gap=best.duality_gap,
        kkt_residual=best.kkt_residual,
        converged=bool(best.converged),
        all_converged=all(bool(point.converged) for point in points),
        solver=section.solver,
        tol=section.tol,
        collect=stats.metrics,
    )
    unknown = np.full(len(points), np.nan)
    return PrecisionPath.of_points(
        points,
        meta=meta(to_json(metrics)),
        neuron_ids=ids,
        layers=layers,
        neurons=findings.neurons.astype(np.int32),
        orientation=stats.orientation[findings.neurons],
        communities=graph.communities.astype(np.int32),
        marginals=_at_edges(findings.correlation, points).astype(np.float32),
        criterion=unknown if chosen.criterion is None else chosen.criterion,
        criterion_error=unknown if chosen.error is None else chosen.error,
        selected=np.array(chosen.index),
        kept=kept.mask,
        debiased=tests.partial_correlation,
        standard_error=tests.standard_error,
        z=tests.z,
        p_zero=tests.p_zero,
        q_zero=tests.q_zero,
        p_values=tests.p,
        q_values=tests.q,
        frequencies=findings.stability.frequencies,
        entry_alphas=edge_table.entry_alphas(points, chosen.index),
        **_tested_fit(findings.tested.fit),
        **_plain_fit(findings.plain),
    )


def _at_edges(correlation: np.ndarray | csr_array, points: list[PathPoint]) -> np.ndarray:
    """The correlations of the edges of all points, one point after the other."""
    edges = stacked(points)
    if len(edges["rows"]) == 0:  # of none a sparse matrix gives a matrix
        return np.zeros(0)
    return np.asarray(correlation[edges["rows"], edges["cols"]]).ravel()


def _tested_fit(fit: PathPoint | None) -> dict[str, np.ndarray]:
    """The members of the artifact about the fit that edges were tested on; all are empty where that was the inverse."""
    alpha = np.zeros(0) if fit is None else np.array([fit.alpha])
    return {"tested_alpha": alpha, **{f"tested_{name}": array for name, array in _arrays_of(fit).items()}}


def _plain_fit(fit: PlainFit | None) -> dict[str, np.ndarray]:
    """The members of the artifact about the fit without hidden factors; all are empty where there is none."""
    arrays = _arrays_of(None if fit is None else fit.point)
    del arrays["factors"]
    kept = np.zeros(0, bool) if fit is None else fit.kept
    return {"plain_kept": kept, **{f"plain_{name}": array for name, array in arrays.items()}}


def _arrays_of(point: PathPoint | None) -> dict[str, np.ndarray]:
    """The arrays of a point by name; all are empty where there is none."""
    if point is not None:
        return point.to_arrays()[0]
    none, index = np.zeros(0), np.zeros(0, np.int32)
    return {"rows": index, "cols": index, "values": none, "diagonal": none, "factors": np.zeros((0, 0))}


def _dependence(point: PathPoint, correlation: np.ndarray | csr_array) -> Dependence:
    """How much of the dependence the hidden factors of ``point`` carry, a fit to the dense ``correlation (p, p)``."""
    assert isinstance(correlation, np.ndarray), "hidden factors are fitted to a dense matrix"
    carried = carried_dependence(*unpenalised(correlation, point.precision(), point.factors))
    return Dependence(
        share=carried.share,
        total_correlation=carried.total_correlation,
        total_correlation_given_factors=carried.total_given_factors,
        share_of_squared_correlations=carried.share_of_squares,
        mean_squared_correlation=carried.squared_correlation,
        mean_squared_correlation_given_factors=carried.squared_given_factors,
        mean_squared_correlation_of_sample=mean_square(correlation),
        variance_explained=carried.variance_explained,
    )


def _described(factors: Factors | None, removed: Factors | None, ids: np.ndarray) -> LeadingFactors | None:
    """The leading components in words and numbers."""
    if factors is None:
        return None
    leading = tuple(
        LeadingFactor(float(share), ", ".join(ids[factors.top_neurons(component, _TOP)].tolist()))
        for component, share in enumerate(factors.variance_explained)
    )
    taken = 0 if removed is None else len(removed.variances)
    return LeadingFactors(taken, None if removed is None else removed.share, factors.share, leading)


def dot_text(fit: PrecisionPath) -> str:
    """The Graphviz text of the selected graph, with oriented signs."""
    fit = oriented(fit)
    part = fit.drawn()
    graph = build_graph(
        fit.neuron_ids,
        fit.rows[part],
        fit.cols[part],
        fit.values[part],
        fit.diagonals[int(fit.selected)],
        fit.layers,
        communities=fit.communities,
    )
    return to_dot(graph, key=fit.meta["key"], title=fit.meta["corpus"])
