"""What this process may use of its machine: cores and memory."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_PROCESSORS = Path("/proc/cpuinfo")

# How much freed memory glibc keeps for the next array, in bytes. A process that works on large arrays comes to these values by
# itself. Dask sets 64 KB, so that every array is paged in anew: bootstraps took three times as long.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}


def cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor() -> str:
    """The kind of processor of this machine, such as ``AMD EPYC 9654 96-Core Processor``."""
    try:
        lines = _PROCESSORS.read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def available_memory() -> int:
    """Bytes that this process may still take: what the machine has free, within the limits of its control groups."""
    import psutil

    return min([int(psutil.virtual_memory().available), *_left_in_groups()])


def is_roomy() -> bool:
    """Whether this process takes at most a quarter of the memory that it may have, of the machine and of its GPU."""
    import psutil

    taken = int(psutil.Process().memory_info().rss)
    return 3 * taken <= available_memory() and _is_gpu_roomy()


def _is_gpu_roomy() -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    return all(
        3 * torch.cuda.memory_reserved(device) <= torch.cuda.mem_get_info(device)[0]
        for device in range(torch.cuda.device_count())
    )


def _left_in_groups() -> Iterator[int]:
    """What each control group above this process has left; inside a container its own group is the root."""
    for folder, limit, usage, cache in _groups():
        most, used = _number(folder / limit), _number(folder / usage)
        if most is not None and used is not None:
            yield max(0, most - used + _reclaimable(folder, cache))


def _groups() -> Iterator[tuple[Path, str, str, str]]:
    """Folders of the groups with the names of their limit, their usage and the files they could drop, v2 and v1."""
    try:
        lines = _OWN_GROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names, root = ("memory.max", "memory.current", "inactive_file"), _GROUPS
        elif "memory" in controllers.split(","):
            names, root = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), _GROUPS / "memory"
        else:
            continue
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root):
                yield folder, *names


def _number(path: Path) -> int | None:
    """The number in a file; None for ``max`` and where there is no file."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _reclaimable(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(value) for key, value in map(str.split, lines) if key == name)
