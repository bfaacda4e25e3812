"""SHA-256 digests of files and folders, remembered in the user's cache, and whether files changed since.

A digest is remembered for the state that a file was in: its size, its inode, and the times of its last write and of its
last change of any kind, to the nanosecond. A restored write time does not hide a change.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import atomic_write, sha256_of, user_cache

RACY_SECONDS = 2.0
_MOST_REMEMBERED = 20_000  # files

State = tuple[int, int, int, int]


def state_of(path: Path) -> State:
    """Size, write time, change time and inode of a file; another content means another state."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def folder_digest(folder: Path, patterns: Iterable[str], cache: Path | None = None) -> str:
    """One SHA-256 over relative names and contents of the files below ``folder`` that match ``patterns``.

    Hidden files and folders do not count: downloads and version control keep their notes there.
    """
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    named = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    seen = [(name, path) for name, path in named if not _hidden(name)]
    digests = file_digests([path for _, path in seen], cache)
    lines = [f"{name}\0{digest}\n" for (name, _), digest in zip(seen, digests, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def file_digests(paths: Iterable[Path], cache: Path | None = None) -> list[str]:
    """The SHA-256 of every file, remembered in the user's cache by the state of the file."""
    return remembered("sha256", paths, sha256_of, cache)


def remembered(
    what: str, paths: Iterable[Path], compute: Callable[[Path], str], cache: Path | None = None
) -> list[str]:
    """``compute(path)`` of every file, from the user's cache where the file is in the state it had then.

    ``what`` names the function in the cache. The files are watched (:func:`watch`) from the state they were computed
    in, and a file that changes while it is read is read again.
    """
    memo_path = (cache or user_cache()) / "file-digests.json"
    memo = _read_memo(memo_path)
    before = dict(memo)
    values = [_remembered(what, path, compute, memo) for path in paths]
    if memo != before:
        _write_memo(memo_path, memo)
    return values


def _remembered(what: str, path: Path, compute: Callable[[Path], str], memo: dict[str, Any]) -> str:
    key = f"{what}:{path.resolve()}"
    for _ in range(3):
        state = state_of(path)
        known = memo.pop(key, None)
        if _is_entry(known) and tuple(known[:4]) == state:
            value = str(known[4])
        else:
            value = compute(path)
            if state_of(path) != state:
                continue  # it was written meanwhile
            # A file written this very moment can change again within one tick of the clock.
            settled = time.time() - max(state[1], state[2]) / 1e9 > RACY_SECONDS
            known = [*state, value] if settled else None
        if known is not None:
            memo[key] = known  # the last used is the last to be forgotten
        _saw(path, state)
        return value
    raise InputError(f"{path} changes while it is read.", "Run the same command when nothing writes to the file.")


def _is_entry(known: Any) -> bool:
    return isinstance(known, list) and len(known) == 5 and isinstance(known[4], str)


def _read_memo(path: Path) -> dict[str, Any]:
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return memo if isinstance(memo, dict) else {}


def _write_memo(path: Path, memo: dict[str, Any]) -> None:
    kept = dict(list(memo.items())[-_MOST_REMEMBERED:])
    # it only saves time, and a machine may have no cache to write to
    with suppress(OSError, ServiceError), atomic_write(path, "w") as file:
        file.write(json.dumps(kept))  # json.dump is written in Python, and takes ten times as long


# -- files that must not change ---------------------------------------------------------------------

_WATCHES: ContextVar[tuple[dict[Path, State], ...]] = ContextVar("watches", default=())


@contextmanager
def watch() -> Iterator[dict[Path, State]]:
    """Collect the files whose digests are looked up inside the block, with the state that each digest is of."""
    states: dict[Path, State] = {}
    token = _WATCHES.set((*_WATCHES.get(), states))
    try:
        yield states
    finally:
        _WATCHES.reset(token)


def _saw(path: Path, state: State) -> None:
    for states in _WATCHES.get():
        states.setdefault(path, state)


def refuse_changed(states: dict[Path, State]) -> None:
    """Raise :class:`InputError` when a file is not in the state in which its digest was taken."""
    for path, state in states.items():
        try:
            now = state_of(path)
        except OSError:
            now = None
        if now != state:
            raise InputError(
                f"{path} changed while it was read, so the result would not be of what its digest says.",
                "Run the same command again, when nothing writes to the file.",
            )
