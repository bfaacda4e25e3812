"""The graphical lasso as a problem: what its covariance and penalty must satisfy."""

from __future__ import annotations

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.linalg.cholesky import log_det
from glasso_cli.solvers.rows import row_blocks

Alpha = float | np.ndarray


def alpha_max(covariance: np.ndarray) -> float:
    """The largest absolute off-diagonal entry: from this alpha on every neuron is isolated."""
    largest = 0.0
    for rows in row_blocks(len(covariance)):
        size = np.abs(covariance[rows])
        np.fill_diagonal(size[:, rows], 0.0)
        largest = max(largest, float(size.max()))
    return largest


def check_problem(covariance: np.ndarray, alpha: Alpha) -> None:
    """Raise :class:`InputError` unless this is a graphical lasso problem with a solution.

    Rounding of a float32 covariance is forgiven, in its symmetry and in its smallest eigenvalue.
    """
    _check_covariance(covariance)
    if np.ndim(alpha) == 0:
        check_alpha(alpha)
    else:
        _check_weights(np.asarray(alpha), len(covariance))


def check_alpha(alpha: Alpha) -> None:
    """Raise :class:`InputError` unless ``alpha`` is a positive number."""
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
