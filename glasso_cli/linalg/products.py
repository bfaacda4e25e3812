"""Products of dense matrices by SciPy's BLAS, which keeps its threads where NumPy's has one."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left (m, k) @ right (k, n)``, row-major, in the precision of both."""
    (gemm,) = blas.get_blas_funcs(("gemm",), (left, right))
    (a, across_a), (b, across_b) = _columns(right), _columns(left)
    return np.asarray(gemm(1.0, a, b, trans_a=across_a, trans_b=across_b).T)


def _columns(matrix: np.ndarray) -> tuple[np.ndarray, bool]:
    """A column-major array, and whether it has to be transposed to be the transpose of ``matrix``."""
    return (matrix.T, False) if matrix.flags.c_contiguous else (matrix, True)
