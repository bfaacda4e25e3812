"""Files that are either whole or not there: atomic writes, digests, the user's cache, and what a full disk means."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from glasso_cli.errors import DiskError, InputError, ServiceError

_ADVICE = {
    errno.ENOENT: "A file or a folder is gone. Run the same command again: what is missing is made again.",
    errno.EACCES: "Change the permissions of the file and of the folders above it.",
    errno.EPERM: "Change the permissions of the file and of the folders above it.",
    errno.ENOSPC: "Free some space and run the same command again; finished work is kept.",
    errno.EDQUOT: "Free some space and run the same command again; finished work is kept.",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`), or use another disk; finished work is kept.",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n`) and run the same command again.",
    errno.ENOMEM: "Free some memory and run the same command again; finished work is kept.",
}


@contextmanager
def atomic_write(path: Path, mode: str = "wb", *, private: bool = False, keep_first: bool = False) -> Iterator[IO[Any]]:
    """A file object whose content appears at ``path`` when the block ends without an error.

    The bytes go to a temporary name in the same folder, are synced and renamed: a killed process leaves the
    old file or none, and an error removes the temporary file. ``private`` files can be read by their owner alone.
    With ``keep_first``, a file that is at ``path`` by then stays as it is, whichever machine wrote it.
    Raises :class:`DiskError`, or another :class:`ServiceError`, when the file cannot be written.
    """
    own = (
        f"{secrets.token_hex(4)}-{os.getpid()}" if keep_first else str(os.getpid())
    )  # other machines have this number too
    temporary = path.with_name(f".{path.name}.tmp-{own}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            encoding = None if "b" in mode else "utf-8"
            newline = None if "b" in mode else "\n"
            opener = _open_private if private else None
            with open(temporary, mode, encoding=encoding, newline=newline, opener=opener) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if keep_first:
                _link(temporary, path)
            else:
                os.replace(temporary, path)
            sync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


_NO_LINKS = {
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.ENOSYS,
    errno.EMLINK,
}  # what file systems without them say


def _link(temporary: Path, path: Path) -> None:
    """Give ``temporary`` the name ``path`` unless there is a file of that name; the temporary name is gone after that."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if not path.exists():
            os.replace(temporary, path)
    temporary.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into a sentence and an advice."""
    try:
        yield
    except BrokenPipeError:
        raise  # not of the disk
    except OSError as error:
        if error.errno is None:
            raise  # a library's own error, of the same class
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                f"The disk is full: {path} could not be written.",
                "Free some space and run the same command again; finished work is kept.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DiskError(
                f"{path} may not be written ({os.strerror(error.errno)}).",
                "Change the permissions of the folder, or point `out` at another one.",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise DiskError(
                f"{path} cannot be written: a file stands where a folder is needed, or the reverse.",
                "Move it away, or point `out` at another folder.",
            ) from error
        raise ServiceError(
            f"{path} could not be written ({os_reason(error)}).",
            _ADVICE.get(error.errno or 0, "Point `out` at another folder."),
        ) from error


def system_error(error: OSError) -> ServiceError:
    """What the operating system refused, and what to do; for errors that no closer place has a better sentence for."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    what = " and ".join(names) if names else "a request"
    return ServiceError(
        f"The operating system refused {what}: {os_reason(error)}.",
        _ADVICE.get(error.errno or 0, "Settle that and run the same command again; finished work is kept."),
    )


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk, where the system can tell."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def os_reason(error: OSError) -> str:
    """What the operating system says, in its own words."""
    return error.strerror or str(error) or type(error).__name__


def require_regular(path: Path) -> None:
    """Raise :class:`InputError` unless ``path`` is a file that can be opened without waiting, as a pipe cannot."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({os_reason(error)}).", "Check the path and its permissions."
        ) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder, not a file.", "Give a file.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a pipe or a device, not a file.", "Move it away, or give a file.")


def remove(path: Path) -> None:
    """Remove a file of ours, or a folder that stands in its place; nothing where there is neither."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def drop_leftovers(folder: Path, *, shared: bool = False) -> None:
    """Remove the temporary files that killed processes left in ``folder``.

    Nobody else may be writing there; in a ``shared`` folder, the files of processes that run are left alone.
    """
    with suppress(OSError):
        for leftover in folder.glob(".*.tmp-*"):
            if not (shared and _is_running(leftover.name.rpartition("-")[2])):
                leftover.unlink(missing_ok=True)


def _is_running(process: str) -> bool:
    """Whether another process of this number runs; this one writes nothing while it cleans up."""
    if not process.isdigit() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


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
