"""A path of graphical lasso solutions whose covariance is known in separate parts alone, never as one matrix.

The parts are unions of components: every pair of neurons in two parts has a covariance of at most alpha in absolute value.
Then the solution is zero between parts (Witten, Friedman and Simon, 2011; Mazumder and Hastie, 2012). Zero is admissible
there in the dual as well, because |S_ij - 0| <= alpha. So the duality gap of the whole is the sum of those of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.solvers.base import Solver, SolverResult
from glasso_cli.solvers.components import SpanningTree, spanning_tree
from glasso_cli.solvers.path import PathPoint, point_of
from glasso_cli.solvers.problem import check_alpha
from glasso_cli.solvers.registry import SOLVERS
from glasso_cli.solvers.screening import (
    as_checked_covariance,
    get_solver,
    members_of,
    solved_one_by_one,
    threads_for,
)
from glasso_cli.solvers.small import SMALL, solve_small


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the neurons, and their covariance; it comes from :func:`as_checked_covariance`."""

    members: np.ndarray  # (k,) int64, increasing
    covariance: np.ndarray  # (k, k) float64

    @classmethod
    def of(cls, members: np.ndarray, covariance: np.ndarray) -> Part:
        """The part with a checked ``covariance (k, k)``; raises :class:`InputError` as :func:`check_problem` does."""
        return cls(members, as_checked_covariance(covariance, 1.0))

    @cached_property
    def tree(self) -> SpanningTree:
        """The maximum spanning tree of the covariance, which knows the components of every alpha."""
        return spanning_tree(self.covariance)


def fit_parts(
    parts: Sequence[Part],
    variance: np.ndarray,
    alphas: Iterable[float],
    *,
    solver: str = "newton",
    tol: float = 1e-7,
    max_iter: int = 1000,
    penalise_diagonal: bool = False,
    start: csr_array | None = None,
    after: PathPoint | None = None,
    done: Iterable[PathPoint] = (),
    on_point: Callable[[PathPoint], None] | None = None,
) -> list[PathPoint]:
    """A point at every alpha, in decreasing order, each started from the one before it, as :func:`fit_path` gives them.

    ``variance (p,)`` is that of all neurons; those in no part are isolated. Every covariance between two parts must be at
    most the smallest alpha in absolute value, or be left out on purpose: the certificate takes them to be so. The largest
    alpha starts from a precision ``start (p, p)``, or goes on ``after`` a point whose chain it continues. ``done`` and
    ``on_point`` are as in :func:`fit_path`; the points of ``done`` are those of the same parts. Raises
    :class:`InputError` for an unknown solver and a bad alpha.
    """
    run = get_solver(solver)
    known = {point.chain: point for point in done}
    points: list[PathPoint] = []
    ancestors: tuple[float, ...] = ()
    if after is not None:
        start, ancestors = after.precision(), after.chain
    wanted = sorted({float(alpha) for alpha in alphas}, reverse=True)
    for alpha in wanted:
        check_alpha(alpha)
    for alpha in wanted:
        point = known.get((*ancestors, alpha))
        if point is None:
            cost = alpha if penalise_diagonal else 0.0
            results = _results(parts, alpha, run, start, tol, max_iter, cost)
            point = point_of(alpha, variance + cost, results, tol, ancestors, penalise_diagonal)
            if on_point:
                on_point(point)
        points.append(point)
        start, ancestors = point.precision(), point.chain
    return points


def _results(
    parts: Sequence[Part],
    alpha: float,
    solver: Solver,
    start: csr_array | None,
    tol: float,
    max_iter: int,
    cost: float,
) -> Iterator[tuple[np.ndarray, SolverResult]]:
    """The members and the result of every component at ``alpha``, small parts first; a small part may stay whole."""
    compiled = solver is SOLVERS["newton"]
    for some in _by_size(parts):
        with threads_for(max((len(part.members) for part in some), default=0)):
            for part in some:
                small = _small(part, alpha, tol, cost) if compiled and len(part.members) <= SMALL else None
                if small is not None:
                    yield part.members, small
                    continue
                init = None if start is None else start[np.ix_(part.members, part.members)]
                blocks = members_of(part.tree.labels(alpha))
                solved = solved_one_by_one(
                    part.covariance, alpha, solver, blocks, init=init, tol=tol, max_iter=max_iter, on_diagonal=cost
                )
                for members, result in solved:
                    yield part.members[members], result


def _by_size(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The small parts, which are solved on one thread of BLAS each, and the others."""
    return [part for part in parts if len(part.members) <= SMALL], [part for part in parts if len(part.members) > SMALL]


def _small(part: Part, alpha: float, tol: float, cost: float) -> SolverResult | None:
    S = part.covariance
    if cost:
        S = S + cost * np.eye(len(S))
    return solve_small(S, alpha, tol)
