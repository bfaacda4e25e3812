"""The best low-rank part L for a given Theta, in closed form.

For Theta = C C', the minimiser over positive semidefinite L of

    -log det(Theta - L) + tr((M - S) L)

has the eigenvectors of B = C' (S - M) C: with B = Q diag(b) Q' it is C Q diag(max(0, 1 - 1/b)) Q' C'. (The same step is the one
of maximum likelihood in factor analysis, Joreskog 1967, where M is zero.) What is left is a problem of Theta alone. It is
convex, since it is a convex one minimised over some of its variables, and its gradient is S - (Theta - L)^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, lapack

from glasso_cli.linalg.cholesky import Inverse, factorise
from glasso_cli.linalg.products import multiply


@dataclass(frozen=True, eq=False)
class FactorInverse(Inverse):
    """W = (Theta - L)^-1 at the best L, in the basis U = C'^-1 Q in which Theta^-1 is I and W is max(b, 1).

    ``log_det`` is such that tr(S Theta) - ``log_det`` is the smooth part of the objective.
    """

    basis: np.ndarray  # U (p, p)
    values: np.ndarray  # b (p,), decreasing

    @property
    def rank(self) -> int:
        """Of L."""
        return int(np.count_nonzero(self.values > 1))

    @property
    def product_trace(self) -> float:
        """See :class:`Inverse`."""
        return float(np.maximum(self.values, 1).sum())


@dataclass(frozen=True, eq=False)
class BestFactors:
    """Theta = C C' and the best L = V V' for it."""

    lower: np.ndarray  # C (p, p), zero above the diagonal
    vectors: np.ndarray  # Q (p, p)
    values: np.ndarray  # b (p,), decreasing
    log_det: float  # log det(Theta - L) - tr((M - S) L)

    def inverse(self) -> FactorInverse:
        """W, with what the Hessian needs of L."""
        (trtrs,) = lapack.get_lapack_funcs(("trtrs",), (self.lower,))
        basis, _ = trtrs(self.lower, self.vectors, lower=1, trans=1)
        half = basis * np.sqrt(np.maximum(self.values, 1)).astype(basis.dtype)
        W = multiply(half, half.T)
        W += W.T.copy()
        W /= 2
        return FactorInverse(W, self.log_det, basis, self.values)

    def factors(self) -> np.ndarray:
        """V ``(p, r)``, strongest first."""
        b = self.values[self.values > 1]
        V = self.lower @ (self.vectors[:, : len(b)] * np.sqrt(1 - 1 / b))
        # the same L with orthogonal columns, which are its eigenvectors
        left, size, _ = np.linalg.svd(V, full_matrices=False)
        return np.asarray(left * size)


def best_factors(
    Theta: np.ndarray, S: np.ndarray, trace_weights: np.ndarray, dtype: type[np.floating] = np.float64
) -> BestFactors | None:
    """For ``Theta (p, p)``, the covariance ``S`` and M = diag(``trace_weights (p,)``); None unless Theta is positive definite."""
    factor = factorise(Theta, dtype, clean=True)
    if factor is None:
        return None
    lower = factor.lower
    less = S.astype(dtype)
    less.flat[:: len(S) + 1] -= trace_weights
    B = multiply(lower.T, multiply(less, lower))
    values, vectors = eigh(B, overwrite_a=True, check_finite=False, driver="evd")
    values, vectors = values[::-1].astype(np.float64), vectors[:, ::-1]
    b = values[values > 1]
    log_det = factor.log_det + float(
        (b - 1 - np.log(b)).sum()
    )  # tr((S - M) L) = sum (b - 1), log det(I - N) = -sum log b
    return BestFactors(lower, vectors, values, log_det)
