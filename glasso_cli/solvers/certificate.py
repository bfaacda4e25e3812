"""How far a precision matrix can be from the optimum: a duality gap that holds whatever solver found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from glasso_cli.linalg.cholesky import Inverse, invert, log_det
from glasso_cli.solvers.problem import Alpha, free_diagonal
from glasso_cli.solvers.rows import row_blocks


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


def _as_it_is(point: np.ndarray) -> None:
    """Other constraints there are none."""


def certificate(
    precision: np.ndarray,
    covariance: np.ndarray,
    alpha: Alpha,
    inverse: Inverse | None = None,
    enough: float = 0.0,
    units: np.ndarray | None = None,
    also: Callable[[np.ndarray], None] = _as_it_is,
) -> Certificate:
    """How far ``precision`` is from the optimum, proved by a feasible point of the dual problem.

    The dual maximises log det W + p over |W_ij - S_ij| <= alpha_ij, W_ii = S_ii, W positive definite
    (Banerjee, El Ghaoui and d'Aspremont, 2008), so any such W bounds the optimum from below. A gap of
    ``enough`` nats per neuron is not improved by further dual points. ``units`` are as in :func:`kkt_residual`; the
    objective and its gap are of the problem given (the gap is the same in all units). ``also`` moves a dual point, in
    place, to where other constraints hold too.
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
    Theta: np.ndarray, W: np.ndarray, S: np.ndarray, weights: Alpha, also: Callable[[np.ndarray], None]
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
    point = np.empty(S.shape)  # every point is built and factorised here
    for trust_signs in (True, False):
        _box_point(Theta, W, S, weights, trust_signs, point)
        also(point)
        log_determinant = log_det(point, overwrite=True)
        best = max(best, log_determinant)
        yield log_determinant
    if best == -np.inf:
        _segment_point(W, S, weights, point)
        also(point)
        yield log_det(point, overwrite=True)


def _box_point(
    Theta: np.ndarray, W: np.ndarray, S: np.ndarray, weights: np.ndarray, trust_signs: bool, point: np.ndarray
) -> None:
    for rows in row_blocks(len(S)):
        some = weights[rows]
        step = np.clip(W[rows] - S[rows], -some, some)
        if trust_signs:
            step = np.where(Theta[rows] != 0, np.copysign(some, Theta[rows]), step)
        np.add(S[rows], step, out=point[rows])
    np.fill_diagonal(point, S.diagonal())


def _segment_point(W: np.ndarray, S: np.ndarray, weights: np.ndarray, point: np.ndarray) -> None:
    scale = np.sqrt(S.diagonal() / W.diagonal())
    length = 1.0
    for rows in row_blocks(len(S)):
        step = W[rows] * np.outer(scale[rows], scale) - S[rows]
        np.fill_diagonal(step[:, rows], 0.0)
        point[rows] = step
        # entries the box does not bind: those that do not move, the diagonal among them
        moving = step != 0
        length = min(length, float((weights[rows][moving] / np.abs(step[moving])).min(initial=np.inf)))
    for rows in row_blocks(len(S)):
        point[rows] *= length
        point[rows] += S[rows]
