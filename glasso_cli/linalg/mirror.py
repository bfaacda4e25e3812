"""The lower triangle of a matrix out of its upper one, compiled: the transpose goes tile by tile."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_TILE = 64  # a tile and its transpose stay in cache


@njit(parallel=True, cache=True)
def mirror(matrix: np.ndarray) -> None:
    """Make a row-major ``(p, p)`` matrix symmetric in place: what is below the diagonal is overwritten."""
    p = len(matrix)
    tiles = (p + _TILE - 1) // _TILE
    for a in prange(tiles):
        for b in range(a + 1):
            for i in range(a * _TILE, min(p, a * _TILE + _TILE)):
                for j in range(b * _TILE, min(i, b * _TILE + _TILE)):
                    matrix[i, j] = matrix[j, i]
