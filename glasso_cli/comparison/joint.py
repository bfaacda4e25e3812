"""Several corpora fitted at once, so that what they share is one thing: as an artifact, a table and a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from glasso_cli.artifacts import JointPrecision
from glasso_cli.artifacts.joint_precision import presence
from glasso_cli.artifacts.metrics import JointMetrics, to_json
from glasso_cli.artifacts.metrics.joint import JointCorpus
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.comparison.estimates import CommonNeurons, Corpus
from glasso_cli.config import CompareSection
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.graph import dot_head, edge_line, node_line, quoted
from glasso_cli.graph.colours import PRESENCE
from glasso_cli.graph.sums import edge_sums
from glasso_cli.inference.blocks import Blocks
from glasso_cli.linalg.precision import partial_correlation
from glasso_cli.solvers.joint.fit import JointResult, fit_joint, largest_component
from glasso_cli.solvers.memory import check_joint_memory


def joint_fit(
    meta: Callable[[dict[str, Any], str], dict[str, Any]],
    corpora: Sequence[Corpus],
    common: CommonNeurons,
    section: CompareSection,
) -> JointPrecision:
    """All ``corpora`` at once over the neurons they have in ``common``; ``meta`` takes the metrics and what fell short.

    Raises :class:`InputError` where that takes more memory than there is or more than about ten minutes.
    """
    if section.method == "differential":
        raise InputError("A joint fit is group or fused.", "Set compare.method.")
    chosen = _strongest(corpora, common, section.neurons)
    correlations = [_correlation(corpus, places) for corpus, places in zip(corpora, chosen.places)]
    lambda1 = section.lambda1 or float(np.mean([corpus.fit.alphas[int(corpus.fit.selected)] for corpus in corpora]))
    lambda2 = section.lambda2 if section.lambda2 is not None else lambda1 / 5
    p, K = len(chosen.ids), len(corpora)
    largest = largest_component(correlations, lambda1, lambda2, penalty=section.method)
    check_joint_memory(p, largest, K, machine.available_memory())
    result = fit_joint(
        correlations, lambda1, lambda2, penalty=section.method, tol=section.tol, max_iter=section.max_iter
    )
    rows, cols = np.nonzero(np.triu((result.precisions != 0).any(axis=0), 1))
    values = result.precisions[:, rows, cols]
    diagonals = np.stack([precision.diagonal() for precision in result.precisions])
    metrics = JointMetrics(
        method=section.method,
        neurons=p,
        corpora=tuple(JointCorpus(c.name, int(np.count_nonzero(v))) for c, v in zip(corpora, values)),
        lambda1=lambda1,
        lambda2=lambda2,
        edges=_counts(values),
        largest_component=largest,
        objective=result.objective,
        duality_gap=result.duality_gap,
        kkt_residual=result.kkt_residual,
        n_iter=result.n_iter,
        converged=bool(result.converged),
        tol=section.tol,
    )
    return JointPrecision(
        meta=meta(to_json(metrics), _below(result, section)),
        neuron_ids=chosen.ids,
        layers=corpora[0].fit.layers[chosen.places[0]],
        orientation=corpora[0].fit.orientation[chosen.places[0]],
        corpora=np.array([corpus.name for corpus in corpora]),
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        values=values,
        partial_correlations=np.stack(
            [partial_correlation(rows, cols, each, diagonal) for each, diagonal in zip(values, diagonals)]
        ),
        diagonals=diagonals,
    )


def _strongest(corpora: Sequence[Corpus], common: CommonNeurons, wanted: int | str) -> CommonNeurons:
    """The neurons of largest strength over the drawn graphs of all fits, in their order; ties to the first."""
    if not isinstance(wanted, int) or wanted >= len(common.ids):
        return common
    strength = np.zeros(len(common.ids))
    for corpus, places in zip(corpora, common.places):
        fit = corpus.fit
        rows, cols, rho = (values[fit.kept] for values in fit.edges())
        strength += edge_sums(fit.n_neurons, rows, cols, np.abs(rho))[places]
    return common.part(np.sort(np.argsort(-strength, kind="stable")[:wanted]))


def _correlation(corpus: Corpus, places: np.ndarray) -> np.ndarray:
    stats = corpus.stats
    return Blocks.of(
        stats.counts, stats.sums, stats.dense_moments, corpus.fit.neurons[places].astype(np.int64)
    ).correlation()


def _below(result: JointResult, section: CompareSection) -> str:
    if result.converged:
        return ""
    return (
        f"compare: the joint fit ended at a gap of {result.duality_gap:.1e} nats per neuron, not {section.tol:g}; raise "
        "compare.max_iter or compare.tol."
    )


# -- which corpora have a pair ------------------------------------------------------------------------


def _counts(values: np.ndarray) -> dict[str, int]:
    kinds = presence(values)
    equal = (values == values[0]).all(axis=0) & (kinds == "all")
    counts = {kind: int(np.count_nonzero(kinds == kind)) for kind in PRESENCE}
    return {**counts, "equal in all": int(np.count_nonzero(equal))}


# -- tables, graph, words ------------------------------------------------------------------------------


def dot_lines(fit: JointPrecision) -> Iterator[str]:
    """The Graphviz text, a line at a time: a colour for edges of all corpora, of some, of one, and of both signs."""
    fit = oriented(fit)
    yield dot_head(fit.meta["key"], str(fit.meta["corpus"]), fit.n_neurons, len(fit.rows))
    names = [quoted(name) for name in fit.neuron_ids.tolist()]
    for neuron in np.unique(np.concatenate([fit.rows, fit.cols])).tolist():
        yield node_line(names[neuron], {"layer": fit.layers[neuron]})
    kinds = presence(fit.values).tolist()
    corpora = [quoted(str(name)) for name in fit.corpora.tolist()]
    for edge, (i, j, kind) in enumerate(zip(fit.rows.tolist(), fit.cols.tolist(), kinds)):
        rho = fit.partial_correlations[:, edge]
        attributes = {
            "in": quoted(kind),
            "weight": f"{np.abs(rho).max():.6f}",
            **{name: f"{value:.6f}" for name, value in zip(corpora, rho.tolist())},
            "color": f'"{PRESENCE[kind]}"',
        }
        yield edge_line(names[i], names[j], attributes)
    yield "}\n"


def summary(metrics: JointMetrics) -> str:
    """A joint fit in a line."""
    edges = metrics.edges
    each = ", ".join(f"{corpus.edges:,} in {corpus.name}" for corpus in metrics.corpora)
    return (
        f"{each} among {metrics.neurons:,} neurons ({edges['all']:,} in all, {edges['sign flip']:,} of both signs; "
        f"{metrics.method}, lambda1 {metrics.lambda1:.3g}, lambda2 {metrics.lambda2:.3g}; certified gap "
        f"{metrics.duality_gap:.1e} nats per neuron, KKT residual {metrics.kkt_residual:.1e})"
    )
