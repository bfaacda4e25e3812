"""A sequence of graphical lasso solutions, each started from its neighbour, that can be resumed and continued.

A point is a function of the problem and of its chain: the alphas of the points before it, each of which was the
start of the next. A finished point is taken for one of the same chain, so that a path resumed from saved points,
or one with other alphas than the last, ends in the same bytes as one that was computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg.precision import symmetric
from glasso_cli.solvers import latent
from glasso_cli.solvers.base import SolverResult
from glasso_cli.solvers.components import connected, spanning_tree
from glasso_cli.solvers.problem import check_alpha
from glasso_cli.solvers.rows import row_blocks
from glasso_cli.solvers.screening import Summary, as_checked_covariance, get_solver, solved_components


@dataclass(frozen=True, eq=False)
class PathPoint:
    """The sparse precision matrix of p neurons at one alpha, with its certificate."""

    alpha: float
    rows: np.ndarray  # (E,) int32, each edge once, row < column, ordered by row and column
    cols: np.ndarray  # (E,) int32
    values: np.ndarray  # (E,) float64, precision entries
    diagonal: np.ndarray  # (p,) float64
    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float
    n_iter: int
    converged: bool
    log_likelihood: float  # log det Theta - tr(S Theta): twice the Gaussian one per sample, in nats
    factors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (p, r) of hidden ones, or empty
    ancestors: tuple[float, ...] = ()  # alphas, decreasing; the last is of the point that this one was started from
    gap_per: ClassVar[str] = "neuron"

    def __repr__(self) -> str:
        sizes = f"{len(self.diagonal):,} neurons, {self.n_edges:,} edges"
        proof = f"duality gap {self.duality_gap:.1e} after {self.n_iter} iterations"
        return f"PathPoint(alpha {self.alpha:.4g}: {sizes}, {proof})"

    @property
    def chain(self) -> tuple[float, ...]:
        """The alphas that lead to this point, its own the last: for one problem they determine its bytes."""
        return (*self.ancestors, self.alpha)

    @property
    def n_neurons(self) -> int:
        return len(self.diagonal)

    @property
    def n_edges(self) -> int:
        return len(self.rows)

    @property
    def n_components(self) -> int:
        """Connected components, isolated neurons included."""
        return int(connected(self.rows, self.cols, len(self.diagonal)).max(initial=-1)) + 1

    @property
    def mean_degree(self) -> float:
        return 2 * self.n_edges / len(self.diagonal)

    def precision(self) -> csr_array:
        """The sparse part of the precision ``(p, p)``, which is all of it without hidden factors; exactly symmetric."""
        return symmetric(self.rows, self.cols, self.values, self.diagonal)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The fields by name: those that are arrays, and the others, which are JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        return arrays, {name: value for name, value in values.items() if name not in arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> PathPoint:
        """The point of :meth:`to_arrays`; arrays are copied, since those of a file may be mapped."""
        copies: dict[str, Any] = {name: np.array(array) for name, array in arrays.items()}
        return cls(**copies, **{**numbers, "ancestors": tuple(numbers["ancestors"])})


def stacked(points: Sequence[PathPoint]) -> dict[str, np.ndarray]:
    """The edges of all points one after the other: ``rows``, ``cols``, ``values (nnz,)``, and their ``offsets (A + 1,)``."""
    edges = {name: np.concatenate([getattr(point, name) for point in points]) for name in ("rows", "cols", "values")}
    return {"offsets": np.cumsum([0, *(point.n_edges for point in points)]), **edges}


OnPoint = Callable[[PathPoint], None]


def fit_path(
    covariance: np.ndarray,
    alphas: Iterable[float],
    *,
    solver: str = "newton",
    tol: float = 1e-7,
    max_iter: int = 1000,
    penalise_diagonal: bool = False,
    hidden: float | None = None,
    done: Iterable[PathPoint] = (),
    on_point: OnPoint | None = None,
    checked: bool = False,
) -> list[PathPoint]:
    """A point at every alpha, in decreasing order, each started from the one before it.

    ``penalise_diagonal`` is as in :func:`screening.solve`. ``hidden`` is for hidden factors (:mod:`latent`, whatever
    ``solver`` is): the factor of their penalty.
    ``done`` holds finished points of the same problem, solver, ``tol`` and ``max_iter``; one whose chain is
    that of a point asked for is taken as it is. ``on_point`` is called with every new one. A ``checked`` covariance
    is one from :func:`screening.as_checked_covariance`, or the correlation of a sample: it is not looked at again. Raises
    :class:`InputError`.
    """
    wanted = sorted({float(alpha) for alpha in alphas}, reverse=True)
    for alpha in wanted:
        check_alpha(alpha)
    walk = Walk(covariance, solver, tol, max_iter, penalise_diagonal, hidden, done, on_point, checked=checked)
    for alpha in wanted:
        walk.visit(alpha)
    return walk.points()


def fit_from(
    covariance: np.ndarray,
    alpha: float,
    start: csr_array | None,
    *,
    solver: str = "newton",
    tol: float = 1e-7,
    max_iter: int = 1000,
    penalise_diagonal: bool = False,
    hidden: float | None = None,
    checked: bool = False,
) -> PathPoint:
    """The point at one alpha, started from a precision ``(p, p)`` that stands on no path of this covariance."""
    check_alpha(alpha)
    walk = Walk(covariance, solver, tol, max_iter, penalise_diagonal, hidden, (), None, checked=checked)
    return walk.point(alpha, start, ())


class Walk:
    """The points visited so far, in an order that alone decides every warm start."""

    def __init__(
        self,
        covariance: np.ndarray,
        solver: str,
        tol: float,
        max_iter: int,
        penalise_diagonal: bool,
        hidden: float | None,
        done: Iterable[PathPoint],
        on_point: OnPoint | None,
        visited: Sequence[PathPoint] = (),
        *,
        checked: bool = False,
    ) -> None:
        self.covariance = covariance if checked else as_checked_covariance(covariance, 1.0)
        self.tree = spanning_tree(self.covariance)
        self._solver = get_solver(solver)
        self._tol, self._max_iter, self._penalise_diagonal = tol, max_iter, penalise_diagonal
        self._hidden = hidden
        self._done = {point.chain: point for point in done}
        self._on_point = on_point
        self._visited = {point.alpha: point for point in visited}

    @property
    def n_neurons(self) -> int:
        return len(self.covariance)

    @property
    def most(self) -> float:
        """The mean degree of the graph with all edges."""
        return self.n_neurons - 1

    @property
    def strongest(self) -> float:
        """The largest absolute correlation of two neurons."""
        return self.tree.strongest

    def first_alpha(self, target: float) -> float:
        """The alpha with ``target`` correlations per neuron above it."""
        size = np.abs(self.covariance)
        np.fill_diagonal(size, 0.0)
        entries = size.ravel()
        place = min(entries.size - round(target * self.n_neurons), entries.size - 1)
        entries.partition(place)
        return float(entries[place])

    def points(self) -> list[PathPoint]:
        return [self._visited[alpha] for alpha in sorted(self._visited, reverse=True)]

    def visit(self, alpha: float) -> None:
        start = self._start(alpha)
        ancestors = start.chain if start else ()
        point = self._done.get((*ancestors, alpha))
        if point is None:
            point = self.point(alpha, start.precision() if start else None, ancestors)
            if self._on_point:
                self._on_point(point)
        self._visited[alpha] = point

    def _start(self, alpha: float) -> PathPoint | None:
        """The point at the next larger alpha, whose graph is the nearest one that is no denser."""
        larger = [known for known in self._visited if known > alpha]
        return self._visited[min(larger)] if larger else None

    def point(self, alpha: float, start: csr_array | None, ancestors: tuple[float, ...]) -> PathPoint:
        if self._hidden is not None:
            return _latent_point(self.covariance, alpha, self._hidden, start, self._tol, self._max_iter, ancestors)
        penalised = self._penalise_diagonal
        variance = self.covariance.diagonal() + (alpha if penalised else 0.0)
        parts = solved_components(
            self.covariance,
            alpha,
            self._solver,
            init=start,
            tol=self._tol,
            max_iter=self._max_iter,
            tree=self.tree,
            on_diagonal=alpha if penalised else 0.0,
        )
        return point_of(alpha, variance, parts, self._tol, ancestors, penalised)


def point_of(
    alpha: float,
    variance: np.ndarray,
    parts: Iterable[tuple[np.ndarray, SolverResult]],
    tol: float,
    ancestors: tuple[float, ...],
    penalised: bool,
) -> PathPoint:
    """The point that the components ``parts`` add up to: the members of each, and its result.

    ``variance (p,)`` is that of all neurons, with the cost of the diagonal if it is ``penalised``.
    """
    summary = Summary.of_isolated(variance)
    diagonal = 1 / variance
    edges = [(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0))]
    for members, part in parts:
        summary.add(variance, members, part)
        diagonal[members] = part.precision.diagonal()
        rows, cols, values = _edges(part.precision)
        edges.append((members[rows].astype(np.int32), members[cols].astype(np.int32), values))
    rows, cols, values = (np.concatenate([part[k] for part in edges]) for k in range(3))
    order = np.lexsort((cols, rows))
    rows, cols, values = rows[order], cols[order], values[order]
    penalty = 2 * alpha * float(np.abs(values).sum())
    if penalised:
        penalty += alpha * float(diagonal.sum())
    return PathPoint(
        alpha=alpha,
        rows=rows,
        cols=cols,
        values=values,
        diagonal=diagonal,
        objective=summary.objective,
        duality_gap=summary.duality_gap,
        kkt_residual=summary.kkt_residual,
        n_iter=summary.n_iter,
        converged=summary.duality_gap <= tol,
        log_likelihood=penalty - summary.objective,
        ancestors=ancestors,
    )


def _latent_point(
    covariance: np.ndarray,
    alpha: float,
    hidden: float,
    start: csr_array | None,
    tol: float,
    max_iter: int,
    ancestors: tuple[float, ...],
) -> PathPoint:
    mu = latent.nuclear_penalty(alpha, len(covariance), hidden)
    result = latent.solve(covariance, alpha, mu, init=start, tol=tol, max_iter=max_iter)
    rows, cols, values = _edges(result.precision)
    penalty = 2 * alpha * float(np.abs(values).sum()) + mu * float((result.factors**2).sum())
    return PathPoint(
        alpha=alpha,
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        values=values,
        diagonal=result.precision.diagonal().copy(),
        objective=result.objective,
        duality_gap=result.duality_gap,
        kkt_residual=result.kkt_residual,
        n_iter=result.n_iter,
        converged=result.converged,
        log_likelihood=penalty - result.objective,
        factors=result.factors,
        ancestors=ancestors,
    )


def _edges(precision: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values of the entries above the diagonal, row by row."""
    parts = []
    for some in row_blocks(len(precision)):
        rows, cols = np.nonzero(precision[some] != 0)
        rows += some.start
        above = cols > rows
        parts.append((rows[above], cols[above]))
    rows, cols = (np.concatenate([part[k] for part in parts]) for k in range(2))
    return rows, cols, precision[rows, cols]
