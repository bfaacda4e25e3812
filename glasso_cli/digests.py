"""SHA-256 digests of files and folders, remembered in the user's cache."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from glasso_cli.errors import ServiceError
from glasso_cli.files import atomic_write, sha256_of, user_cache

RACY_SECONDS = 2.0


def folder_digest(folder: Path, patterns: Iterable[str], cache: Path | None = None) -> str:
    """One SHA-256 over relative names and contents of the files below ``folder`` that match ``patterns``.

    Hidden files and folders do not count: downloads and version control keep their notes there.
    """
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    named = sorted((path.relative_to(folder).as_posix(), path) for path in paths)
    seen = [(name, path) for name, path in named if not _hidden(name)]
    digests = file_digests([path for _, path in seen], cache)
    lines = [f"{name}\0{digest}\n" for (name, _), digest in zip(seen, digests, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def file_digests(paths: Iterable[Path], cache: Path | None = None) -> list[str]:
    """The SHA-256 of every file, remembered in the user's cache by path, size and time of change."""
    memo_path = (cache or user_cache()) / "file-digests.json"
    memo = _read_memo(memo_path)
    before = dict(memo)
    digests = [_remembered_sha256(path, memo) for path in paths]
    if memo != before:
        _write_memo(memo_path, memo)
    return digests


def _remembered_sha256(path: Path, memo: dict[str, Any]) -> str:
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    key = str(path.resolve())
    known = memo.get(key)
    if isinstance(known, list) and known[:2] == stamp:
        return str(known[2])
    digest = sha256_of(path)
    # A file written this very moment can change again within one tick of the clock.
    if time.time() - status.st_mtime > RACY_SECONDS:
        memo[key] = [*stamp, digest]
    return digest


def _read_memo(path: Path) -> dict[str, Any]:
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memo if isinstance(memo, dict) else {}


def _write_memo(path: Path, memo: dict[str, Any]) -> None:
    # it only saves time, and a machine may have no cache to write to
    with suppress(OSError, ServiceError), atomic_write(path, "w") as file:
        json.dump(memo, file)
