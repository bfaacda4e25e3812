"""Exact splitting of a graphical lasso problem into independent ones.

The connected components of the pairs with |S_ij| > alpha_ij are those of the solution (Witten, Friedman and
Simon, 2011; Mazumder and Hastie, 2012), so every component is a problem of its own. The certificate of the
whole is the exact sum of those of the parts: the blocks between components are zero in Theta and in W, and
that is admissible in the dual.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from glasso_cli.engine.threads import numba_limited
from glasso_cli.errors import InputError
from glasso_cli.linalg import pages
from glasso_cli.solvers.base import Solver, SolverResult, Start
from glasso_cli.solvers.components import SpanningTree, labels
from glasso_cli.solvers.problem import Alpha, check_problem, free_diagonal, free_variance
from glasso_cli.solvers.registry import SOLVERS
from glasso_cli.solvers.rows import row_blocks

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
    S = as_checked_covariance(covariance, alpha)
    on_diagonal = _cost_of_diagonal(alpha) if penalise_diagonal else 0.0
    return solve_checked(S, alpha, run, init=init, tol=tol, max_iter=max_iter, on_diagonal=on_diagonal)


def _cost_of_diagonal(alpha: Alpha) -> float:
    if isinstance(alpha, np.ndarray):
        raise InputError(
            "The weights say themselves what the diagonal costs.", "Put its cost on their diagonal instead."
        )
    return alpha


def get_solver(name: str) -> Solver:
    """The solver of that name; raises :class:`InputError` if there is none."""
    if name not in SOLVERS:
        raise InputError(f"There is no solver '{name}'.", f"Choose one of: {', '.join(SOLVERS)}.")
    return SOLVERS[name]


def as_checked_covariance(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
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
    on_diagonal: float = 0.0,
) -> SolverResult:
    """:func:`solve` for a covariance from :func:`as_checked_covariance`.

    ``on_diagonal`` is as in :func:`solved_components`.
    """
    variance = free_variance(covariance, alpha) + on_diagonal
    summary = Summary.of_isolated(variance)
    cost: Counter[str] = Counter()
    blocks = []
    solved = solved_components(
        covariance, alpha, solver, init=init, tol=tol, max_iter=max_iter, on_diagonal=on_diagonal
    )
    for members, part in solved:
        if len(members) == len(covariance):
            return part
        summary.add(variance, members, part)
        cost.update(part.cost)
        blocks.append((members, csr_array(part.precision), part.covariance))  # sparse: there is room for one dense
        del part
    precision, inverse = _whole(variance, blocks)
    return SolverResult(
        precision=precision,
        covariance=inverse,
        objective=summary.objective,
        duality_gap=summary.duality_gap,
        kkt_residual=summary.kkt_residual,
        n_iter=summary.n_iter,
        converged=summary.duality_gap <= tol,
        cost=dict(cost),
    )


def solved_components(
    covariance: np.ndarray,
    alpha: Alpha,
    solver: Solver,
    *,
    init: Start,
    tol: float,
    max_iter: int,
    tree: SpanningTree | None = None,
    on_diagonal: float = 0.0,
) -> Iterator[tuple[np.ndarray, SolverResult]]:
    """The members, in increasing order, and the result of every component of two neurons or more.

    ``covariance`` is from :func:`as_checked_covariance`, and ``tree`` is its spanning tree, if at hand. ``on_diagonal``
    is the weight of the diagonal, where ``alpha`` is a number.
    """
    blocks = members_of(labels(covariance, alpha, tree))
    with threads_for(max(map(len, blocks), default=0)):
        yield from solved_one_by_one(
            covariance, alpha, solver, blocks, init=init, tol=tol, max_iter=max_iter, on_diagonal=on_diagonal
        )


def solved_one_by_one(
    covariance: np.ndarray,
    alpha: Alpha,
    solver: Solver,
    blocks: Iterable[np.ndarray],
    *,
    init: Start,
    tol: float,
    max_iter: int,
    on_diagonal: float = 0.0,
) -> Iterator[tuple[np.ndarray, SolverResult]]:
    """The same for ``blocks``, the members of the components. The caller limits threads with :func:`threads_for`."""
    for members in blocks:
        S, weights, start = _component(covariance, alpha, init, members, on_diagonal)
        if _is_tree(S, weights):
            start = _tree_solution(S, weights)
        own = S is not covariance
        yield members, solver(S, weights, init=start, tol=tol, max_iter=max_iter, overwrite_covariance=own)


def _component(
    covariance: np.ndarray, alpha: Alpha, init: Start, members: np.ndarray, on_diagonal: float
) -> tuple[np.ndarray, Alpha, Start]:
    """The covariance, the weights and the start of a component."""
    S = covariance
    if len(members) < len(covariance):
        block = np.ix_(members, members)
        S = _block(covariance, members)
        alpha = alpha[block] if isinstance(alpha, np.ndarray) else alpha
        init = None if init is None else init[block]
    elif on_diagonal:
        S = pages.copy(covariance)
    if on_diagonal:
        S.flat[:: len(S) + 1] += on_diagonal
    return S, alpha, init


def _block(matrix: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The rows and columns of some neurons."""
    block = pages.empty((len(members), len(members)))
    for rows in row_blocks(len(members)):
        block[rows] = matrix[np.ix_(members[rows], members)]
    return block


@dataclass
class Summary:
    """What the results of the components add up to, isolated neurons included."""

    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float = 0.0
    n_iter: int = 0  # of the longest

    @classmethod
    def of_isolated(cls, variance: np.ndarray) -> Summary:
        """All neurons isolated: Theta_ii = 1 / S_ii, objective log S_ii + 1 each, and no gap."""
        return cls(float(np.log(variance).sum()) + len(variance), 0.0)

    def add(self, variance: np.ndarray, members: np.ndarray, part: SolverResult) -> None:
        """Put the result of a component in place of its neurons, isolated so far."""
        self.objective += part.objective - float(np.log(variance[members]).sum()) - len(members)
        self.duality_gap += part.duality_gap * len(members) / len(variance)
        self.kkt_residual = max(self.kkt_residual, part.kkt_residual)
        self.n_iter = max(self.n_iter, part.n_iter)


def _whole(
    variance: np.ndarray, blocks: list[tuple[np.ndarray, csr_array, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """The precision and its inverse for all neurons, out of the members of each component, its precision and its inverse."""
    precision, inverse = np.diag(1 / variance), np.diag(variance)
    for members, part, part_inverse in blocks:
        entries = part.tocoo()
        precision[members[entries.row], members[entries.col]] = entries.data
        inverse[np.ix_(members, members)] = part_inverse
    return precision, inverse


@contextmanager
def threads_for(largest: int) -> Iterator[None]:
    """No more threads than are allowed, and one BLAS thread where the ``largest`` component is small.

    A second one gains nothing there, and starves on a busy machine.
    """
    blas = 1 if largest <= _SMALL else None  # None: as many as now
    with numba_limited() if largest else nullcontext(), threadpool_limits(blas, user_api="blas"):
        yield


def members_of(component: np.ndarray) -> list[np.ndarray]:
    """The neurons of every component of two or more, in increasing order."""
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(component))[:-1])
    return [members for members in groups if len(members) > 1]


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
    return np.asarray(np.diag(diagonal) - W / room)
