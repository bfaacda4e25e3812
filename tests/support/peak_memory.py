"""How much memory a block of code needs at its peak, as the kernel of Linux counts it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_RESET = Path("/proc/self/clear_refs")
needs_linux = pytest.mark.skipif(not _RESET.exists(), reason="reads /proc of Linux")


@dataclass
class Peak:
    """``bytes`` above what was resident at the start; known when the block has ended."""

    bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the block; what it allocates counts once it is written to."""
    peak = Peak()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what earlier tests freed must not hold what this block needs
    before = _resident("VmRSS")
    _RESET.write_text("5")
    yield peak
    peak.bytes = _resident("VmHWM") - before


def _resident(name: str) -> int:
    """Bytes, from a line such as ``VmRSS:  1234 kB``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise LookupError(name)
