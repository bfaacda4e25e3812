"""The graphical lasso problem, its optimality certificate, and the result every solver returns.

minimise  -log det Theta + tr(S Theta) + sum_{i != j} alpha_ij |Theta_ij|  over positive definite Theta,

where S is a covariance or correlation matrix and ``alpha`` is a number or a symmetric matrix of weights
``(p, p)``: 0 leaves an entry unpenalised, inf forces it to zero. The diagonal is penalised only where the
diagonal of the weights is not zero. Letters: W is the inverse of Theta, G = S - W the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.errors import InputError
from glasso_cli.linalg.cholesky import Inverse, invert, log_det

Alpha = float | np.ndarray
_CACHED = 1 << 15  # numbers in a block of rows


@dataclass(frozen=True, eq=False)
class SolverResult:
    """A sparse precision matrix with the certificate of how good it is."""

    precision: np.ndarray  # (p, p) float64, exactly symmetric, exact zeros
    covariance: np.ndarray  # (p, p) float64, the inverse of the precision
    objective: float  # nats
    duality_gap: float  # nats per neuron: the objective is at most p * duality_gap above the optimum
    kkt_residual: float  # largest violation of an optimality condition, on the scale of alpha
    n_iter: int
    converged: bool  # duality_gap <= tol, nothing else
    cost: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """How far a precision matrix is from the optimum, at most; infinite if not positive definite."""

    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float


Start: TypeAlias = np.ndarray | csr_array | None
"""A positive definite precision matrix ``(p, p)`` to begin with; None for isolated neurons."""

Solver = Callable[..., SolverResult]
"""``(covariance, alpha, *, init=None, tol=1e-7, max_iter=1000, overwrite_covariance=False) -> SolverResult``.

``init`` is a :data:`Start`, and the input is one that :func:`check_problem` accepts. A solver that is told that it may
overwrite the covariance can do with one buffer less."""


# -- the problem ----------------------------------------------------------------------------------


def alpha_max(covariance: np.ndarray) -> float:
    """The largest absolute off-diagonal entry: from this alpha on every neuron is isolated."""
    largest = 0.0
    for rows in row_blocks(len(covariance)):
        size = np.abs(covariance[rows])
        np.fill_diagonal(size[:, rows], 0.0)
        largest = max(largest, float(size.max()))
    return largest


def check_problem(covariance: np.ndarray, alpha: Alpha) -> None:
    """Nothing; raises :class:`InputError` unless this is a graphical lasso problem with a solution.

    Rounding of a float32 covariance is forgiven, in its symmetry and in its smallest eigenvalue.
    """
    _check_covariance(covariance)
    if np.ndim(alpha) == 0:
        check_alpha(alpha)
    else:
        _check_weights(np.asarray(alpha), len(covariance))


def check_alpha(alpha: Alpha) -> None:
    """Nothing; raises :class:`InputError` unless ``alpha`` is a positive number."""
    if not 0 < alpha < np.inf:
        raise InputError(f"alpha is {alpha}, not a positive number.", "Give an alpha above 0.")


def _check_covariance(S: np.ndarray) -> None:
    redo = "Give a covariance or correlation matrix of real numbers with one row per neuron."
    if S.ndim != 2 or S.shape[0] != S.shape[1] or S.size == 0:
        raise InputError(f"The covariance has shape {S.shape}, not (p, p).", redo)
    largest, asymmetry = _extremes(S)
    if not np.isfinite(largest):
        raise InputError("The covariance contains NaN or infinity.", redo)
    if asymmetry > 1e-6 * largest:
        raise InputError("The covariance is not symmetric.", redo)
    if float(S.diagonal().min()) <= 0:
        worst = int(S.diagonal().argmin())
        raise InputError(
            f"Neuron {worst} has variance {S[worst, worst]:.3g}, and no precision exists for it.",
            "Leave out neurons that never change.",
        )
    shift = 4 * np.sqrt(len(S)) * float(np.finfo(np.float32).eps) * largest
    if _shifted_log_det(S, shift) == -np.inf:
        raise InputError(
            "The covariance is not positive semidefinite: it has a clearly negative eigenvalue.",
            "Compute all its entries from the same samples.",
        )


def _extremes(S: np.ndarray) -> tuple[float, float]:
    """The largest entry and the largest difference of two that should be equal; infinite if an entry is not finite."""
    largest = asymmetry = 0.0
    for rows in row_blocks(len(S)):
        size = float(np.abs(S[rows]).max())
        if not np.isfinite(size):
            return np.inf, np.inf
        largest = max(largest, size)
        asymmetry = max(asymmetry, float(np.abs(S[rows, rows.start :] - S[rows.start :, rows].T).max()))
    return largest, asymmetry


def _shifted_log_det(S: np.ndarray, shift: float) -> float:
    """log det of S + shift I, in one buffer."""
    shifted = np.array(S, dtype=np.float64, order="C")
    shifted.flat[:: len(S) + 1] += shift
    return log_det(shifted, overwrite=True)


def _check_weights(weights: np.ndarray, p: int) -> None:
    fix = "Give a symmetric (p, p) array of non-negative weights; inf forces an entry to zero."
    if weights.shape != (p, p):
        raise InputError(f"The weights have shape {weights.shape}, not ({p}, {p}).", fix)
    if np.isnan(weights).any() or (weights < 0).any():
        raise InputError("The weights contain NaN or a negative number.", fix)
    if (weights != weights.T).any():
        raise InputError("The weights are not symmetric.", fix)
    if np.isinf(weights.diagonal()).any():
        raise InputError("The weights force a diagonal entry of the precision to zero.", fix)


def free_diagonal(covariance: np.ndarray, alpha: Alpha) -> tuple[np.ndarray, Alpha]:
    """The equal problem whose diagonal is not penalised: weights d on it are S + diag(d) without them."""
    if np.ndim(alpha) == 0:
        return covariance, float(alpha)
    weights = np.asarray(alpha, dtype=np.float64)
    diagonal = weights.diagonal()
    if diagonal.any():
        covariance = covariance + np.diag(diagonal)
        weights = weights.copy()
        np.fill_diagonal(weights, 0.0)
    return covariance, weights


def free_variance(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The diagonal ``(p,)`` of the covariance that :func:`free_diagonal` gives."""
    diagonal = covariance.diagonal()
    return diagonal + alpha.diagonal() if isinstance(alpha, np.ndarray) else diagonal


# -- the certificate ------------------------------------------------------------------------------


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
) -> Certificate:
    """How far ``precision`` is from the optimum, proved by a feasible point of the dual problem.

    The dual maximises log det W + p over |W_ij - S_ij| <= alpha_ij, W_ii = S_ii, W positive definite
    (Banerjee, El Ghaoui and d'Aspremont, 2008), so any such W bounds the optimum from below. A gap of
    ``enough`` nats per neuron is not improved by further dual points. ``units`` are as in :func:`kkt_residual`; the
    objective and its gap are of the problem given (the gap is the same in all units).
    """
    inverse = inverse or invert(precision)
    if inverse is None:
        return Certificate(np.inf, np.inf, np.inf)
    value = objective(precision, covariance, alpha, inverse)
    S, weights = free_diagonal(covariance, alpha)
    p = len(S)
    best = -np.inf
    for log_determinant in _dual_log_dets(precision, inverse.matrix, S, weights):
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
        found = np.abs(some[off]) * each[rows][off]
        costs[filled : filled + len(found)] = found
        filled += len(found)
    return float(costs[:filled].sum())


def _dual_log_dets(Theta: np.ndarray, W: np.ndarray, S: np.ndarray, weights: Alpha) -> Iterator[float]:
    """log det of the dual points that Theta suggests, -inf where one is not positive definite.

    *Sign point*: the optimality conditions solved for W where they are equalities, S + alpha sign(Theta)
    on the support, and W clipped to the box elsewhere. Its gap is of second order in the error of Theta.
    *Box point*: W clipped to the box everywhere; its gap is of first order, but it does not trust the signs.
    *Segment point*: from S towards W with its diagonal rescaled to that of S, as far as the box goes:
    positive definite wherever S is semidefinite, so there is a bound far from the optimum too.
    """
    found = -np.inf
    weights = np.broadcast_to(weights, S.shape)
    point = np.empty(S.shape)  # every point is built and factorised here
    for trust_signs in (True, False):
        _box_point(Theta, W, S, weights, trust_signs, point)
        log_determinant = log_det(point, overwrite=True)
        found = max(found, log_determinant)
        yield log_determinant
    if found == -np.inf:
        _segment_point(W, S, weights, point)
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


def row_blocks(p: int) -> Iterator[slice]:
    """Rows few enough that temporary copies of them stay in cache."""
    size = max(1, _CACHED // p)
    return (slice(start, start + size) for start in range(0, p, size))


# -- from a precision matrix to a result ----------------------------------------------------------


def certified(
    precision: np.ndarray,
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    tol: float,
    n_iter: int,
    cost: dict[str, int] | None = None,
) -> SolverResult:
    """The result that a finite symmetric ``precision`` amounts to.

    One that is not positive definite is first moved, by halves, towards the isolated neurons.
    """
    precision, inverse = _definite(precision, covariance, alpha)
    proof = certificate(precision, covariance, alpha, inverse)
    return SolverResult(
        precision=precision,
        covariance=inverse.matrix,
        objective=proof.objective,
        duality_gap=proof.duality_gap,
        kkt_residual=proof.kkt_residual,
        n_iter=n_iter,
        converged=proof.duality_gap <= tol,
        cost=dict(cost or {}),
    )


def _definite(precision: np.ndarray, covariance: np.ndarray, alpha: Alpha) -> tuple[np.ndarray, Inverse]:
    keep, candidate = 1.0, precision
    while (inverse := invert(candidate)) is None:
        keep /= 2
        candidate = keep * precision + (1 - keep) * diagonal_start(covariance, alpha)
    return candidate, inverse


def dense_start(init: Start, covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The precision ``(p, p)`` that a solver is to start from."""
    if init is None:
        return diagonal_start(covariance, alpha)
    return init.toarray() if isinstance(init, csr_array) else init


def diagonal_start(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The precision ``(p, p)`` of isolated neurons: the optimum from ``alpha_max`` on."""
    return np.diag(1.0 / free_variance(covariance, alpha))


def symmetric_support(matrix: np.ndarray) -> np.ndarray:
    """The average of a matrix and its transpose, exactly zero where either is."""
    return np.where((matrix != 0) & (matrix.T != 0), (matrix + matrix.T) / 2, 0.0)
