from __future__ import annotations

import ctypes
import pickle
from typing import Any

import numpy as np
import pytest
from support.peak_memory import needs_linux, peak_memory

from glasso_cli.linalg import pages


@pytest.mark.parametrize("p", [1, 10, 600])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_on_pages_is_like_any_other(p: int, dtype: Any) -> None:
    matrix = np.random.default_rng(0).standard_normal((p, p))
    copy = pages.copy(matrix, dtype)
    assert copy.flags.c_contiguous
    assert copy.flags.writeable
    np.testing.assert_array_equal(copy, matrix.astype(dtype))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(copy)), copy)
    view = copy[p // 2 :, :1].T
    del copy  # the view keeps the pages
    np.testing.assert_array_equal(view, matrix.astype(dtype)[p // 2 :, :1].T)
    np.testing.assert_array_equal(pages.identity(p, dtype), np.eye(p, dtype=dtype))


@needs_linux
def test_what_is_freed_is_the_systems_again() -> None:
    kept = []
    with peak_memory() as peak:
        for _ in range(40):  # 8 MB each, a small one that stays after every one
            pages.empty((1000, 1000))[...] = 1.0
            kept.append(np.ones(10_000))
    assert ctypes.sizeof(ctypes.c_double) * 1000**2 < peak.bytes < 16e6
