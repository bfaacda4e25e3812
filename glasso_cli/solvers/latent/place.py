"""Newton steps for the problem of Theta alone that is left when L is the best one for each Theta.

Its Hessian is not W (x) W: L gives way. In the basis U of :class:`FactorInverse`, where D is U' D U, an entry ij of the
Hessian is b_i b_j less a surplus: 0 where both b are at most 1, all of it where both are above 1, and
b_j (b_j - 1) / (b_j - b_i) where only b_j is. That is two products with a ``(p, r)`` matrix for L of rank r.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.linalg.products import multiply
from glasso_cli.solvers.latent.best_factors import BestFactors, FactorInverse, best_factors
from glasso_cli.solvers.newton.coarse import entries
from glasso_cli.solvers.newton.free_set import Symmetric
from glasso_cli.solvers.newton.place import Products


class FactorPlace:
    """:class:`glasso_cli.solvers.newton.place.Place` for a covariance S and weights of the trace of L, on the host."""

    def __init__(self, S: np.ndarray, trace_weights: np.ndarray) -> None:
        self._S, self._trace_weights = S, trace_weights

    def errors(self, p: int) -> AbstractContextManager[None]:
        """See :class:`Place`."""
        return nullcontext()

    def isolated(self, p: int) -> Inverse:
        """See :class:`Place`."""
        best = self.factorise(np.eye(p), np.float64)
        assert best is not None
        return best.inverse()

    def factorise(self, matrix: np.ndarray, dtype: type[np.floating]) -> BestFactors | None:
        """See :class:`Place`."""
        return best_factors(matrix, self._S, self._trace_weights, dtype)

    def products(self, p: int) -> Products:
        """See :class:`Place`."""
        from glasso_cli.solvers.newton.products import Panels

        return FactorProducts(Panels(p))


class FactorProducts:
    """:class:`glasso_cli.solvers.newton.place.Products` less what L gives way."""

    def __init__(self, panels: Products) -> None:
        self._panels = panels

    def load(self, inverse: Inverse) -> np.ndarray:
        """See :class:`Products`."""
        assert isinstance(inverse, FactorInverse)
        self._basis = np.ascontiguousarray(inverse.basis, dtype=np.float32)
        r, b = inverse.rank, inverse.values
        self._leading = np.ascontiguousarray(self._basis[:, :r])
        above = b[:r, None]
        surplus = np.empty((r, len(b)), dtype=np.float32)
        surplus[:, :r] = above * b[None, :r] / 2  # counted from both sides
        surplus[:, r:] = above * (above - 1) / (above - b[None, r:])
        self._surplus = surplus
        return self._panels.load(inverse)

    def add_low_rank(self, left: np.ndarray, right: np.ndarray) -> None:
        """See :class:`Products`."""
        self._panels.add_low_rank(left, right)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """Theta^-1 V, ``(p, k)`` float32."""
        return multiply(self._basis, multiply(self._basis.T, vectors))

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The Hessian times D on entries ``(m,)``, for the D that has ``values`` on ``pattern``."""
        whole = self._panels.product(pattern, rows, cols, values)
        surplus = self.surplus(pattern, rows, cols, values)
        return whole if surplus is None else whole - surplus

    def surplus(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """See :class:`Products`."""
        if not self._leading.shape[1]:
            return None
        seen = multiply((pattern.matrix(values) @ self._leading).T, self._basis)
        seen *= self._surplus
        other = multiply(self._basis, seen.T)
        return entries(rows, cols, np.hstack([self._leading, other]), np.hstack([other, self._leading]))
