"""What the edges of each neuron add up to."""

from __future__ import annotations

import numpy as np


def degrees(p: int, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Number of edges of each of p neurons, int64 ``(p,)``; ``rows`` and ``cols (E,)`` are the ends of the edges."""
    return np.bincount(np.concatenate([rows, cols]), minlength=p)


def edge_sums(p: int, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum of the ``values (E,)`` of the edges of each of p neurons, float64 ``(p,)``."""
    ends = np.concatenate([rows, cols])
    # Without edges, bincount ignores the weights and their type.
    return np.bincount(ends, np.tile(values, 2), minlength=p).astype(np.float64, copy=False)
