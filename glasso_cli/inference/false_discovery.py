"""How many of the edges taken for real are expected not to be: Benjamini and Hochberg's false discovery rate."""

from __future__ import annotations

import numpy as np


def q_values(p_values: np.ndarray) -> np.ndarray:
    """The smallest false discovery rate ``(m,)`` at which each of m hypotheses is rejected (Benjamini-Hochberg, 1995).

    Valid for independent and positively dependent tests.
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")[::-1]
    scaled = p_values[order] * (m / np.arange(m, 0, -1))
    q = np.empty(m)
    q[order] = np.minimum.accumulate(scaled)
    return np.minimum(q, 1.0, out=q)


def pair_places(rows: np.ndarray, cols: np.ndarray, p: int) -> np.ndarray:
    """Where pairs ``row < col`` of p neurons stand among all pairs, row by row, ``(m,)`` int64."""
    rows = rows.astype(np.int64)
    return rows * (2 * p - rows - 1) // 2 + cols - rows - 1
