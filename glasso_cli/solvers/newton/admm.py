"""The alternating direction method of multipliers, for problems on which Newton steps fall short.

It splits the objective into f(Omega) = tr(S Omega) - log det Omega and the penalty of Z, with Omega = Z (Boyd, Parikh, Chu,
Peleato and Eckstein, 2011, section 6.5). An iteration costs one eigendecomposition, whatever the condition of the problem.
It trusts no model of the objective, so it gets to the answer where such a model is hard to minimise.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from scipy.linalg import eigh

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.problem import Problem

STRETCH = 10  # iterations from one point offered to the next
_ADAPTED = 200  # rho stays fixed from this iteration on, where the method is known to converge
_CHANGE = 5.0  # factor by which rho changes at most


class Splitting:
    """The state of the method: Z is sparse, and rho U is the dual variable."""

    def __init__(self, problem: Problem) -> None:
        self._S, self._weights = problem.S, problem.weights
        self._rho = 1.0  # the natural step for a correlation
        self._n_iter = 0
        self._primal, self._dual = 1.0, 1.0  # sizes of the residuals

    def start(self, Theta: np.ndarray, inverse: Inverse) -> None:
        """Go on from Theta ``(p, p)``."""
        self._Z, self._U = Theta.copy(), np.empty_like(Theta)
        _dual_of(self._S, inverse.matrix, self._weights, self._rho, self._U)

    def advance(self) -> np.ndarray:
        """Z ``(p, p)`` after ``STRETCH`` iterations: symmetric with exact zeros, though it need not be positive definite.

        The next call changes it.
        """
        S, Z, U = self._S, self._Z, self._U
        if 0 < self._n_iter <= _ADAPTED:
            factor = _balance(self._primal, self._dual, Z, S)
            self._rho *= factor
            U /= factor
        for _ in range(STRETCH):
            Omega = _likely(S, Z, U, self._rho)
            primal, change = np.sqrt(_shrink(Omega, self._weights, self._rho, Z, U).sum(axis=1))
        self._primal, self._dual = float(primal), float(self._rho * change)
        self._n_iter += STRETCH
        return np.asarray(Z)


def _likely(S: np.ndarray, Z: np.ndarray, U: np.ndarray, rho: float) -> np.ndarray:
    """The minimiser of f(Omega) + rho / 2 |Omega - Z + U|^2, by the eigenvalues of rho (Z - U) - S."""
    work = Z - U
    work *= rho
    work -= S
    values, vectors = eigh(work, overwrite_a=True, check_finite=False, driver="evd")
    root = np.sqrt(values**2 + 4 * rho)
    # (values + root) / (2 rho), without the difference of two large numbers
    roots = np.where(values > 0, (values + root) / (2 * rho), 2 / (root - np.minimum(values, 0.0)))
    vectors *= np.sqrt(roots)
    return np.asarray(vectors @ vectors.T)


@njit(parallel=True, cache=True)
def _dual_of(S: np.ndarray, W: np.ndarray, weights: np.ndarray, rho: float, U: np.ndarray) -> None:
    """rho ``U`` becomes W - S as far as the weights allow: at the answer, it is that."""
    for i in prange(len(S)):
        for j in range(len(S)):
            w = weights[i, j]
            U[i, j] = 0.0 if i == j else min(max(W[i, j] - S[i, j], -w), w) / rho


@njit(parallel=True, cache=True)
def _shrink(Omega: np.ndarray, weights: np.ndarray, rho: float, Z: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Z and U after Omega, in place; of every row ``(2, p)`` the squares of Omega - Z and of the change of Z.

    The diagonal has no penalty. The upper triangle is copied to the lower one.
    """
    p = len(Z)
    squares = np.zeros((2, p))
    for i in prange(p):
        for j in range(i, p):
            before, target = Z[i, j], Omega[i, j] + U[i, j]
            limit = weights[i, j] / rho if i != j else 0.0
            after = target - limit if target > limit else target + limit if target < -limit else 0.0
            Z[i, j] = Z[j, i] = after
            U[i, j] = U[j, i] = target - after
            times = 1.0 if i == j else 2.0
            squares[0, i] += times * (Omega[i, j] - after) ** 2
            squares[1, i] += times * (after - before) ** 2
    return squares


def _balance(primal: float, dual: float, Z: np.ndarray, S: np.ndarray) -> float:
    """The factor on rho that makes the residuals equal, each beside the size of its matrix (Wohlberg, 2017)."""
    ratio = primal / np.linalg.norm(Z) / max(dual / float(np.linalg.norm(S)), 1e-100)
    return float(np.clip(np.sqrt(ratio), 1 / _CHANGE, _CHANGE))
