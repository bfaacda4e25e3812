"""One corpus in the order of its layers: neurons chosen, a path of lassos solved, one alpha selected, its edges tested.

All of it takes seconds where the graphical lasso takes minutes, so no part is kept for an interrupted run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glasso_cli.artifacts import ActivationStats, OrderedGraph
from glasso_cli.config import FitSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting.ordered.assemble import OrderedFindings, assemble
from glasso_cli.fitting.run import choose_neurons, shortfall
from glasso_cli.fitting.tested_edges import fit_at
from glasso_cli.inference.blocks import LEAST, Blocks, check_blocks
from glasso_cli.inference.estimates import ENOUGH, alpha_for_tests
from glasso_cli.inference.ordered.edges import OrderedTests, ordered_tests
from glasso_cli.inference.ordered.estimates import StepEstimate, debiased_lasso, least_squares
from glasso_cli.inference.select import Selection, select
from glasso_cli.solvers.degree import check_target
from glasso_cli.solvers.lasso.path import OrderedPoint, ordered_path, regress
from glasso_cli.solvers.lasso.problem import Regressions

_OWN_RULES = ("fixed", "degree", "ebic")
_BUFFERS = 8  # (p, p) float64 at the peak


def fit_layers(
    stats: ActivationStats,
    section: FitSection,
    *,
    name: str = "corpus",
    reporter: Reporter | None = None,
    alpha_of_fit: float | None = None,
) -> OrderedGraph:
    """The regressions of the neurons of every layer in ``stats`` on all neurons of earlier layers, with a test of every edge.

    ``section`` says which neurons, alphas, selection rule and tests. The rules fixed, degree and ebic select the alpha of this
    graph; with the others it is ``alpha_of_fit``, that of the graphical lasso. The ``meta`` of the result holds the name and
    the metrics.

    Raises :class:`InputError` for neurons of a single layer, for too few blocks of documents, for least squares with fewer
    effective tokens than predictors, and for a problem that takes more memory than there is.
    """
    if section.rule not in _OWN_RULES and alpha_of_fit is None:
        raise InputError(
            f"An ordered graph is not selected by the rule {section.rule}.",
            f"Choose one of: {', '.join(_OWN_RULES)}.",
        )
    reporter = reporter or PythonWarnings()
    stats.require_moments()
    neurons = check_layers(stats, section)
    _check_memory(stats.n_neurons, len(neurons))
    if len(neurons) < len(choose_neurons(stats, section)):
        reporter.warn(f"{name}: neurons of hook points outside the layers are left out of the ordered graph")
    blocks = Blocks.of(stats.counts, stats.sums, stats.dense_moments, neurons)
    if section.variance != "normal":
        check_blocks(len(blocks.filled), f"fit.variance: {section.variance}")
    problem = Regressions.of(blocks.correlation(), stats.layers[neurons])
    points, chosen = _selected(problem, section, stats.n_effective, alpha_of_fit)
    if chosen.warning:
        reporter.warn(f"{name}, ordered: {chosen.warning}")
    best = points[chosen.index]
    tests, alphas = tested_layers(problem, best, section, blocks, stats.autocorrelation[neurons], stats.n_effective)
    findings = OrderedFindings(
        neurons=neurons,
        problem=problem,
        points=points,
        chosen=chosen,
        tests=tests,
        test_alphas=alphas,
        held_out=_held_out(blocks, problem, best, section),
    )
    return assemble(lambda metrics: {"corpus": name, "metrics": metrics}, section, stats, findings)


def check_layers(stats: ActivationStats, section: FitSection) -> np.ndarray:
    """Indices of the neurons to fit that have a layer, in the order of the layers; ``(p,)``.

    Raises :class:`InputError` for a single layer, and for a target degree that no graph across these layers has.
    """
    neurons = choose_neurons(stats, section)
    neurons = neurons[stats.layers[neurons] >= 0]
    found, sizes = np.unique(stats.layers[neurons], return_counts=True)
    if len(found) < 2:
        where = f"all are in layer {found[0]}" if len(found) else "none has a layer"
        raise InputError(
            f"fit.order: layers needs neurons of two layers, and of those to fit {where}.",
            "Collect hook points of two layers or more, or set fit.order: none.",
        )
    if section.rule == "degree":
        p = len(neurons)
        check_target(section.select.target, p, (p**2 - float((sizes**2).sum())) / p)
    return np.asarray(neurons[np.argsort(stats.layers[neurons], kind="stable")])


def ordered_shortfall(name: str, section: FitSection, graph: OrderedGraph) -> str:
    """Which alphas of ``graph`` did not converge, in a sentence; empty when all did."""
    return shortfall(f"{name}, ordered", section, graph, per="token")


def _check_memory(collected: int, p: int) -> None:
    need, available = 8 * (_BUFFERS * p**2 + collected**2), machine.available_memory()
    if need > available:
        raise InputError(
            f"The ordered graph needs {need / 1e9:,.1f} GB of memory for {p:,} neurons, and {available / 1e9:,.1f} GB are "
            "available.",
            "Fit fewer neurons (fit.neurons), use a machine with more memory, or set fit.order: none.",
        )


def _selected(
    problem: Regressions, section: FitSection, n_effective: float, alpha_of_fit: float | None
) -> tuple[Sequence[OrderedPoint], Selection]:
    """The points of the path, and the one that the rule of ``section`` chooses."""
    rule, alphas = section.rule, section.alpha or ()
    tol, max_iter = section.tol, section.max_iter
    if rule not in _OWN_RULES:
        assert alpha_of_fit is not None
        points = ordered_path(problem, [*alphas, alpha_of_fit], tol=tol, max_iter=max_iter)
        chosen = select(points, "fixed", alpha=alpha_of_fit)
        return points, Selection(chosen.index, "fit", None, None, chosen.warning)
    degree = section.select.target if rule == "degree" else None
    points = ordered_path(problem, alphas, degree=degree, tol=tol, max_iter=max_iter)
    chosen = select(
        points,
        rule,
        alpha=section.select.alpha or (alphas or (None,))[0],
        target=section.select.target,
        gamma=section.select.gamma,
        n_effective=n_effective,
    )
    return points, chosen


def tested_layers(
    problem: Regressions,
    best: OrderedPoint,
    section: FitSection,
    blocks: Blocks,
    autocorrelation: np.ndarray,
    n_effective: float,
) -> tuple[OrderedTests, list[float | None]]:
    """The tests of the edges of ``best``, and the alpha of the lasso that each layer was tested on; None for least squares.

    ``blocks`` and ``autocorrelation (p, L)`` have the neurons of ``problem``. Raises what :func:`ordered_tests` does.
    """
    estimates, alphas = _estimates(problem, best, section, n_effective)
    tests = ordered_tests(
        problem,
        estimates,
        blocks,
        autocorrelation,
        best.sources,
        best.targets,
        fdr=section.fdr,
        min_effect=section.min_effect,
        variance=section.variance,
    )
    return tests, alphas


def _estimates(
    problem: Regressions, best: OrderedPoint, section: FitSection, n_effective: float
) -> tuple[list[StepEstimate], list[float | None]]:
    """The estimate that each layer is tested on, and the alpha of its lasso; None for least squares."""
    estimates: list[StepEstimate] = []
    alphas: list[float | None] = []
    for step in problem.steps:
        k = step.start
        R, r = problem.correlation[:k, :k], problem.between(step)
        enough = n_effective >= ENOUGH * k
        if section.estimate == "inverse" or (section.estimate == "auto" and enough):
            estimates.append(least_squares(R, r))
            alphas.append(None)
            continue
        alpha_of_theta = alpha_for_tests(k, n_effective)
        alpha, lasso = min(best.alpha, alpha_of_theta), best
        if alpha < best.alpha:
            lasso = regress(problem.of_step(step), alpha, best, tol=section.tol, max_iter=section.max_iter)
        theta = fit_at(R, alpha_of_theta, None, section).precision()
        estimates.append(debiased_lasso(R, r, lasso.coefficients(step), theta))
        alphas.append(alpha)
    return estimates, alphas


def _held_out(blocks: Blocks, problem: Regressions, best: OrderedPoint, section: FitSection) -> list[float | None]:
    """The variance that each layer's regressions explain on blocks they were not fitted to: two halves, each way.

    Of a share for every layer but the first; None where there are too few blocks.
    """
    filled = blocks.filled.tolist()
    if len(filled) < LEAST:
        return [None] * len(problem.steps)
    halves = (filled[::2], filled[1::2])
    left, total = np.zeros(len(problem.steps)), np.zeros(len(problem.steps))
    for train, test in (halves, halves[::-1]):
        half = Regressions(blocks.correlation(train), problem.starts)
        point = regress(half, best.alpha, best, tol=section.tol, max_iter=section.max_iter)
        second = blocks.held_out(train, test)
        for place, step in enumerate(half.steps):
            b = point.coefficients(step)
            variance = float(second.diagonal()[step.targets].sum())
            cross = float(b.multiply(second[step.targets, : step.start]).sum())
            square = float(b.multiply(b @ second[: step.start, : step.start]).sum())
            left[place] += variance - 2 * cross + square
            total[place] += variance
    return [1 - float(a) / float(b) for a, b in zip(left, total)]
