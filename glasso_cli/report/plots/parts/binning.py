"""A sparse symmetric matrix on fewer cells than it has entries, without hiding its peaks.

Averages or strides would: of 100,000 edges among 7,000 neurons, a mean over the entries of a pixel leaves 1 % of the strongest
value. Here a cell shows the entry of largest magnitude, with its sign, and a second picture counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Cells:
    """The matrix on ``(k, k)`` cells of ``factor × factor`` entries (fewer in the last row and column)."""

    factor: int
    peak: np.ndarray  # (k, k) the entry of largest magnitude; a tie is positive; 0 where there is none
    count: np.ndarray  # (k, k) nonzero entries
    mixed: np.ndarray  # (k, k) bool, entries of both signs

    @property
    def size(self) -> int:
        return len(self.peak)


def bin_entries(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, size: int, factor: int) -> Cells:
    """The symmetric ``(size, size)`` matrix of entries ``values (E,)``, each pair given once and off the diagonal.

    Time and memory are O(E + k²) with k = ⌈size / factor⌉; the matrix itself is never made.
    """
    k = -(-size // factor)
    left, right = rows // factor, cols // factor
    flat = np.concatenate([left * k + right, right * k + left]).astype(np.intp)
    both = np.concatenate([values, values])
    high, low = np.zeros(k * k), np.zeros(k * k)
    np.maximum.at(high, flat, both)
    np.minimum.at(low, flat, both)
    peak = np.where(high >= -low, high, low)
    count = np.bincount(flat, both != 0, minlength=k * k).astype(np.int64)
    square = (k, k)
    return Cells(factor, peak.reshape(square), count.reshape(square), ((high > 0) & (low < 0)).reshape(square))


def factor_for(size: int, pixels: int, smallest: int = 1) -> tuple[int, int]:
    """How many entries a cell takes per side, and how many pixels, so that ``size`` entries fit into ``pixels``.

    Both are whole numbers, so that no cell is drawn wider than another; a cell has at least ``smallest`` pixels.
    """
    factor = -(-size // max(1, pixels // smallest))
    cells = -(-size // factor)
    return factor, pixels // cells


def limit_of(values: np.ndarray) -> float:
    """The symmetric colour limit: the 99.5th percentile of the nonzero magnitudes, 1 where there are none."""
    sizes = np.abs(values[values != 0])
    return float(np.quantile(sizes, 0.995)) if len(sizes) else 1.0
