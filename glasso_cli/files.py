"""Files that are either whole or not there: atomic writes, digests, the user's cache, and what a full disk means."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from glasso_cli.errors import ServiceError


@contextmanager
def atomic_write(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """A file object whose content appears at ``path`` when the block ends without an error.

    The bytes go to a temporary name in the same folder, are synced and renamed: a killed process leaves the
    old file or none, and an error removes the temporary file. Raises :class:`ServiceError` when the folder
    cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            encoding = None if "b" in mode else "utf-8"
            newline = None if "b" in mode else "\n"
            with open(temporary, mode, encoding=encoding, newline=newline) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into a sentence and an advice."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ServiceError(
                f"The disk is full: {path} could not be written.",
                "Free some space and run the same command again; finished work is kept.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ServiceError(
                f"{path} may not be written ({os.strerror(error.errno)}).",
                "Change the permissions of the folder, or point `out` at another one.",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise ServiceError(
                f"{path} cannot be written: a file stands where a folder is needed, or the reverse.",
                "Move it away, or point `out` at another folder.",
            ) from error
        if error.errno in (errno.EIO, errno.ENAMETOOLONG, errno.ELOOP):
            raise ServiceError(
                f"{path} could not be written ({os.strerror(error.errno)}).",
                "Point `out` at another folder.",
            ) from error
        raise


def drop_leftovers(path: Path) -> None:
    """Remove what killed processes left beside ``path``; nobody else may be writing it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.tmp-*"):
        leftover.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def user_cache() -> Path:
    """The folder for things worth keeping between runs: ``GLASSO_CACHE_DIR``, or the platform's own."""
    if override := os.environ.get("GLASSO_CACHE_DIR"):
        return Path(override).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("glasso")
