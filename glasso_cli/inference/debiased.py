"""The de-sparsified graphical lasso: estimates of precision entries whose errors are known.

The penalty pulls every entry of Theta towards zero. One Newton step without it, T = 2 Theta - Theta S Theta (Jankova and
van de Geer, 2015), undoes that to first order. Where there is no edge, T_ij is normal about zero; for n independent
Gaussian tokens its variance is (Theta_ii Theta_jj + Theta_ij^2) / n.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited

_COLUMNS = 128  # of S at a time: they stay in a core's cache while all rows of Theta use them


def debiased(precision: csr_array, covariance: np.ndarray) -> np.ndarray:
    """T = 2 Theta - Theta S Theta, ``(p, p)`` float64 and exactly symmetric, for a sparse Theta and a dense S."""
    T = sandwich(precision, covariance)
    np.negative(T, out=T)
    rows = np.repeat(np.arange(len(T)), np.diff(precision.indptr))
    T[rows, precision.indices] += 2 * precision.data
    return T


def sandwich(left: csr_array | np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A M A' ``(m, m)`` float64 for a sparse or dense A ``(m, p)`` and a symmetric M ``(p, p)``; exactly symmetric.

    Every entry of a sparse A's is summed by one thread in a fixed order, whatever the number of threads.
    """
    if isinstance(left, np.ndarray):
        result: np.ndarray = left @ matrix @ left.T
        result += result.T.copy()
        result /= 2
        return result
    A = csr_array(left, dtype=np.float64)
    A.sort_indices()
    half = product(A, matrix)
    out = np.empty((A.shape[0], A.shape[0]))
    with numba_limited():
        _second_product(A.indptr, A.indices, A.data, half, out)
    return out


def product(left: csr_array, matrix: np.ndarray) -> np.ndarray:
    """A M ``(m, p)`` float64 for a sparse A ``(m, p)`` and a dense M ``(p, p)``."""
    A = csr_array(left, dtype=np.float64)
    out = np.empty((A.shape[0], matrix.shape[1]))
    with numba_limited():
        _product(A.indptr, A.indices, A.data, np.ascontiguousarray(matrix, dtype=np.float64), out)
    return out


@njit(parallel=True, cache=True)
def _product(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, M: np.ndarray, out: np.ndarray) -> None:
    """``out (m, p)`` = A M, a panel of columns at a time."""
    p = M.shape[1]
    for panel in prange((p + _COLUMNS - 1) // _COLUMNS):
        start, stop = panel * _COLUMNS, min(p, panel * _COLUMNS + _COLUMNS)
        for i in range(len(indptr) - 1):
            row = out[i, start:stop]
            row[:] = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                value, source = data[k], M[indices[k], start:stop]
                for j in range(stop - start):
                    row[j] += value * source[j]


@njit(parallel=True, cache=True)
def _second_product(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, half: np.ndarray, out: np.ndarray
) -> None:
    """``out (m, m)`` = H A' for H ``(m, p)``: the upper triangle, and its mirror image."""
    m = len(indptr) - 1
    for i in prange(m):
        row = half[i]
        for j in range(i, m):
            total = 0.0
            for k in range(indptr[j], indptr[j + 1]):
                total += data[k] * row[indices[k]]
            out[i, j] = total
            out[j, i] = total
