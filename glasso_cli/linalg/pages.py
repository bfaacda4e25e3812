"""Large arrays on pages of their own, which the system has again as soon as they are freed.

The allocator of the C library keeps freed blocks of up to 32 MB for later ones, and hands out parts of them. Where arrays
of many sizes come and go, what it keeps is more than a ``(p, p)`` buffer for a few thousand neurons.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

_SMALLEST = 1 << 20  # bytes; below that, pages cost more time than they save room


def empty(shape: tuple[int, ...], dtype: type[np.floating] = np.float64) -> np.ndarray:
    """An array of that shape, row-major; its numbers are whatever they are."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array: np.ndarray = np.ndarray(shape, dtype, buffer=None if size < _SMALLEST else memoryview(_pages(size)))
    return array


def identity(p: int, dtype: type[np.floating] = np.float64) -> np.ndarray:
    """The identity ``(p, p)``."""
    new = empty((p, p), dtype)
    new[...] = 0.0
    np.fill_diagonal(new, 1.0)
    return new


def copy(matrix: np.ndarray, dtype: type[np.floating] = np.float64) -> np.ndarray:
    """A row-major copy in that precision."""
    new = empty(matrix.shape, dtype)
    new[...] = matrix
    return new


def _pages(size: int) -> mmap.mmap:
    """Memory of this process alone, a copy of which a forked one gets."""
    private: dict[str, Any] = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    pages = mmap.mmap(-1, size, **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # as NumPy asks for it: far fewer faults
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages
