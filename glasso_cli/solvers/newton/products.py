"""Products with the dense inverse W that the Newton step needs, compiled, in float32, on all threads.

For a sparse symmetric D, entries of W D W are wanted on a sparse pattern only. Both factors of that product
are cut into panels of ``WIDTH`` columns, laid out one after the other, so that a panel stays in a core's cache
while all its rows are read in the order that the pattern dictates. Only a share of the columns of D W is there at
a time. Every output is summed by one thread in a fixed order: the result does not depend on how many threads there are.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

from glasso_cli.linalg import pages
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.linalg.lanes import TOGETHER, add_dots, combine
from glasso_cli.solvers.newton.free_set import Symmetric

WIDTH = 64
_SHARES = 4  # of the columns of D W, one at a time
_FEWEST = 8  # panels in a share
_ZERO = np.float32(0)


class Panels:
    """:class:`glasso_cli.solvers.newton.place.Products` on the host: one and a quarter buffers ``(p, p)`` float32."""

    def __init__(self, p: int) -> None:
        self._W = panels_of(p)
        self._share = min(len(self._W), max(_FEWEST, -(-len(self._W) // _SHARES)))  # panels of D W at a time
        self._product = panels_of(p, self._share)
        self._threads = get_num_threads()

    def load(self, inverse: Inverse) -> np.ndarray:
        """See :class:`glasso_cli.solvers.newton.place.Products`."""
        rows = np.ascontiguousarray(inverse.matrix, dtype=np.float32)
        split(rows, self._W)
        return rows

    def add_low_rank(self, left: np.ndarray, right: np.ndarray) -> None:
        """Add ``left right'``, of ``(p, k)`` factors, to W."""
        add_low_rank(self._W, left, right)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """W V, ``(p, k)`` float32."""
        p, k = vectors.shape
        n = len(self._W)
        across = np.zeros((n * WIDTH, k), dtype=np.float32)
        across[:p] = vectors
        across = np.ascontiguousarray(across.reshape(n, WIDTH, k).transpose(0, 2, 1))
        rows, cols = np.divmod(np.arange(p * k, dtype=np.int32), np.int32(k))
        return self._dots(rows, cols, self._W, across).reshape(p, k)

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for the D that has ``values`` on ``pattern``."""
        data = values.astype(np.float32)[pattern.entry]
        out = np.empty(len(rows), dtype=np.float32)
        for q in range(0, len(self._W), self._share):
            some = self._W[q : q + self._share]
            first = q * WIDTH
            multiply(pattern.indptr, pattern.indices, data, some, self._product, self._threads)
            here = slice(*np.searchsorted(rows, [first, first + len(some) * WIDTH]))
            out[here] = self._dots(rows[here] - first, cols[here], self._product, self._W)
        return out.astype(np.float64)

    def surplus(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> None:
        """None: see :class:`glasso_cli.solvers.newton.place.Products`."""

    def _dots(self, rows: np.ndarray, cols: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Dot products ``(m,)`` of rows of two matrices in panels."""
        m = len(rows)
        more = -m % TOGETHER
        out = np.empty(m + more, dtype=np.float32)
        sample(np.pad(rows, (0, more)), np.pad(cols, (0, more)), left, right, out, self._threads)
        return out[:m]


def panels_of(p: int, share: int | None = None) -> np.ndarray:
    """Room for a ``(p, p)`` matrix in panels: ``(ceil(p / WIDTH), p, WIDTH)`` float32.

    With ``share``, for as many rows as that many panels have columns.
    """
    rows = p if share is None else share * WIDTH
    return pages.empty((-(-p // WIDTH), rows, WIDTH), np.float32)


@njit(parallel=True, fastmath=True, cache=True)
def split(matrix: np.ndarray, panels: np.ndarray) -> None:
    """``matrix (p, p)`` float32, in ``panels`` (zeros beyond p)."""
    n, p, _ = panels.shape
    for i in prange(p):
        for q in range(n):
            for t in range(WIDTH):
                k = q * WIDTH + t
                panels[q, i, t] = matrix[i, k] if k < p else _ZERO


@njit(parallel=True, fastmath=True, cache=True)
def add_low_rank(panels: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Add ``left right'``, of ``(p, k)`` factors, to a matrix in ``panels``."""
    n, p, _ = panels.shape
    k = left.shape[1]
    across = np.zeros((k, n * WIDTH), dtype=np.float32)  # the rows of right'
    for a in range(k):
        for j in range(p):
            across[a, j] = right[j, a]
    for i in prange(p):
        for q in range(n):
            row = panels[q, i]
            for a in range(k):
                s, line = left[i, a], across[a, q * WIDTH : q * WIDTH + WIDTH]
                for t in range(WIDTH):
                    row[t] += s * line[t]


@njit(parallel=True, cache=True)
def multiply(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, W: np.ndarray, out: np.ndarray, threads: int
) -> None:
    """``out = (D W)'``, in panels, for symmetric D in CSR form and some panels ``(share, p, WIDTH)`` of W (zeros beyond p).

    A square of D W is made while a panel of W stays in the cache, and is transposed from there.
    """
    share, p, _ = W.shape
    n = len(out)
    for thread in prange(threads):
        square = np.zeros((WIDTH, WIDTH), dtype=np.float32)
        for q in range(share):
            w = W[q]
            for r in range(thread * n // threads, (thread + 1) * n // threads):
                width = min(WIDTH, p - r * WIDTH)
                for u in range(width):
                    i = r * WIDTH + u
                    combine(square[u], w, indices, data, indptr[i], indptr[i + 1], WIDTH)
                for u in range(width, WIDTH):
                    square[u] = _ZERO
                for t in range(WIDTH):
                    row = out[r, q * WIDTH + t]
                    for u in range(WIDTH):
                        row[u] = square[u, t]


@njit(parallel=True, cache=True)
def sample(rows: np.ndarray, cols: np.ndarray, T: np.ndarray, W: np.ndarray, out: np.ndarray, threads: int) -> None:
    """``out[e]``: the dot product of row ``rows[e]`` of T and row ``cols[e]`` of W, both in panels.

    The length of all three is a multiple of ``TOGETHER``.
    """
    groups = len(rows) // TOGETHER
    for thread in prange(threads):
        first, last = thread * groups // threads * TOGETHER, (thread + 1) * groups // threads * TOGETHER
        for e in range(first, last):
            out[e] = _ZERO
        for r in range(len(T)):
            left, right = T[r], W[r]
            for e in range(first, last, TOGETHER):
                add_dots(out, e, left, right, rows, cols, WIDTH)
