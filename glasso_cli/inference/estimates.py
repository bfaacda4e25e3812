"""Precision entries that the penalty has not pulled towards zero, so that their errors are known.

Where there are several effective tokens for every neuron, the inverse of the correlation matrix is such an estimate, of
partial correlations given *all* other neurons, whatever the graph. Where there are not, a sparse Theta at a small alpha is
taken instead and its bias removed: T = 2 Theta - Theta S Theta, the de-sparsified graphical lasso (Jankova and van de
Geer, 2015), which holds for graphs that are sparse. In both, an error dS of S moves T by -Theta dS Theta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.errors import InputError
from glasso_cli.inference.debiased import debiased, sandwich
from glasso_cli.linalg.cholesky import invert

ENOUGH = 3.0  # effective tokens per neuron from which the inverse is taken


@dataclass(frozen=True, eq=False)
class Estimate:
    """T ``(p, p)``, dense and symmetric, of p neurons, and the Theta ``(p, p)`` that carries its errors."""

    T: np.ndarray
    theta: csr_array | np.ndarray
    fitted: int  # neurons that every neuron was regressed on without a penalty: so many tokens are used up

    @property
    def diagonal(self) -> np.ndarray:
        """Of Theta, ``(p,)``."""
        return np.asarray(self.theta.diagonal())

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Entries of Theta between two groups of neurons, ``(a, b)``."""
        if isinstance(self.theta, np.ndarray):
            return np.asarray(self.theta[np.ix_(first, second)])
        return np.asarray(self.theta[first][:, second].toarray())

    def entries(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Entries of Theta of pairs, ``(m,)``."""
        if len(rows) == 0:  # of none a sparse matrix gives a matrix
            return np.zeros(0)
        return np.asarray(self.theta[rows, cols]).ravel()


def inverse_estimate(correlation: np.ndarray, overwrite: bool = False) -> Estimate:
    """T = Theta = the inverse of ``correlation (p, p)``, which it may ``overwrite``.

    Raises :class:`InputError` if it is singular.
    """
    with numba_limited():
        inverse = invert(correlation, overwrite)
    if inverse is None:
        raise InputError(
            "The correlation matrix is singular, so partial correlations given all other neurons do not exist.",
            "Set fit.estimate: lasso, or leave out neurons that are sums of others.",
        )
    T = inverse.matrix
    return Estimate(T, T, len(T))


def lasso_estimate(precision: csr_array, correlation: np.ndarray) -> Estimate:
    """The de-sparsified ``precision (p, p)``, a graphical lasso fit to ``correlation (p, p)``."""
    theta = csr_array(precision)
    return Estimate(debiased(theta, correlation), theta, 0)


def latent_estimate(precision: np.ndarray, factors: np.ndarray, correlation: np.ndarray) -> Estimate:
    """The de-sparsified Theta of a fit with hidden ``factors`` V ``(p, r)``, the low-rank part V V' held.

    The precision of the neurons is R = Theta - V V'; T = 2 R - R S R + V V'.
    """
    low_rank = factors @ factors.T
    R = precision - low_rank
    T = 2 * R - sandwich(R, correlation) + low_rank
    return Estimate(T, R, 0)


def alpha_for_tests(p: int, n_effective: float) -> float:
    """sqrt(log p / n), the penalty at which the errors of the lasso and its bias are of one size."""
    return math.sqrt(math.log(max(p, 2)) / n_effective)


def estimate_on(S: np.ndarray, precision: csr_array, factors: np.ndarray) -> Estimate:
    """The estimate of a fit to ``S (p, p)``: its sparse ``precision (p, p)``, and hidden ``factors (p, r)`` if any."""
    if factors.size:
        return latent_estimate(precision.toarray(), factors, S)
    return lasso_estimate(precision, S)
