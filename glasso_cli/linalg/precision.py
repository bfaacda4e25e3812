"""A precision matrix as a sparse array, and its entries as partial correlations."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array

_LEAST = 1e-12  # a diagonal that an estimate put below this has no root


def symmetric(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, diagonal: np.ndarray) -> csr_array:
    """The matrix ``(p, p)`` of entries ``(E,)``, each pair once, and a diagonal ``(p,)``: sparse, exactly symmetric."""
    upper = coo_array((values, (rows, cols)), shape=(len(diagonal), len(diagonal)))
    return csr_array(upper + upper.T + diags_array(diagonal))


def partial_correlation(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Partial correlations ``(E,)`` of precision entries: -Theta_ij / sqrt(Theta_ii Theta_jj)."""
    scale = np.sqrt(diagonal)
    return np.asarray(-values / (scale[rows] * scale[cols]))


def to_partial_correlations(T: np.ndarray) -> np.ndarray:
    """All partial correlations of an estimate T ``(p, p)`` of a precision, which is overwritten; the diagonal is zero."""
    scale = 1 / np.sqrt(np.maximum(T.diagonal(), _LEAST))
    T *= -scale[:, None]
    T *= scale
    np.fill_diagonal(T, 0.0)
    return np.clip(T, -1.0, 1.0, out=T)
