"""The entries of the precision matrix that may change in a Newton step, and the symmetric pattern they form.

Free are the entries that are not zero, the zeros whose gradient exceeds their weight, and the diagonal. Only
the upper triangle is kept, row by row: ``rows <= cols``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Symmetric:
    """The pattern of a symmetric matrix in CSR form; ``entry`` is each one's place in the upper triangle."""

    indptr: np.ndarray  # (p + 1,) int64
    indices: np.ndarray  # (nnz,) int32, increasing in every row
    entry: np.ndarray  # (nnz,) int32

    def matrix(self, values: np.ndarray) -> csr_array:
        """The matrix ``(p, p)`` float32 with ``values`` at the entries of the upper triangle."""
        p = len(self.indptr) - 1
        return csr_array((values.astype(np.float32)[self.entry], self.indices, self.indptr), shape=(p, p))


@dataclass(frozen=True, eq=False)
class FreeSet:
    """m free entries with gradient, value and weight."""

    starts: np.ndarray  # (p + 1,) int64, where each row begins
    rows: np.ndarray  # (m,) int32
    cols: np.ndarray  # (m,) int32
    gradient: np.ndarray  # (m,) float64
    values: np.ndarray  # (m,) float64, of Theta
    weights: np.ndarray  # (m,) float64, 0 on the diagonal

    def pattern_of(self, some: np.ndarray) -> Symmetric:
        """The pattern of some of the free entries; ``entry`` is the place among all."""
        pattern = symmetric(self.rows[some], self.cols[some], len(self.starts) - 1)
        return Symmetric(pattern.indptr, pattern.indices, some.astype(np.int32)[pattern.entry])


def row_starts(rows: np.ndarray, p: int) -> np.ndarray:
    """Where each of p rows begins in increasing ``rows``, ``(p + 1,)`` int64."""
    return np.searchsorted(rows, np.arange(p + 1)).astype(np.int64)


def symmetric(rows: np.ndarray, cols: np.ndarray, p: int) -> Symmetric:
    """The pattern ``(p, p)`` of an upper triangle given row by row."""
    return Symmetric(*_symmetric(rows, cols, p))


def free_set(
    S: np.ndarray, W: np.ndarray, Theta: np.ndarray, weights: np.ndarray, factor: float, counts: np.ndarray
) -> FreeSet:
    """The free entries when the weights are ``factor * weights``; ``counts (p,)`` is what :func:`scan` found."""
    starts = np.concatenate([[0], np.cumsum(counts)])
    return FreeSet(starts, *_gather(S, W, Theta, weights, factor, starts))


@njit(parallel=True, cache=True)
def scan(
    S: np.ndarray, W: np.ndarray, Theta: np.ndarray, weights: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Per row of the upper triangle: how many entries are free, and the largest violation of optimality."""
    p = len(S)
    free = np.empty(p, dtype=np.int64)
    worst = np.empty(p, dtype=np.float64)
    for i in prange(p):
        count = 1
        violation = abs(S[i, i] - W[i, i])
        for j in range(i + 1, p):
            g, w, value = S[i, j] - W[i, j], weights[i, j] * factor, Theta[i, j]
            if value != 0:
                count += 1
                violation = max(violation, abs(g + (w if value > 0 else -w)))
            elif abs(g) > w:
                count += 1
                violation = max(violation, abs(g) - w)
        free[i], worst[i] = count, violation
    return free, worst


@njit(parallel=True, cache=True)
def _gather(
    S: np.ndarray, W: np.ndarray, Theta: np.ndarray, weights: np.ndarray, factor: float, starts: np.ndarray
) -> tuple[np.ndarray, ...]:
    p, m = len(S), starts[-1]
    rows, cols = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    gradient, values, limits = np.empty(m), np.empty(m), np.empty(m)
    for i in prange(p):
        e = starts[i]
        for j in range(i, p):
            g, value = S[i, j] - W[i, j], Theta[i, j]
            w = weights[i, j] * factor if j > i else 0.0
            if j == i or value != 0 or abs(g) > w:
                rows[e], cols[e] = i, j
                gradient[e], values[e], limits[e] = g, value, w
                e += 1
    return rows, cols, gradient, values, limits


@njit(cache=True)
def _symmetric(rows: np.ndarray, cols: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    indptr = np.zeros(p + 1, dtype=np.int64)
    for e in range(len(rows)):
        indptr[rows[e] + 1] += 1
        if rows[e] != cols[e]:
            indptr[cols[e] + 1] += 1
    for i in range(p):
        indptr[i + 1] += indptr[i]
    place = indptr[:-1].copy()
    indices = np.empty(indptr[p], dtype=np.int32)
    entry = np.empty(indptr[p], dtype=np.int32)
    for e in range(len(rows)):
        i, j = rows[e], cols[e]
        indices[place[i]], entry[place[i]] = j, e
        place[i] += 1
        if i != j:
            indices[place[j]], entry[place[j]] = i, e
            place[j] += 1
    return indptr, indices, entry
