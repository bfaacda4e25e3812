"""Minimising the quadratic model where the signs are known: conjugate gradients on the entries that keep them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numba import get_num_threads
from scipy.sparse import csr_array

from glasso_cli.solvers.newton.coarse import Coarse, entries
from glasso_cli.solvers.newton.free_set import FreeSet, Symmetric, symmetric
from glasso_cli.solvers.newton.place import Products
from glasso_cli.solvers.newton.sandwich import sandwich

_SMALL = 0.01  # |Theta_ij| / sqrt(Theta_ii Theta_jj) below which the preconditioner does without an entry


@dataclass(frozen=True)
class Accuracy:
    """When conjugate gradients stop: at a share of the first residual, or after a number of iterations."""

    residual: float
    iterations: int


@dataclass(frozen=True, eq=False)
class Face:
    """The quadratic model on entries that keep their signs, the others of the free set being at zero."""

    products: Products
    p: int
    rows: np.ndarray  # (k,) int32
    cols: np.ndarray  # (k,) int32
    values: np.ndarray  # (k,) of Theta
    signs: np.ndarray  # (k,) 0 where any sign will do
    slope: np.ndarray  # (k,) of the model's linear part: gradient plus signed weight
    times: np.ndarray  # (k,) how often an entry stands in the matrix: 2 off the diagonal
    pattern: Symmetric
    Theta: csr_array  # (p, p) float32, without its small entries
    coarse: Coarse | None

    @classmethod
    def of(
        cls,
        products: Products,
        free: FreeSet,
        chosen: np.ndarray,
        signs: np.ndarray,
        leading: tuple[np.ndarray, np.ndarray] | None,
    ) -> Face:
        rows, cols, values = free.rows[chosen], free.cols[chosen], free.values[chosen]
        p = len(free.starts) - 1
        face = cls(
            products=products,
            p=p,
            rows=rows,
            cols=cols,
            values=values,
            signs=np.where(free.weights[chosen] > 0, signs, 0.0),
            slope=free.gradient[chosen] + free.weights[chosen] * signs,
            times=np.where(rows == cols, 1.0, 2.0),
            pattern=symmetric(rows, cols, p),
            Theta=without_small(free),
            coarse=None,
        )
        return face if leading is None else replace(face, coarse=face._coarse(leading))

    def on(self, some: np.ndarray) -> Face:
        """The face of some ``(k,)`` of its entries; the others go to zero."""
        rows, cols = self.rows[some], self.cols[some]
        return replace(
            self,
            rows=rows,
            cols=cols,
            values=self.values[some],
            signs=self.signs[some],
            slope=self.slope[some],
            times=self.times[some],
            pattern=symmetric(rows, cols, self.p),
            coarse=self.coarse and self.coarse.on(some),
        )

    def clipped(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step ``x (k,)`` ended at zero where an entry would change its sign, and which ``(k,)`` do not."""
        kept = (self.signs == 0) | (np.sign(self.values + x) == self.signs)
        return np.where(kept, x, -self.values), kept

    def preconditioned(self, residual: np.ndarray) -> np.ndarray:
        """About the inverse of the Hessian times ``residual (k,)``."""
        if self.coarse is None:
            return self._sandwich(residual)
        return self.coarse.after(self._sandwich(self.coarse.before(residual)))

    def dot(self, a: np.ndarray, b: np.ndarray) -> float:
        """The inner product of two symmetric matrices with these entries."""
        return float((self.times * a * b).sum())

    def _sandwich(self, values: np.ndarray) -> np.ndarray:
        """Theta X Theta on the entries of the face, for X with ``values`` on them."""
        return sandwich(self.Theta, self.pattern, self.rows, self.cols, values)

    def _coarse(self, leading: tuple[np.ndarray, np.ndarray]) -> Coarse:
        """Its stand-in for the preconditioner is the diagonal of that, at the scale of one product."""
        theta = self.Theta.diagonal().astype(np.float64)
        diagonal = theta[self.rows] * theta[self.cols] + np.where(self.times == 2, self.values**2, 0.0)
        probe = entries(self.rows, self.cols, leading[1], leading[1])
        diagonal *= self.dot(probe, self._sandwich(probe)) / self.dot(probe, diagonal * probe)
        return Coarse.of(leading, self.rows, self.cols, diagonal, get_num_threads())


@dataclass(eq=False)
class Search:
    """Conjugate gradients for the model on a face, to be continued on a smaller one."""

    face: Face
    x: np.ndarray  # (k,) the step
    residual: np.ndarray  # (k,)
    size_at_first: float  # of the first preconditioned residual, squared

    @classmethod
    def begin(cls, face: Face, x: np.ndarray, image: np.ndarray, size_at_first: float = 0.0) -> Search:
        """From the step ``x (k,)`` with ``image``, the Hessian times the whole step on the face."""
        return cls(face, x, -(face.slope + image), size_at_first)

    def run(self, iterations: int, accuracy: float, cost: Counter[str]) -> None:
        """Go on until the residual is ``accuracy`` times the first one, or for at most this many iterations."""
        face, residual = self.face, self.residual
        direction = preconditioned = face.preconditioned(residual)
        size = face.dot(residual, preconditioned)
        self.size_at_first = self.size_at_first or size
        for _ in range(iterations):
            if size <= accuracy**2 * self.size_at_first:
                break
            image = face.products.product(face.pattern, face.rows, face.cols, direction)
            cost["n_products"] += 1
            curvature = face.dot(direction, image)
            if curvature <= 0:  # only by rounding
                break
            length = size / curvature
            self.x = self.x + length * direction
            residual = residual - length * image
            preconditioned = face.preconditioned(residual)
            before, size = size, face.dot(residual, preconditioned)
            direction = preconditioned + (size / before) * direction
        self.residual = residual


def without_small(free: FreeSet) -> csr_array:
    """Theta ``(p, p)`` float32 without entries that are small beside their diagonal, for the preconditioner.

    Their sizes, added to the diagonal, keep it positive definite: what is added is diagonally dominant.
    """
    theta = free.values[free.starts[:-1]]
    root = np.sqrt(theta)
    large = np.abs(free.values) > _SMALL * root[free.rows] * root[free.cols]
    lost = np.where(large, 0.0, np.abs(free.values))
    values = free.values.copy()
    values[free.starts[:-1]] += np.bincount(free.rows, lost, len(theta)) + np.bincount(free.cols, lost, len(theta))
    return free.pattern_of(np.flatnonzero(large)).matrix(values)
