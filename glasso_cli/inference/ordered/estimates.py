"""Coefficients that the penalty has not pulled towards zero, so that their errors are known.

T = b + M (r - R b) removes the bias of the lasso b to first order (van de Geer, Buehlmann, Ritov and Dezeure, 2014; Javanmard
and Montanari, 2014). Here r ``(k,)`` are the correlations of a target with its k predictors, R ``(k, k)`` those of the
predictors, and M is an estimate of the inverse of R. With the inverse itself, T = M r is the least-squares estimate, whatever
b is. With too few effective tokens for that, M is a graphical lasso fit to the predictors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.errors import InputError
from glasso_cli.inference.debiased import product
from glasso_cli.linalg.cholesky import invert


@dataclass(frozen=True, eq=False)
class StepEstimate:
    """Coefficients T ``(m, k)`` of m targets on k predictors, and what their errors follow from.

    ``theta (k, k)`` and ``lasso (m, k)`` are M and b; both are None where M is the inverse.
    """

    T: np.ndarray
    residual: np.ndarray  # (m,) variance of the residual of each target, over that of the target
    variance: np.ndarray  # (k,) of (M z)_i for standardised predictors z
    precision: np.ndarray  # (k,) diagonal entries of the inverse of R, estimated
    theta: csr_array | None
    lasso: csr_array | None

    @property
    def fitted(self) -> int:
        """Predictors that each target was regressed on without a penalty: so many tokens are used up."""
        return self.T.shape[1] if self.theta is None else 0

    @property
    def scale(self) -> np.ndarray:
        """``(m, k)``: T over this is rho / sqrt(1 - rho^2) for the partial correlation rho given all other predictors."""
        return np.asarray(np.sqrt(np.multiply.outer(self.residual, self.precision)))


def least_squares(R: np.ndarray, r: np.ndarray) -> StepEstimate:
    """The estimate by the inverse of R ``(k, k)``, for correlations r ``(m, k)`` of the targets with the predictors.

    Raises :class:`InputError` if R is singular.
    """
    with numba_limited():
        inverse = invert(R)
    if inverse is None:
        raise InputError(
            "The correlation matrix of the earlier layers is singular, so least squares has no single answer.",
            "Set fit.estimate: lasso, or leave out neurons that are sums of others.",
        )
    M = inverse.matrix
    T = r @ M
    diagonal = np.array(M.diagonal())
    return StepEstimate(T, _positive(1 - np.einsum("mk,mk->m", T, r)), diagonal, diagonal, None, None)


def debiased_lasso(R: np.ndarray, r: np.ndarray, lasso: csr_array, theta: csr_array) -> StepEstimate:
    """The estimate from the lasso coefficients b ``(m, k)`` and a sparse estimate M ``(k, k)`` of the inverse of R."""
    onto = product(lasso, R)  # b R, a row for every target
    left = r - onto
    T = lasso.toarray() + product(theta, np.ascontiguousarray(left.T)).T
    residual = 1 - np.asarray(lasso.multiply(2 * r - onto).sum(axis=1)).ravel()
    half = product(theta, R)
    variance = np.asarray(theta.multiply(half).sum(axis=1)).ravel()  # of M R M, the diagonal
    precision = _positive(2 * theta.diagonal() - variance)
    return StepEstimate(T, _positive(residual), _positive(variance), precision, theta, lasso)


def _positive(values: np.ndarray) -> np.ndarray:
    """``values`` with a floor for what rounding, or an estimate, puts at zero or below."""
    return np.asarray(np.maximum(values, 1e-12))
