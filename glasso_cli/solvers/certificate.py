"""How far a precision matrix can be from the optimum: a duality gap that holds whatever solver found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from glasso_cli.linalg.cholesky import Inverse, invert, log_det
from glasso_cli.solvers.problem import Alpha, free_diagonal
from glasso_cli.solvers.rows import row_blocks

_COPIED = 512  # neurons up to which a copy of W costs less than to restore one of its triangles


@dataclass(frozen=True)
class Certificate:
    """How far a precision matrix is from the optimum, at most; infinite if not positive definite."""

    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float


def objective(precision: np.ndarray, covariance: np.ndarray, alpha: Alpha, inverse: Inverse | None = None) -> float:
    """The objective in nats; inf where Theta is not positive definite or breaks a forced zero.

    ``inverse`` is that of the precision, for a caller who has it already.
    """
    S, weights = free_diagonal(covariance, alpha)
    log_determinant = inverse.log_det if inverse else log_det(precision)
    return _fit_term(precision, S) - log_determinant + _penalty(precision, weights)


def kkt_residual(
    precision: np.ndarray,
    covariance: np.ndarray,
    alpha: Alpha,
    inverse: Inverse | None = None,
    units: np.ndarray | None = None,
) -> float:
    """The largest violation of an optimality condition, on the scale of ``alpha``; inf if not PD.

    G_ij = -alpha_ij sign(Theta_ij) where Theta_ij is not zero, |G_ij| <= alpha_ij elsewhere, G_ii = 0.
    ``units (p,)`` are what the variables were divided by, for violations in the units they had before.
    """
    inverse = inverse or invert(precision)
    if inverse is None:
        return np.inf
    S, weights = free_diagonal(covariance, alpha)
    weights = np.broadcast_to(weights, S.shape)
    squares = 1.0 if units is None else units**2
    worst = float((squares * np.abs(S.diagonal() - inverse.matrix.diagonal())).max())
    for rows in row_blocks(len(S)):
        some = weights[rows]
        gradient = S[rows] - inverse.matrix[rows]
        on_support = np.abs(gradient + np.copysign(some, precision[rows]))
        violation = np.where(precision[rows] != 0, on_support, np.abs(gradient) - some)
        np.fill_diagonal(violation[:, rows], 0.0)
        if units is not None:
            violation *= np.outer(units[rows], units)
        worst = max(worst, float(violation.max()))
    return worst


def certificate(
    precision: np.ndarray,
    covariance: np.ndarray,
    alpha: Alpha,
    inverse: Inverse | None = None,
    enough: float = 0.0,
    units: np.ndarray | None = None,
    also: Callable[[np.ndarray], None] | None = None,
) -> Certificate:
    """How far ``precision`` is from the optimum, proved by a feasible point of the dual problem.

    The dual maximises log det W + p over |W_ij - S_ij| <= alpha_ij, W_ii = S_ii, W positive definite
    (Banerjee, El Ghaoui and d'Aspremont, 2008), so any such W bounds the optimum from below. A gap of
    ``enough`` nats per neuron is not improved by further dual points. ``units`` are as in :func:`kkt_residual`; the
    objective and its gap are of the problem given (the gap is the same in all units). ``also`` moves a dual point, in
    place, to where other constraints hold too.

    Without ``also``, no more room ``(p, p)`` is taken: the dual points are made in the upper triangle of the inverse, and
    it is then restored from the lower one, to the bit.
    """
    inverse = inverse or invert(precision)
    if inverse is None:
        return Certificate(np.inf, np.inf, np.inf)
    value = objective(precision, covariance, alpha, inverse)
    S, weights = free_diagonal(covariance, alpha)
    p = len(S)
    best = -np.inf
    for log_determinant in _dual_log_dets(precision, inverse.matrix, S, weights, also):
        best = max(best, log_determinant)
        if value - best - p <= enough * p:
            break
    gap = max(0.0, value - best - p) / p  # the bound holds exactly, so what is below zero is rounding
    return Certificate(value, gap, kkt_residual(precision, covariance, alpha, inverse, units))


def _fit_term(precision: np.ndarray, S: np.ndarray) -> float:
    return float(np.vdot(S, precision))


def _penalty(precision: np.ndarray, weights: Alpha) -> float:
    """sum_{i != j} weights_ij |Theta_ij|, where an infinite weight on a zero entry costs nothing."""
    each = np.broadcast_to(weights, precision.shape)
    costs = np.empty(np.count_nonzero(precision))
    filled = 0
    for rows in row_blocks(len(precision)):
        some = precision[rows]
        off = some != 0
        np.fill_diagonal(off[:, rows], False)
        terms = np.abs(some[off]) * each[rows][off]
        costs[filled : filled + len(terms)] = terms
        filled += len(terms)
    return float(costs[:filled].sum())


def _dual_log_dets(
    Theta: np.ndarray, W: np.ndarray, S: np.ndarray, weights: Alpha, also: Callable[[np.ndarray], None] | None
) -> Iterator[float]:
    """log det of the dual points that Theta suggests, -inf where one is not positive definite.

    *Sign point*: the optimality conditions solved for W where they are equalities, S + alpha sign(Theta)
    on the support, and W clipped to the box elsewhere. Its gap is of second order in the error of Theta.
    *Box point*: W clipped to the box everywhere; its gap is of first order, but it does not trust the signs.
    *Segment point*: from S towards W with its diagonal rescaled to that of S, as far as the box goes:
    positive definite wherever S is semidefinite, so there is a bound far from the optimum too.
    """
    best = -np.inf
    weights = np.broadcast_to(weights, S.shape)
    for trust_signs in (True, False):
        with _made_of(W, whole=also is not None) as point:
            _to_box_point(Theta, S, weights, trust_signs, point)
            log_determinant = _log_det(point, also)
        best = max(best, log_determinant)
        yield log_determinant
    if best == -np.inf:
        with _made_of(W, whole=also is not None) as point:
            _to_segment_point(S, weights, point)
            log_determinant = _log_det(point, also)
        yield log_determinant


@contextmanager
def _made_of(W: np.ndarray, whole: bool) -> Iterator[np.ndarray]:
    """W ``(p, p)``, whose diagonal and upper triangle may be overwritten until the end; a copy if the ``whole`` may be."""
    from glasso_cli.linalg.mirror import mirror

    flags = W.flags
    if whole or len(W) <= _COPIED or not (flags.c_contiguous and flags.writeable and W.dtype == np.float64):
        yield W.astype(np.float64)
        return
    diagonal = W.diagonal().copy()
    try:
        yield W
    finally:
        mirror(W.T)
        np.fill_diagonal(W, diagonal)


def _log_det(point: np.ndarray, also: Callable[[np.ndarray], None] | None) -> float:
    """That of a dual point whose upper triangle is given, and destroyed."""
    from glasso_cli.linalg.mirror import mirror

    if also is not None:
        mirror(point)
        also(point)
    return log_det(point, overwrite=True)


def _to_box_point(Theta: np.ndarray, S: np.ndarray, weights: np.ndarray, trust_signs: bool, point: np.ndarray) -> None:
    """The upper triangle of ``point``, which is W so far, becomes that of the dual point."""
    for rows in row_blocks(len(S)):
        on = slice(rows.start, None)
        some = weights[rows, on]
        step = np.clip(point[rows, on] - S[rows, on], -some, some)
        if trust_signs:
            step = np.where(Theta[rows, on] != 0, np.copysign(some, Theta[rows, on]), step)
        step += S[rows, on]
        _put_above(point, rows, step)
    np.fill_diagonal(point, S.diagonal())


def _put_above(point: np.ndarray, rows: slice, values: np.ndarray) -> None:
    """Write some rows ``(k, p - start)`` of the upper triangle, diagonal included; what is below it stays."""
    k = len(values)
    block = point[rows, rows]
    np.copyto(block, values[:, :k], where=~np.tri(k, k=-1, dtype=bool))
    point[rows, rows.start + k :] = values[:, k:]


def _to_segment_point(S: np.ndarray, weights: np.ndarray, point: np.ndarray) -> None:
    """The same for the segment point."""
    scale = np.sqrt(S.diagonal() / point.diagonal())
    length = 1.0
    for rows in row_blocks(len(S)):
        on = slice(rows.start, None)
        step = point[rows, on] * np.outer(scale[rows], scale[on]) - S[rows, on]
        np.fill_diagonal(step, 0.0)
        _put_above(point, rows, step)
        # entries the box does not bind: those that do not move, the diagonal among them
        upper = np.triu(step)
        moving = upper != 0
        length = min(length, float((weights[rows, on][moving] / np.abs(upper[moving])).min(initial=np.inf)))
    for rows in row_blocks(len(S)):
        on = slice(rows.start, None)
        _put_above(point, rows, point[rows, on] * length + S[rows, on])
