"""An ordered path and what is known about its edges, as one artifact and as Graphviz text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, OrderedGraph
from glasso_cli.artifacts.metrics import OrderedMetrics, to_json
from glasso_cli.artifacts.metrics.fit import EstimateUsed, PairCounts
from glasso_cli.artifacts.metrics.ordered import LayerRegressions
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.config import FitSection
from glasso_cli.fitting.edge_table import filter_edges
from glasso_cli.graph.dot import dot_head, edge_line, node_line, quoted, signed_attributes
from glasso_cli.inference.ordered.edges import OrderedTests
from glasso_cli.inference.select import Selection
from glasso_cli.solvers.lasso.path import OrderedPoint
from glasso_cli.solvers.lasso.problem import Regressions

Meta = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class OrderedFindings:
    """All that the regressions of one corpus found."""

    neurons: np.ndarray  # (p,) indices into the statistics, in the order of the layers
    problem: Regressions
    points: Sequence[OrderedPoint]
    chosen: Selection
    tests: OrderedTests
    test_alphas: Sequence[float | None]  # of the lasso that each layer was tested on; None for least squares
    held_out: Sequence[float | None]  # variance explained on other documents, for each layer but the first


def assemble(meta: Meta, section: FitSection, stats: ActivationStats, findings: OrderedFindings) -> OrderedGraph:
    """The findings as one artifact; ``meta`` makes its meta of the metrics."""
    points, chosen, tests = findings.points, findings.chosen, findings.tests
    best = points[chosen.index]
    kept = filter_edges(tests, best.values > 0, section.fdr)
    edges = int(kept.mask.sum())
    layers = stats.layers[findings.neurons]
    metrics = OrderedMetrics(
        neurons=best.n_neurons,
        alphas=len(points),
        alpha=best.alpha,
        rule=chosen.rule,
        edges=edges,
        mean_degree=2 * edges / best.n_neurons,
        edges_at_alpha=best.n_edges,
        dropped=kept.dropped,
        fdr=section.fdr,
        min_effect=section.min_effect,
        pairs=PairCounts(tests.pairs, tests.nonzero, tests.discoveries),
        expected_false_edges=float(tests.q[kept.mask].max(initial=0.0)) * edges,
        layers=_of_layers(findings, best, kept.mask, layers),
        duality_gap=best.duality_gap,
        kkt_residual=best.kkt_residual,
        converged=bool(best.converged),
        all_converged=all(point.converged for point in points),
        tol=section.tol,
        collect=stats.metrics,
    )
    R = findings.problem.correlation
    return OrderedGraph(
        meta=meta(to_json(metrics)),
        neuron_ids=stats.neuron_ids[findings.neurons],
        layers=layers,
        neurons=findings.neurons.astype(np.int32),
        orientation=stats.orientation[findings.neurons],
        alphas=np.array([point.alpha for point in points]),
        offsets=np.cumsum([0, *(point.n_edges for point in points)]),
        sources=np.concatenate([point.sources for point in points]),
        targets=np.concatenate([point.targets for point in points]),
        values=np.concatenate([point.values for point in points]),
        marginals=np.concatenate([R[point.sources, point.targets] for point in points]).astype(np.float32),
        residuals=np.stack([point.residual for point in points]),
        objective=np.array([point.objective for point in points]),
        duality_gap=np.array([point.duality_gap for point in points]),
        kkt_residual=np.array([point.kkt_residual for point in points]),
        n_iter=np.array([point.n_iter for point in points], dtype=np.int32),
        converged=np.array([point.converged for point in points], dtype=bool),
        criterion=np.full(len(points), np.nan) if chosen.criterion is None else chosen.criterion,
        selected=np.array(chosen.index),
        kept=kept.mask,
        coefficients=tests.coefficient,
        coefficient_errors=tests.coefficient_error,
        partial_correlations=tests.partial_correlation,
        standard_errors=tests.standard_error,
        z=tests.z,
        p_zero=tests.p_zero,
        q_zero=tests.q_zero,
        p_values=tests.p,
        q_values=tests.q,
    )


def _of_layers(
    findings: OrderedFindings, best: OrderedPoint, kept: np.ndarray, layers: np.ndarray
) -> tuple[LayerRegressions, ...]:
    found = []
    steps = zip(findings.problem.steps, findings.tests.errors, findings.test_alphas, findings.held_out, strict=True)
    for step, used, alpha, held_out in steps:
        inside = (best.targets >= step.start) & (best.targets < step.stop)
        found.append(
            LayerRegressions(
                layer=int(layers[step.start]),
                targets=step.stop - step.start,
                predictors=step.start,
                edges_at_alpha=int(inside.sum()),
                edges=int(kept[inside].sum()),
                explained=float(1 - best.residual[step.targets].mean()),
                explained_held_out=held_out,
                estimate=EstimateUsed("inverse" if alpha is None else "lasso", alpha),
                variance=used.variance,
                variance_inflation=used.inflation,
                degrees_of_freedom=used.freedom if np.isfinite(used.freedom) else None,
            )
        )
    return tuple(found)


def dot_text(graph: OrderedGraph) -> str:
    """The Graphviz text of the drawn edges, from earlier to later layers, with oriented signs; every neuron is a node."""
    graph = oriented(graph)
    sources, targets, _ = (part[graph.kept] for part in graph.edges())
    names = [quoted(name) for name in graph.neuron_ids.tolist()]
    lines = [dot_head(graph.meta["key"], graph.meta["corpus"], len(names), len(sources), directed=True)]
    lines += [node_line(name, {"layer": layer}) for name, layer in zip(names, graph.layers.tolist())]
    columns = (sources, targets, graph.partial_correlations[graph.kept], graph.coefficients[graph.kept])
    for i, j, rho, coefficient in zip(*(column.tolist() for column in columns)):
        sizes = {**signed_attributes(rho), "coefficient": f"{coefficient:.6g}"}
        lines.append(edge_line(names[i], names[j], sizes, directed=True))
    return "".join([*lines, "}\n"])
