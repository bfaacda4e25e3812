"""Random matrices of sizes around those of a panel, for tests of products."""

from __future__ import annotations

import numpy as np
import pytest

SIZES = [1, 2, 63, 64, 65, 150]
every_size = pytest.mark.parametrize("p", SIZES)


def random_symmetric(p: int, seed: int = 0, density: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.standard_normal((p, p)) * (rng.random((p, p)) < density), 1)
    return np.asarray(upper + upper.T + np.diag(rng.uniform(1, 2, p)))


def random_definite(p: int, seed: int = 1) -> np.ndarray:
    factor = np.random.default_rng(seed).standard_normal((p, 2 * p + 2))
    return np.asarray(factor @ factor.T / factor.shape[1])


def upper_entries(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.nonzero(np.triu(matrix))
    return rows.astype(np.int32), cols.astype(np.int32)
