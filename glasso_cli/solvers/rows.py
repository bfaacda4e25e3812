"""Blocks of rows that fit a processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

_CACHED = 1 << 15  # numbers in a block of rows


def row_blocks(p: int) -> Iterator[slice]:
    """Rows few enough that temporary copies of them stay in cache."""
    size = max(1, _CACHED // p)
    return (slice(start, start + size) for start in range(0, p, size))
