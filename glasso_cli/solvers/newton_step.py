"""The direction of a Newton step: signs by a sweep of coordinate descent, values by conjugate gradients."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads

from glasso_cli.solvers.free_set import FreeSet, Symmetric, symmetric
from glasso_cli.solvers.products import multiply, panels_of, sample, sandwich, split, transpose, transpose_rows
from glasso_cli.solvers.sweep import sweep


@dataclass(frozen=True)
class Accuracy:
    """When conjugate gradients stop: at a share of the first residual, or after so many iterations."""

    residual: float
    iterations: int


class Workspace:
    """Float32 buffers for problems of p neurons: four times ``(p, p)``."""

    def __init__(self, p: int) -> None:
        self.W, self._product, self._transposed = panels_of(p), panels_of(p), panels_of(p)
        self._swept = np.empty((p, p), dtype=np.float32)
        self._threads = get_num_threads()

    def directions(self, W: np.ndarray, free: FreeSet, accuracy: Accuracy, cost: Counter[str]) -> list[np.ndarray]:
        """Steps ``(m,)`` on the free entries at inverse ``W (p, p)``, the better one first."""
        rows = W.astype(np.float32, copy=False)
        split(rows, self.W)
        swept = np.zeros(len(free.rows))
        sweep(rows, free.starts, free.cols, free.gradient, free.values, free.weights, swept, self._swept)
        cost["n_sweeps"] += 1
        end = free.values + swept
        chosen = np.flatnonzero((end != 0) | (free.weights == 0))
        face = _Face.of(self, free, chosen, np.sign(end[chosen]))
        step = swept.copy()
        step[chosen] = face.minimise(swept[chosen], accuracy, cost)
        crossed = (np.sign(free.values + step) != np.sign(end)) & (free.weights > 0)
        step[crossed] = -free.values[crossed]
        return [step, swept]

    # -- entries of W D W -----------------------------------------------------------------------------

    def after_sweep(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """W D W on entries, for the D of the sweep, whose product with W is known."""
        transpose_rows(self._swept, self._transposed)
        return self._sample(rows, cols)

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for D with ``values (m,)`` on the same entries, which form ``pattern``."""
        data = values.astype(np.float32)[pattern.entry]
        multiply(pattern.indptr, pattern.indices, data, self.W, self._product, self._threads)
        transpose(self._product, self._transposed)
        return self._sample(rows, cols)

    def _sample(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        out = np.empty(len(rows), dtype=np.float32)
        sample(rows, cols, self._transposed, self.W, out, self._threads)
        return out.astype(np.float64)

    def sandwich(self, face: _Face, values: np.ndarray) -> np.ndarray:
        """Theta X Theta on the entries of the face, for X with ``values`` on them."""
        out = np.empty(len(values), dtype=np.float32)
        x, outer = face.pattern, face.support
        data = values.astype(np.float32)[x.entry]
        sandwich(
            face.starts, face.cols, x.indptr, x.indices, data,
            outer.indptr, outer.indices, face.support_data, out, self._threads,
        )  # fmt: skip
        return out.astype(np.float64)


@dataclass(frozen=True)
class _Face:
    """The quadratic model where the entries predicted not to be zero keep their signs, and the others go to zero."""

    work: Workspace
    starts: np.ndarray  # (p + 1,) int64
    rows: np.ndarray  # (k,) int32
    cols: np.ndarray  # (k,) int32
    slope: np.ndarray  # (k,) of the model's linear part: gradient plus signed weight
    times: np.ndarray  # (k,) how often an entry stands in the matrix: 2 off the diagonal
    pattern: Symmetric
    support: Symmetric  # of Theta
    support_data: np.ndarray  # (nnz,) float32, Theta

    @classmethod
    def of(cls, work: Workspace, free: FreeSet, chosen: np.ndarray, signs: np.ndarray) -> _Face:
        p = len(free.starts) - 1
        rows, cols = free.rows[chosen], free.cols[chosen]
        held = np.flatnonzero(free.values != 0)
        support = symmetric(free.rows[held], free.cols[held], p)
        return cls(
            work=work,
            starts=np.searchsorted(rows, np.arange(p + 1)).astype(np.int64),
            rows=rows,
            cols=cols,
            slope=free.gradient[chosen] + free.weights[chosen] * signs,
            times=np.where(rows == cols, 1.0, 2.0),
            pattern=symmetric(rows, cols, p),
            support=support,
            support_data=free.values[held][support.entry].astype(np.float32),
        )

    def minimise(self, start: np.ndarray, accuracy: Accuracy, cost: Counter[str]) -> np.ndarray:
        """The minimiser ``(k,)`` by conjugate gradients from the sweep's step ``start (k,)``."""
        x = start.copy()
        residual = -(self.slope + self.work.after_sweep(self.rows, self.cols))
        preconditioned = self.work.sandwich(self, residual)
        direction = preconditioned
        size = first = self._dot(residual, preconditioned)
        for _ in range(accuracy.iterations):
            if size <= accuracy.residual**2 * first:
                break
            image = self.work.product(self.pattern, self.rows, self.cols, direction)
            cost["n_products"] += 1
            curvature = self._dot(direction, image)
            if curvature <= 0:  # only by rounding
                break
            length = size / curvature
            x += length * direction
            residual = residual - length * image
            preconditioned = self.work.sandwich(self, residual)
            before, size = size, self._dot(residual, preconditioned)
            direction = preconditioned + (size / before) * direction
        return x

    def _dot(self, a: np.ndarray, b: np.ndarray) -> float:
        return float((self.times * a * b).sum())
