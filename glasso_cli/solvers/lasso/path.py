"""Ordered graphs at one alpha or at several: every layer regressed on all earlier layers, each point certified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.solvers.degree import MAX_SOLVES, search_degree
from glasso_cli.solvers.lasso.problem import Regressions, Step, certificate
from glasso_cli.solvers.problem import check_alpha


@dataclass(frozen=True, eq=False)
class OrderedPoint:
    """The coefficients of all regressions at one alpha, with their certificate.

    Edges are ordered by target, then by source; a source is a neuron of an earlier layer.
    """

    alpha: float
    sources: np.ndarray  # (E,) int32
    targets: np.ndarray  # (E,) int32
    values: np.ndarray  # (E,) float64, standard deviations of the target for one of the source
    residual: np.ndarray  # (p,) residual variance over that of the neuron; 1 in the first layer
    objective: float  # nats per token, sum over targets
    duality_gap: float  # nats per token, the largest of any target
    kkt_residual: float  # the largest of any target, on the scale of alpha
    n_iter: int  # sweeps, the most of any target
    converged: bool  # duality_gap <= tol, nothing else
    gap_per: ClassVar[str] = "token"

    def __repr__(self) -> str:
        sizes = f"{self.n_neurons:,} neurons, {self.n_edges:,} edges"
        return f"OrderedPoint(alpha {self.alpha:.4g}: {sizes}, duality gap {self.duality_gap:.1e})"

    @property
    def n_neurons(self) -> int:
        return len(self.residual)

    @property
    def n_edges(self) -> int:
        return len(self.values)

    @property
    def mean_degree(self) -> float:
        return 2 * self.n_edges / self.n_neurons

    @property
    def log_likelihood(self) -> float:
        """Twice the Gaussian one per token, in nats and without constants, each target with its residual variance."""
        return -float(np.log(np.maximum(self.residual, np.finfo(float).tiny)).sum())

    def coefficients(self, step: Step) -> csr_array:
        """Of one layer, ``(m, k)``: a row for every target, a column for every predictor."""
        return coefficients_of(self.sources, self.targets, self.values, step)


def coefficients_of(sources: np.ndarray, targets: np.ndarray, values: np.ndarray, step: Step) -> csr_array:
    """The coefficients ``(m, k)`` of one layer out of edges that are ordered by target, then by source."""
    begin, end = np.searchsorted(targets, (step.start, step.stop))
    starts = np.searchsorted(targets[begin:end], np.arange(step.start, step.stop + 1))
    shape = (step.stop - step.start, step.start)
    return csr_array((values[begin:end], sources[begin:end], starts), shape=shape)


def regress(
    problem: Regressions, alpha: float, start: OrderedPoint | None = None, *, tol: float = 1e-7, max_iter: int = 2000
) -> OrderedPoint:
    """The point at ``alpha``: coordinate descent from ``start`` until no target has a duality gap above ``tol``.

    No target takes more than ``max_iter`` sweeps.
    """
    check_alpha(alpha)
    found: list[csr_array] = []
    residual = np.ones(problem.n_neurons)
    objective, gap, kkt, most = 0.0, 0.0, 0.0, 0
    for step in problem.steps:
        before = None if start is None else start.coefficients(step)
        for part in step.parts():
            B, sweeps = _solved(problem.correlation, step, part, alpha, before, tol, max_iter)
            R, r = problem.correlation[: step.start, : step.start], problem.correlation[part, : step.start]
            proof = certificate(R, r, B, alpha)
            residual[part] = proof.residual
            objective += float(proof.objective.sum())
            gap, kkt = max(gap, float(proof.gap.max())), max(kkt, float(proof.kkt_residual.max()))
            most = max(most, int(sweeps.max()))
            found.append(B)
    return OrderedPoint(
        alpha=float(alpha),
        sources=_joined([B.indices for B in found], np.int32),
        targets=_joined(_targets(problem, found), np.int32),
        values=_joined([B.data for B in found], np.float64),
        residual=residual,
        objective=objective,
        duality_gap=gap,
        kkt_residual=kkt,
        n_iter=most,
        converged=gap <= tol,
    )


def _solved(
    R: np.ndarray, step: Step, part: slice, alpha: float, before: csr_array | None, tol: float, max_iter: int
) -> tuple[csr_array, np.ndarray]:
    """The coefficients ``(m, k)`` of some targets of a step, and the sweeps ``(m,)`` that they took."""
    from glasso_cli.solvers.lasso.descent import descend

    m = part.stop - part.start
    first = part.start - step.start
    B = np.zeros((m, step.start)) if before is None else before[first : first + m].toarray()
    sweeps = np.zeros(m, dtype=np.int64)
    with numba_limited():
        descend(R, step.start, part.start, alpha, tol, max_iter, B, sweeps)
    return csr_array(B), sweeps


def _targets(problem: Regressions, found: Sequence[csr_array]) -> list[np.ndarray]:
    counts = _joined([np.diff(B.indptr) for B in found], np.int64)
    first = problem.steps[0].start if problem.steps else problem.n_neurons
    return [np.repeat(np.arange(first, problem.n_neurons), counts)]


def _joined(parts: Sequence[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


# -- several alphas ----------------------------------------------------------------------------------


class OrderedWalk:
    """The points visited so far, each started from the one at the next larger alpha."""

    def __init__(self, problem: Regressions, tol: float, max_iter: int) -> None:
        self._problem, self._tol, self._max_iter = problem, tol, max_iter
        self._visited: dict[float, OrderedPoint] = {}

    @property
    def n_neurons(self) -> int:
        return self._problem.n_neurons

    @property
    def strongest(self) -> float:
        return self._problem.strongest

    @property
    def most(self) -> float:
        """The mean degree of the graph with all edges."""
        return 2 * self._problem.pairs / self.n_neurons

    def first_alpha(self, target: float) -> float:
        """The alpha with ``target`` correlations per neuron above it."""
        sizes = self._problem.sizes()
        place = min(max(len(sizes) - round(target * self.n_neurons / 2), 0), len(sizes) - 1)
        sizes.partition(place)
        return float(sizes[place])

    def points(self) -> list[OrderedPoint]:
        return [self._visited[alpha] for alpha in sorted(self._visited, reverse=True)]

    def visit(self, alpha: float) -> None:
        larger = [known for known in self._visited if known > alpha]
        start = self._visited[min(larger)] if larger else None
        self._visited[alpha] = regress(self._problem, alpha, start, tol=self._tol, max_iter=self._max_iter)


def ordered_path(
    problem: Regressions,
    alphas: Iterable[float],
    *,
    degree: float | None = None,
    tol: float = 1e-7,
    max_iter: int = 2000,
    max_solves: int = MAX_SOLVES,
) -> list[OrderedPoint]:
    """A point at every alpha, in decreasing order, and those of the search for a mean ``degree`` if one is given.

    The mean degree counts an edge for both of its neurons, and the neurons of all layers. Raises :class:`InputError` for a
    degree that no alpha gives.
    """
    walk = OrderedWalk(problem, tol, max_iter)
    for alpha in sorted({float(alpha) for alpha in alphas}, reverse=True):
        walk.visit(alpha)
    if degree is not None:
        search_degree(walk, degree, max_solves)
    return walk.points()
