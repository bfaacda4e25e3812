"""Packed upper triangles as matrices, compiled: each entry is computed by one thread in a fixed order."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from glasso_cli.linalg.mirror import mirror

_CHUNK = 16_384  # entries of a sum that stay in a core's cache


def sum_of_blocks(packed: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The sum of rows ``chosen`` of ``packed (B, N)`` in float64, one after the other; a row may be chosen twice."""
    total = np.zeros(packed.shape[1])
    _add_blocks(np.asarray(packed), chosen, total)
    return total


def symmetric_of(
    packed: np.ndarray,
    rows: np.ndarray,
    count: float,
    left: np.ndarray,
    right: np.ndarray,
    apart: np.ndarray,
    out: np.ndarray,
) -> None:
    """The matrix of :func:`centred_upper` into ``out (p, p)``, exactly symmetric."""
    centred_upper(packed, rows, count, left, right, apart, out)
    mirror(out)


def centred_upper(
    packed: np.ndarray,
    rows: np.ndarray,
    count: float,
    left: np.ndarray,
    right: np.ndarray,
    apart: np.ndarray,
    out: np.ndarray,
) -> None:
    """The upper triangle of M / count - left right' - right apart' into ``out (p, p)``; what is below is left as it is.

    M are the entries between ``rows (p,)`` of a symmetric matrix ``packed``; ``left``, ``right`` and ``apart`` are ``(p,)``.
    """
    width = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    if np.array_equal(rows, np.arange(width)):
        _every_centred_upper(np.asarray(packed), float(count), left, right, apart, out)
    else:
        _centred_upper(np.asarray(packed), width, rows, float(count), left, right, apart, out)


def upper_without(
    packed: np.ndarray,
    left_out: np.ndarray,
    total: np.ndarray,
    rows: np.ndarray,
    count: float,
    mean: np.ndarray,
    out: np.ndarray,
) -> None:
    """The upper triangle of (total - the sum of rows ``left_out`` of ``packed (B, N)``) / count - mean mean' into ``out (p, p)``.

    ``rows (p,)``, in any order, are those of the symmetric matrix with the upper triangle ``total (N,)``; ``mean`` is ``(p,)``.
    What is below the diagonal of ``out`` is left as it is.
    """
    width = int((np.sqrt(8 * len(total) + 1) - 1) / 2)
    places = np.full(width, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    _upper_without(np.asarray(packed), left_out, total, places, float(count), mean, out)


def to_correlation(covariance: np.ndarray) -> np.ndarray:
    """The correlation matrix, exactly symmetric with unit diagonal, in the place of a ``covariance (p, p)`` of positive variances."""
    _scale_to_one(covariance, 1 / np.sqrt(covariance.diagonal()))
    return covariance


@njit(parallel=True, cache=True)
def _add_blocks(packed: np.ndarray, chosen: np.ndarray, total: np.ndarray) -> None:
    for chunk in prange((len(total) + _CHUNK - 1) // _CHUNK):
        start, stop = chunk * _CHUNK, min(len(total), chunk * _CHUNK + _CHUNK)
        for block in chosen:
            for k in range(start, stop):
                total[k] += packed[block, k]


@njit(parallel=True, cache=True)
def _every_centred_upper(
    packed: np.ndarray, count: float, left: np.ndarray, right: np.ndarray, apart: np.ndarray, out: np.ndarray
) -> None:
    """The same for all rows, whose entries stand side by side."""
    p = len(out)
    for turn in prange(p):
        step = np.int64(turn) // 2
        i = step if turn % 2 == 0 else p - 1 - step
        start = i * (2 * p - i - 1) // 2
        values, row = packed[start + i : start + p], out[i, i:]
        for j in range(p - i):
            row[j] = values[j] / count - left[i] * right[i + j] - right[i] * apart[i + j]


@njit(parallel=True, cache=True)
def _centred_upper(
    packed: np.ndarray,
    width: int,
    rows: np.ndarray,
    count: float,
    left: np.ndarray,
    right: np.ndarray,
    apart: np.ndarray,
    out: np.ndarray,
) -> None:
    p = len(rows)
    for turn in prange(p):
        step = np.int64(turn) // 2
        i = step if turn % 2 == 0 else p - 1 - step  # long rows and short ones for every thread
        row = rows[i]
        start = row * (2 * width - row - 1) // 2
        for j in range(i, p):
            other = rows[j]
            if other >= row:
                value = packed[start + other] / count
            else:
                value = packed[other * (2 * width - other - 1) // 2 + row] / count
            out[i, j] = value - left[i] * right[j] - right[i] * apart[j]


@njit(parallel=True, cache=True)
def _upper_without(
    packed: np.ndarray,
    left_out: np.ndarray,
    total: np.ndarray,
    places: np.ndarray,
    count: float,
    mean: np.ndarray,
    out: np.ndarray,
) -> None:
    width = len(places)
    for turn in prange(width):
        step = np.int64(turn) // 2
        i = step if turn % 2 == 0 else width - 1 - step
        a = places[i]
        if a < 0:
            continue
        start = i * (2 * width - i - 1) // 2
        values = total[start + i : start + width].copy()
        for block in left_out:
            less = packed[block, start + i : start + width]
            for j in range(len(values)):
                values[j] -= less[j]
        for j in range(len(values)):
            b = places[i + j]
            if b >= a:
                out[a, b] = values[j] / count - mean[a] * mean[b]
            elif b >= 0:
                out[b, a] = values[j] / count - mean[a] * mean[b]


@njit(parallel=True, cache=True)
def _scale_to_one(matrix: np.ndarray, scale: np.ndarray) -> None:
    p = len(matrix)
    for i in prange(p):
        for j in range(p):
            value = scale[i] * scale[j] * matrix[i, j]
            if value > 1.0:
                value = 1.0
            elif value < -1.0:
                value = -1.0
            matrix[i, j] = value
        matrix[i, i] = 1.0
