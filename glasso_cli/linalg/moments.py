"""Second moments of activations, summed over blocks of whole documents.

Tokens of one document depend on each other, so every resampling draws documents. With the moments of B blocks kept
apart, the covariance of any fold, half or bootstrap sample is a sum of blocks: no second pass through the model.

Accumulated in float64 about a pilot mean (float32 activations multiply exactly there); stored in float32, whose
rounding (6e-8) is far below the sampling error of a correlation (1/√n).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def packed_length(width: int) -> int:
    """Entries of the upper triangle with diagonal."""
    return width * (width + 1) // 2


def diagonal_places(width: int) -> np.ndarray:
    """Where the diagonal entries ``(width,)`` stand in the packed upper triangle."""
    rows = np.arange(width)
    return rows * width - rows * (rows - 1) // 2


def pack_upper(matrix: np.ndarray) -> np.ndarray:
    """The upper triangle of ``(p, p)`` with diagonal, row by row, as ``(p(p+1)/2,)``."""
    width = matrix.shape[0]
    packed = np.empty(packed_length(width), dtype=matrix.dtype)
    start = 0
    for row in range(width):
        packed[start : start + width - row] = matrix[row, row:]
        start += width - row
    return packed


def unpack_upper(packed: np.ndarray, width: int) -> np.ndarray:
    """The symmetric ``(p, p)`` float64 matrix whose upper triangle is ``packed``."""
    matrix = np.empty((width, width), dtype=np.float64)
    start = 0
    for row in range(width):
        values = packed[start : start + width - row]
        matrix[row, row:] = values
        matrix[row:, row] = values
        start += width - row
    return matrix


def upper_triangle(packed: np.ndarray, width: int) -> np.ndarray:
    """``packed`` as the upper triangle of ``(p, p)``, zeros below, in the type it has."""
    matrix, packed = np.zeros((width, width), dtype=packed.dtype), np.asarray(packed)
    start = 0
    for row in range(width):
        matrix[row, row:] = packed[start : start + width - row]
        start += width - row
    return matrix


def sum_packed(packed: Iterable[np.ndarray], width: int) -> np.ndarray:
    """The sum of packed moments, one after the other, in float64."""
    total = np.zeros(packed_length(width), dtype=np.float64)
    for moments in packed:
        total += moments
    return total


def covariance(
    counts: np.ndarray, sums: np.ndarray, moments: np.ndarray, blocks: Iterable[int] | None = None
) -> np.ndarray:
    """The covariance ``(p, p)``, divided by n, of the chosen blocks (all by default), in float64.

    ``counts (B,)``, ``sums (B, p)``, ``moments (B, p(p+1)/2)``. Blocks are added in the order of their index, so the
    bytes do not depend on who finished first. A block may be named twice (bootstrap).
    """
    chosen = list(range(len(counts))) if blocks is None else sorted(blocks)
    return covariance_of(counts[chosen], sums[chosen], (moments[block] for block in chosen))


def covariance_of(counts: np.ndarray, sums: np.ndarray, packed: Iterable[np.ndarray]) -> np.ndarray:
    """The covariance ``(p, p)`` of blocks whose packed moments come one after the other."""
    count = int(counts.sum())
    if count == 0:
        raise ValueError("the blocks hold no tokens")
    matrix = unpack_upper(sum_packed(packed, sums.shape[1]), sums.shape[1])
    matrix /= count
    mean = sums.sum(axis=0) / count
    matrix -= np.outer(mean, mean)
    return matrix


def correlation(covariance_matrix: np.ndarray) -> np.ndarray:
    """The correlation matrix, exactly symmetric with unit diagonal; every variance must be positive."""
    scale = 1.0 / np.sqrt(np.diag(covariance_matrix))
    matrix = np.outer(scale, scale)  # one factor a pair: scaling rows, then columns, rounds unsymmetrically
    matrix *= covariance_matrix
    np.fill_diagonal(matrix, 1.0)
    return np.clip(matrix, -1.0, 1.0, out=matrix)
