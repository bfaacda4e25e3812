"""Products with the dense inverse W that the Newton step needs, compiled, in float32, on all threads.

For a sparse symmetric D, entries of W D W are wanted on a sparse pattern only. Both factors of that product
are cut into panels of ``WIDTH`` columns, laid out one after the other, so that a panel stays in a core's cache
while all its rows are read in the order that the pattern dictates. Only a share of the columns of D W is there at
a time. Every output is summed by one thread in a fixed order: the result does not depend on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from glasso_cli.linalg import pages
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.free_set import Symmetric

WIDTH = 64
_SHARES = 4  # of the columns of D W, one at a time
_FEWEST = 8  # panels in a share
_LANES = 16  # of a panel's row, summed side by side
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
        across = np.zeros((k, len(self._W) * WIDTH), dtype=np.float32)
        across[:, :p] = vectors.T
        out = np.empty((p, k), dtype=np.float32)
        times(self._W, across.reshape(k, -1, WIDTH), out, self._threads)
        return out

    def product(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
        """W D W on entries ``(m,)``, for the D that has ``values`` on ``pattern``."""
        data = values.astype(np.float32)[pattern.entry]
        out = np.empty(len(rows), dtype=np.float32)
        for q in range(0, len(self._W), self._share):
            some = self._W[q : q + self._share]
            first = q * WIDTH
            multiply(pattern.indptr, pattern.indices, data, some, self._product, self._threads)
            here = slice(*np.searchsorted(rows, [first, first + len(some) * WIDTH]))
            sample(rows[here], cols[here], first, self._product, self._W, out[here], self._threads)
        return out.astype(np.float64)

    def surplus(self, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> None:
        """None: see :class:`glasso_cli.solvers.newton.place.Products`."""


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
def times(W: np.ndarray, across: np.ndarray, out: np.ndarray, threads: int) -> None:
    """``out = W V`` for W in panels and V' in ``across (k, n, WIDTH)``."""
    n, p, _ = W.shape
    chunk = (p + threads - 1) // threads
    for thread in prange(threads):
        first, last = thread * chunk, min(p, thread * chunk + chunk)
        for q in range(n):
            w = W[q]
            for i in range(first, last):
                row = w[i]
                for a in range(len(across)):
                    part: float = _dot(row, across[a, q])  # type: ignore[call-arg]
                    out[i, a] = part if q == 0 else out[i, a] + part


@njit(parallel=True, fastmath=True, cache=True)
def multiply(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, W: np.ndarray, out: np.ndarray, threads: int
) -> None:
    """``out = (D W)'``, in panels, for D in CSR form and some panels ``(share, p, WIDTH)`` of W.

    A tile of D W is made at a time, and written transposed (zeros beyond p).
    """
    share, p, _ = W.shape
    n = len(out)
    chunk = (share * n + threads - 1) // threads
    for thread in prange(threads):
        tile = np.empty((WIDTH, WIDTH), dtype=np.float32)
        for at in range(thread * chunk, min(share * n, thread * chunk + chunk)):
            q, r = at // n, at % n
            w = W[q]
            size = min(WIDTH, p - r * WIDTH)
            for k in range(size):
                row = tile[k]
                for t in range(WIDTH):
                    row[t] = _ZERO
                e, stop = indptr[r * WIDTH + k], indptr[r * WIDTH + k + 1]
                while e + 4 <= stop:  # four at a time: one pass over the row of sums for four of W
                    d0, d1, d2, d3 = data[e], data[e + 1], data[e + 2], data[e + 3]
                    w0, w1, w2, w3 = w[indices[e]], w[indices[e + 1]], w[indices[e + 2]], w[indices[e + 3]]
                    for t in range(WIDTH):
                        row[t] += d0 * w0[t] + d1 * w1[t] + d2 * w2[t] + d3 * w3[t]
                    e += 4
                while e < stop:
                    d0, w0 = data[e], w[indices[e]]
                    for t in range(WIDTH):
                        row[t] += d0 * w0[t]
                    e += 1
            for t in range(WIDTH):
                line = out[r, q * WIDTH + t]
                for k in range(WIDTH):
                    line[k] = tile[k, t] if k < size else _ZERO


@intrinsic
def _dot(context: Any, a: types.Array, b: types.Array) -> tuple[Any, Callable[..., ir.Value]]:
    """The dot product of two rows ``(WIDTH,)`` of panels, summed in an order of our own.

    Left to the compiler, that order differs between the process that compiles and those that find the result
    in the cache, and with it the last bits.
    """

    def row(context: Any, builder: ir.IRBuilder, kind: types.Array, value: ir.Value) -> ir.Value:
        data = context.make_array(kind)(context, builder, value).data
        return builder.load(builder.bitcast(data, ir.VectorType(ir.FloatType(), WIDTH).as_pointer()), align=4)

    def part(builder: ir.IRBuilder, vector: ir.Value, k: int, n: int) -> ir.Value:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(k * n, k * n + n)))
        return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        left, right = (row(context, builder, kind, value) for kind, value in zip(signature.args, args, strict=True))
        n = _LANES
        lanes = ir.VectorType(ir.FloatType(), n)
        name = f"llvm.fmuladd.v{n}f32"
        add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(lanes, [lanes] * 3), name)
        total = builder.fmul(part(builder, left, 0, n), part(builder, right, 0, n))
        for k in range(1, WIDTH // n):
            total = builder.call(add, [part(builder, left, k, n), part(builder, right, k, n), total])
        while n > 1:
            n //= 2
            total = builder.fadd(part(builder, total, 0, n), part(builder, total, 1, n))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(a, b), code


@njit(parallel=True, cache=True)
def sample(
    rows: np.ndarray, cols: np.ndarray, begin: int, T: np.ndarray, W: np.ndarray, out: np.ndarray, threads: int
) -> None:
    """``out[e]``: the dot product of row ``rows[e] - begin`` of T and row ``cols[e]`` of W, both in panels."""
    count = len(rows)
    chunk = (count + threads - 1) // threads
    for thread in prange(threads):
        first, last = thread * chunk, min(count, thread * chunk + chunk)
        for e in range(first, last):
            out[e] = _ZERO
        for r in range(len(T)):
            left, right = T[r], W[r]
            for e in range(first, last):
                out[e] += _dot(left[rows[e] - begin], right[cols[e]])  # type: ignore[call-arg]
