"""Entries of A X A for sparse symmetric A and X: on the host wherever the dense products are, since it is never dense."""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange
from scipy.sparse import csr_array

from glasso_cli.solvers.newton.free_set import Symmetric, row_starts


def sandwich(A: csr_array, pattern: Symmetric, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A X A on entries ``(m,)`` in the order of rows, for the X that has ``values`` on ``pattern``; A is float32.

    Every entry is summed by one thread in a fixed order: the result does not depend on how many threads there are.
    """
    out = np.empty(len(rows), dtype=np.float32)
    _sandwich(
        row_starts(rows, len(pattern.indptr) - 1), cols,
        pattern.indptr, pattern.indices, values.astype(np.float32)[pattern.entry],
        A.indptr, A.indices, A.data, out, get_num_threads(),
    )  # fmt: skip
    return out.astype(np.float64)


@njit(parallel=True, fastmath=True, cache=True)
def _sandwich(
    starts: np.ndarray,
    cols: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    outer_indptr: np.ndarray,
    outer_indices: np.ndarray,
    outer_data: np.ndarray,
    out: np.ndarray,
    threads: int,
) -> None:
    """Row i of the pattern is ``cols[starts[i]:starts[i + 1]]``; A is ``outer_``, in CSR form as X is."""
    p = len(indptr) - 1
    total = max(starts[p], 1)
    for thread in prange(threads):
        y = np.zeros(p, dtype=np.float32)  # row i of A X
        for i in range(p):
            if starts[i] * threads // total != thread:
                continue
            for a in range(outer_indptr[i], outer_indptr[i + 1]):
                k, value = outer_indices[a], outer_data[a]
                for b in range(indptr[k], indptr[k + 1]):
                    y[indices[b]] += value * data[b]
            for e in range(starts[i], starts[i + 1]):
                j = cols[e]
                s = np.float32(0)
                for a in range(outer_indptr[j], outer_indptr[j + 1]):
                    s += y[outer_indices[a]] * outer_data[a]
                out[e] = s
            for k in range(p):
                y[k] = np.float32(0)
