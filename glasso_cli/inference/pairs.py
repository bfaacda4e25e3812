"""All pairs of p neurons in one row: the first with every later one, then the second, and so on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ROWS = 256


def pair_places(rows: np.ndarray, cols: np.ndarray, p: int) -> np.ndarray:
    """Where pairs ``row < col`` of p neurons stand among all pairs, ``(m,)`` int64."""
    rows = rows.astype(np.int64)
    return np.asarray(rows * (2 * p - rows - 1) // 2 + cols - rows - 1)


def pairs_at(places: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs ``row < col`` of p neurons that stand at ``places (m,)`` among all pairs."""
    starts = np.arange(p, dtype=np.int64)
    starts = starts * (2 * p - starts - 1) // 2
    rows = np.searchsorted(starts, places, side="right") - 1
    return rows, places - starts[rows] + rows + 1


def over_pairs(p: int, between: Callable[[slice, slice], np.ndarray]) -> np.ndarray:
    """A value of every pair, ``(p (p - 1) / 2,)`` float64: ``between`` gives those of a few rows with all later columns."""
    result = np.empty(p * (p - 1) // 2)
    done = 0
    for start in range(0, p, _ROWS):
        values = between(slice(start, min(p, start + _ROWS)), slice(start, p))
        for k in range(len(values)):
            length = p - start - k - 1
            result[done : done + length] = values[k, k + 1 :]
            done += length
    return result
