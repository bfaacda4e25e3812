"""Problems of a few dozen neurons, of which a large fit has tens of thousands: compiled, with the certificate of all solvers.

The block coordinate descent of Friedman, Hastie and Tibshirani (2008): each column of W is a lasso. It converges fast for few
neurons, and one call costs a hundredth of what it takes to set a Newton step up.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from glasso_cli.solvers.base import SolverResult, certified, symmetric_support

SMALL = 48  # neurons
_SWEEPS = 1_000  # over all columns, at most
_INNER = 1_000  # over the entries of a column, at most
_CHANGE = 1e-12  # of W and of a column, at which they have converged, in correlations


def solve_small(covariance: np.ndarray, alpha: float, tol: float) -> SolverResult | None:
    """The certified minimiser for a ``covariance (k, k)`` with k up to ``SMALL``; None where descent does not reach ``tol``."""
    scale = np.sqrt(covariance.diagonal())
    weights = alpha / np.multiply.outer(scale, scale)
    Theta = np.empty(covariance.shape)
    sweeps = _descend(covariance / np.multiply.outer(scale, scale), weights, Theta)
    if not np.isfinite(Theta).all():
        return None
    precision = symmetric_support(Theta) / np.multiply.outer(scale, scale)
    result = certified(precision, covariance, alpha, tol=tol, n_iter=sweeps)
    return result if result.converged else None


@njit(cache=True)
def _descend(S: np.ndarray, weights: np.ndarray, Theta: np.ndarray) -> int:
    """Fill ``Theta (k, k)`` for the correlation S; how many sweeps it took."""
    k = len(S)
    # 1. a dual point that is positive definite: as near to S as the box of the largest correlation allows
    share = 1.0
    for i in range(k):
        for j in range(i):
            if abs(S[i, j]) > weights[i, j]:
                share = min(share, weights[i, j] / abs(S[i, j]))
    W = S * (1 - share)
    for i in range(k):
        W[i, i] = S[i, i]
    # 2. column by column: the lasso of a neuron on all others gives its column of W
    B = np.zeros((k, k))
    fit = np.empty(k)
    sweeps = 0
    change = np.inf
    while change > _CHANGE and sweeps < _SWEEPS:
        change = 0.0
        sweeps += 1
        for j in range(k):
            b = B[j]
            for i in range(k):
                fit[i] = 0.0
            for m in range(k):
                if b[m] != 0.0:
                    for i in range(k):
                        fit[i] += W[i, m] * b[m]
            for _ in range(_INNER):
                moved = 0.0
                for i in range(k):
                    if i != j:
                        rest = S[i, j] - fit[i] + W[i, i] * b[i]
                        new = (max(rest - weights[i, j], 0.0) - max(-rest - weights[i, j], 0.0)) / W[i, i]
                        step = new - b[i]
                        if step != 0.0:
                            b[i] = new
                            moved = max(moved, abs(step))
                            for m in range(k):
                                fit[m] += W[m, i] * step
                if moved <= _CHANGE:
                    break
            for i in range(k):
                if i != j:
                    change = max(change, abs(W[i, j] - fit[i]))
                    W[i, j] = W[j, i] = fit[i]
    # 3. the precision of each neuron given its regression on the others
    for j in range(k):
        left = W[j, j]
        for i in range(k):
            if i != j:
                left -= W[i, j] * B[j, i]
        for i in range(k):
            Theta[i, j] = -B[j, i] / left
        Theta[j, j] = 1 / left
    return sweeps
