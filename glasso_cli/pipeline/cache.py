"""When is an artifact up to date, and if not, which field or input changed.

A key is the SHA-256 of the canonical JSON of a *material*: the stage and its version, the configuration it
reads without runtime fields, digests of upstream contents, and pinned outside inputs (commits, file digests).
The material is kept in the artifact's ``meta``, so the reason for a rerun is the difference between two
materials. Paths, times, hosts and package versions are not in it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from glasso_cli.artifacts.keys import Material, differences, key_of
from glasso_cli.artifacts.manifest import changed_beside, stored_meta, verified_content
from glasso_cli.digests import State
from glasso_cli.errors import ForeignFileError, GlassoError, InputError, ServiceError
from glasso_cli.files import atomic_write, disk_errors, drop_leftovers, remove


@dataclass(frozen=True)
class Target:
    """One artifact to be made: where, out of what, and the files that belong to it."""

    stage: str
    corpus: str
    path: Path
    material: Material
    companions: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        return key_of(self.material)


@dataclass(frozen=True)
class Freshness:
    """Whether an artifact is up to date, and the reason in words."""

    fresh: bool
    reason: str


def freshness(target: Target) -> Freshness:
    """Whether ``target`` is on disk with the right key; the reason names the first changes."""
    if not os.path.lexists(target.path):
        return Freshness(False, "not made yet")
    try:
        meta = stored_meta(target.path)
    except GlassoError as error:
        return Freshness(False, error.message)
    if meta.get("key") != target.key:
        changed = differences(meta.get("material", {}), target.material)
        return Freshness(False, "; ".join(changed[:3]) or "made from something else")
    try:
        verified_content(target.path)
    except GlassoError as error:
        return Freshness(False, error.message)
    known = meta.get("companions", {})
    unknown = [path.name for path in target.companions if path.name not in known]
    if unknown:
        return Freshness(False, f"{unknown[0]} is missing")
    if changed_file := changed_beside(target.path, meta):
        return Freshness(False, changed_file)
    return Freshness(True, "up to date")


def refuse_foreign(target: Target) -> None:
    """Raise :class:`ForeignFileError` when a file that glasso did not write stands at the target's path."""
    try:
        stored_meta(target.path)
    except ForeignFileError:
        raise ForeignFileError(
            f"{target.path} was not written by glasso and would be overwritten.",
            "Move it away, point `out` at another folder, or run with --force.",
        ) from None
    except InputError:
        return  # not there yet, or damaged: making it is the remedy


# -- unfinished work ----------------------------------------------------------------------------------


_INPUTS = ".inputs.json"  # what the records of the inputs of pieces are called, after their folder and a machine


def partial_folder(folder: Path, target: Target) -> Path:
    """The folder of ``target``'s finished pieces; it belongs to its key alone."""
    return folder / ".partial" / f"{target.stage}-{target.corpus}-{target.key[:16]}"


def keep_pieces_of(states: dict[Path, State], pieces: Path) -> bool:
    """Drop ``pieces`` unless the outside inputs are in the states in which they were when this machine began the pieces.

    An input that was replaced after its digest was taken, and put back, would otherwise live on in a piece. Each machine
    has a record of its own: the same file has another state on another machine. Returns whether anything was dropped.
    """
    record = _record_of(pieces)
    now = _plain(states)
    before = _recorded(record)
    if before == now:
        return False
    others = any(path != record for path in pieces.parent.glob(f"{pieces.name}@*{_INPUTS}"))
    dropped = pieces.is_dir() and (os.path.lexists(record) or not others)
    if dropped or not others:
        remove(pieces)
    _write_record(record, now)
    return dropped


def refuse_changed_inputs(states: dict[Path, State], pieces: Path) -> None:
    """Raise :class:`InputError` where :func:`keep_pieces_of` would drop what other processes made; record the states here."""
    record, now = _record_of(pieces), _plain(states)
    before = _recorded(record)
    if before is None:
        _write_record(record, now)
    elif before != now:
        raise InputError(
            "A file of the model or of the texts was written since the pilot was made.",
            "Make the pilot again with --pilot, then run all parts again.",
        )


def _plain(states: dict[Path, State]) -> dict[str, list[int]]:
    return {str(path.resolve()): list(state) for path, state in states.items()}


def _record_of(pieces: Path) -> Path:
    machine = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:64]
    return pieces.with_name(f"{pieces.name}@{machine}{_INPUTS}")


def _recorded(record: Path) -> object:
    """What this machine's record says; None where there is none, or none that can be read."""
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _write_record(record: Path, states: dict[str, list[int]]) -> None:
    if record.is_dir():
        remove(record)
    with atomic_write(record, "w") as file:
        json.dump(states, file)


def drop_partials(folder: Path, target: Target) -> None:
    """Remove the pieces of ``target``, of what it supersedes, and what killed runs left beside its files."""
    drop_leftovers(target.path.parent)
    for path in (folder / ".partial").glob(f"{target.stage}-{target.corpus}-*"):
        name = path.name.removeprefix(f"{target.stage}-{target.corpus}-")
        if name.endswith(_INPUTS) and name.partition("@")[0].isalnum():
            remove(path)
        elif name.isalnum():
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        (folder / ".partial").rmdir()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for one process; raises :class:`ServiceError` when another has it.

    The lock is the operating system's: it is gone when the process is, however it ended.
    """
    from filelock import FileLock, Timeout

    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        holder = FileLock(folder / ".lock")
        try:
            holder.acquire(timeout=0)
        except Timeout:
            raise ServiceError(
                f"Another glasso is working in {folder}.",
                "Wait until it ends, or give this run another `out`.",
            ) from None
    try:
        yield
    finally:
        holder.release()
