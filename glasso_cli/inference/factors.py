"""Hidden factors: the few directions along which all neurons move together.

Position, frequency and the norm of the residual stream move thousands of neurons at once. A sparse graph has to spend
edges on that. The leading principal components show how much of the correlation it is, and can be taken out first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError

_SPARE = 8  # further directions iterated with the wanted ones: the gap to the last decides the speed
_ITERATIONS = 300
_TOLERANCE = 1e-7  # of an eigenvalue, relative to the largest


@dataclass(frozen=True, eq=False)
class Factors:
    """The k leading principal components of a correlation matrix of p neurons."""

    vectors: np.ndarray  # (p, k), orthonormal
    variances: np.ndarray  # (k,) eigenvalues; all p of them sum to p
    share: float  # of the sum of squared correlations of pairs, that the components found account for

    @property
    def variance_explained(self) -> np.ndarray:
        """Share of the total variance of each, ``(k,)``."""
        explained: np.ndarray = self.variances / len(self.vectors)
        return explained

    def first(self, count: int, correlation: np.ndarray) -> Factors:
        """The ``count`` leading ones of these, which are of ``correlation (p, p)``."""
        vectors, variances = self.vectors[:, :count], self.variances[:count]
        return Factors(vectors, variances, _share(correlation, vectors, variances))

    def top_neurons(self, component: int, count: int) -> np.ndarray:
        """The neurons that load most on one component, strongest first."""
        return np.argsort(-np.abs(self.vectors[:, component]), kind="stable")[:count]


def leading_factors(correlation: np.ndarray, count: int, seed: int = 0) -> Factors:
    """The ``count`` leading components of ``correlation (p, p)``, by subspace iteration from ``seed``.

    Signs are such that the largest loading is positive. Raises :class:`InputError` for a count of p or more.
    """
    p = len(correlation)
    if not 0 < count < p:
        raise InputError(f"{count} factors cannot be taken out of {p} neurons.", f"Take 1 to {p - 1}.")
    width = min(p, count + _SPARE)
    product = np.random.default_rng([seed, 0xFAC7]).standard_normal((p, width))
    before = np.zeros(count)
    for _ in range(_ITERATIONS):
        vectors = np.linalg.qr(product)[0]
        product = correlation @ vectors
        values, turn = np.linalg.eigh(vectors.T @ product)
        vectors, values = vectors @ turn[:, ::-1], values[::-1]
        if np.abs(values[:count] - before).max() <= _TOLERANCE * values[0]:
            break
        before = values[:count]
    vectors, values = vectors[:, :count], values[:count]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(count)])
    return Factors(vectors, values, _share(correlation, vectors, values))


def _share(correlation: np.ndarray, vectors: np.ndarray, values: np.ndarray) -> float:
    """1 - sum of squares off the diagonal of R - U diag(v) U' over that of R."""
    total = float(np.vdot(correlation, correlation) - (correlation.diagonal() ** 2).sum())
    if total <= 0:
        return 0.0
    own = (vectors**2) @ values
    # sum_ij (R - M)_ij^2 = |R|^2 - 2 tr(R M) + |M|^2, and R M = U diag(v^2) U' for eigenvectors U of R
    rest = float(np.vdot(correlation, correlation)) - float((values**2).sum())
    rest -= float(((correlation.diagonal() - own) ** 2).sum())
    return float(np.clip(1 - rest / total, 0.0, 1.0))
