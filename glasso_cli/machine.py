"""What this process may use of its machine: cores and memory."""

from __future__ import annotations

import os


def cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
