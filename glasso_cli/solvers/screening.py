"""Exact splitting of a graphical lasso problem into independent ones.

The connected components of the pairs with |S_ij| > alpha_ij are those of the solution (Witten, Friedman and
Simon, 2011; Mazumder and Hastie, 2012), so every component is a problem of its own. The certificate of the
whole is the exact sum of those of the parts: the blocks between components are zero in Theta and in W, and
that is admissible in the dual.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS
from glasso_cli.solvers.base import Alpha, Solver, SolverResult, check_problem, free_diagonal, free_variance, row_blocks
from glasso_cli.solvers.components import SpanningTree, labels
from glasso_cli.threads import numba_limited

Start: TypeAlias = np.ndarray | csr_array | None  # a precision (p, p); a sparse one is made dense block by block
_SMALL = 512  # neurons


def solve(
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    solver: str = "newton",
    init: np.ndarray | None = None,
    tol: float = 1e-7,
    max_iter: int = 1000,
    penalise_diagonal: bool = False,
) -> SolverResult:
    """The minimiser, each component solved apart by the named solver; ``n_iter`` is that of the longest.

    ``init`` is a precision ``(p, p)`` to start from. ``penalise_diagonal`` adds alpha sum_i Theta_ii to the
    objective: the same as alpha added to every variance. A matrix of weights says itself what the diagonal costs.
    Raises :class:`InputError` for an unknown solver and for what :func:`check_problem` refuses.
    """
    run = get_solver(solver)
    S = checked(covariance, alpha)
    if penalise_diagonal:
        S = with_larger_diagonal(S, alpha)
    return solve_checked(S, alpha, run, init=init, tol=tol, max_iter=max_iter)


def with_larger_diagonal(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """A copy with ``alpha`` on top of every variance: the problem with it is that of a penalised diagonal.

    Raises :class:`InputError` for a matrix of weights.
    """
    if isinstance(alpha, np.ndarray):
        raise InputError(
            "The weights say themselves what the diagonal costs.", "Put its cost on their diagonal instead."
        )
    larger = covariance.copy()
    larger.flat[:: len(larger) + 1] += alpha
    return larger


def get_solver(name: str) -> Solver:
    """The solver of that name; raises :class:`InputError` if there is none."""
    if name not in SOLVERS:
        raise InputError(f"There is no solver '{name}'.", f"Choose one of: {', '.join(SOLVERS)}.")
    return SOLVERS[name]


def checked(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The covariance ``(p, p)`` in float64, row-major and exactly symmetric; raises as :func:`check_problem` does.

    It is the array given where that is all so already.
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    check_problem(covariance, alpha)
    if not _is_symmetric(covariance):
        return _symmetric(covariance)
    return np.ascontiguousarray(covariance.T if covariance.flags.f_contiguous else covariance)


def _is_symmetric(S: np.ndarray) -> bool:
    return all((S[rows, rows.start :] == S[rows.start :, rows].T).all() for rows in row_blocks(len(S)))


def _symmetric(S: np.ndarray) -> np.ndarray:
    """The average of a matrix and its transpose."""
    average = np.empty(S.shape)
    for rows in row_blocks(len(S)):
        average[rows] = (S[rows] + S[:, rows].T) / 2
    return average


def solve_checked(
    covariance: np.ndarray,
    alpha: Alpha,
    solver: Solver,
    *,
    init: Start,
    tol: float,
    max_iter: int,
    tree: SpanningTree | None = None,
) -> SolverResult:
    """:func:`solve` for a covariance from :func:`checked`; ``tree`` is its spanning tree, if at hand."""
    blocks = _blocks(labels(covariance, alpha, tree))
    with _threads(max(map(len, blocks), default=0)):
        if len(blocks) == 1 and len(blocks[0]) == len(covariance):
            return solver(covariance, alpha, init=_start(covariance, alpha, init), tol=tol, max_iter=max_iter)
        parts = [_solve_block(covariance, alpha, members, solver, init, tol, max_iter) for members in blocks]
    return _whole(free_variance(covariance, alpha), blocks, parts, tol)


def _solve_block(
    covariance: np.ndarray,
    alpha: Alpha,
    members: np.ndarray,
    solver: Solver,
    init: Start,
    tol: float,
    max_iter: int,
) -> SolverResult:
    block = np.ix_(members, members)
    S = covariance[block]
    weights = alpha[block] if isinstance(alpha, np.ndarray) else alpha
    start = None if init is None else init[block]
    return solver(S, weights, init=_start(S, weights, start), tol=tol, max_iter=max_iter)


def _whole(variance: np.ndarray, blocks: list[np.ndarray], parts: list[SolverResult], tol: float) -> SolverResult:
    """The result for all neurons, whose certificate is the sum of those of the parts."""
    precision, inverse = np.diag(1 / variance), np.diag(variance)
    isolated = np.ones(len(variance), dtype=bool)
    for members, part in zip(blocks, parts):
        block = np.ix_(members, members)
        precision[block], inverse[block] = part.precision, part.covariance
        isolated[members] = False
    # an isolated neuron has Theta_ii = 1 / S_ii: objective log S_ii + 1, and no gap
    alone = float(np.log(variance[isolated]).sum()) + int(isolated.sum())
    gap = sum(part.duality_gap * len(members) for members, part in zip(blocks, parts)) / len(variance)
    return SolverResult(
        precision=precision,
        covariance=inverse,
        objective=alone + sum(part.objective for part in parts),
        duality_gap=gap,
        kkt_residual=max((part.kkt_residual for part in parts), default=0.0),
        n_iter=max((part.n_iter for part in parts), default=0),
        converged=gap <= tol,
        cost=dict(sum((Counter(part.cost) for part in parts), Counter())),
    )


@contextmanager
def _threads(largest: int) -> Iterator[None]:
    """No more threads than are allowed, and one BLAS thread for small blocks.

    A second one gains nothing there, and starves on a busy machine.
    """
    blas = 1 if largest <= _SMALL else None  # None: as many as now
    with numba_limited() if largest else nullcontext(), threadpool_limits(blas, user_api="blas"):
        yield


def _blocks(component: np.ndarray) -> list[np.ndarray]:
    """The neurons of every component of two or more, in increasing order."""
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(component))[:-1])
    return [members for members in groups if len(members) > 1]


def _start(S: np.ndarray, weights: Alpha, init: Start) -> np.ndarray | None:
    if _is_tree(S, weights):
        return _tree_solution(S, weights)
    return init.toarray() if isinstance(init, csr_array) else init


def _is_tree(S: np.ndarray, weights: Alpha) -> bool:
    """Whether a component has no cycle: p - 1 pairs above their weights."""
    weights = np.broadcast_to(weights, S.shape)
    links = -np.count_nonzero(S.diagonal() > weights.diagonal())
    for rows in row_blocks(len(S)):
        links += np.count_nonzero(np.abs(S[rows]) > weights[rows])
        if links > 2 * len(S):
            return False
    return bool(links == 2 * (len(S) - 1))


def _tree_solution(S: np.ndarray, weights: Alpha) -> np.ndarray | None:
    """The closed form for a component without cycles (Fattahi and Sojoudi, 2019).

    Exact where the other pairs stay admissible, which the certificate tells, and a good start elsewhere.
    """
    S, weights = free_diagonal(S, weights)
    W = np.sign(S) * np.maximum(np.abs(S) - weights, 0.0)
    np.fill_diagonal(W, 0.0)
    variance = S.diagonal()
    room = np.outer(variance, variance) - W**2
    if room.min() <= 0:
        return None  # a perfect correlation left unpenalised has no solution
    diagonal = (1 + (W**2 / room).sum(axis=1)) / variance
    return np.diag(diagonal) - W / room
