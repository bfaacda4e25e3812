"""When is an artifact up to date, and if not, which field or input changed.

A key is the SHA-256 of the canonical JSON of a *material*: the stage and its version, the configuration it
reads without runtime fields, digests of upstream contents, and pinned outside inputs (commits, file digests).
The material is kept in the artifact's ``meta``, so the reason for a rerun is the difference between two
materials. Paths, times, hosts and package versions are not in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasso_cli.errors import ForeignFileError, GlassoError, InputError, ServiceError
from glasso_cli.files import atomic_write, disk_errors, drop_leftovers
from glasso_cli.npz import read_meta

FORMAT = "glasso.key/1"
Material = dict[str, Any]


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


def material_of(stage: str, version: int, config: dict[str, Any], inputs: dict[str, Any]) -> Material:
    """What determines an artifact of ``stage``."""
    return {
        "format": FORMAT,
        "stage": stage,
        "stage_version": version,
        "config": config,
        "inputs": inputs,
    }


def key_of(material: Material) -> str:
    """The cache key: SHA-256 of the canonical JSON, in hexadecimal."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stored_meta(path: Path) -> dict[str, Any]:
    """The meta of an artifact, from ``meta.json`` inside an ``.npz`` or from a ``.json`` manifest."""
    if path.suffix != ".json":
        return read_meta(path)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).", "Give a file of glasso.") from None
    try:
        meta = json.loads(text)
    except ValueError as error:
        if text[:1] in (b"", b"{"):  # a manifest cut short
            raise InputError(f"{path} is damaged.", "Delete it and run its stage again.") from error
        meta = None
    if not isinstance(meta, dict) or "kind" not in meta:
        raise ForeignFileError(
            f"{path} is not an artifact of glasso: it names no kind.",
            "Give an .npz, .dot or figures.json file that glasso wrote.",
        )
    return meta


def freshness(target: Target) -> Freshness:
    """Whether ``target`` is on disk with the right key; the reason names the first changes."""
    if not target.path.exists():
        return Freshness(False, "not made yet")
    try:
        meta = stored_meta(target.path)
    except GlassoError as error:
        return Freshness(False, error.message)
    if meta.get("key") != target.key:
        changed = differences(meta.get("material", {}), target.material)
        return Freshness(False, "; ".join(changed[:3]) or "made from something else")
    gone = [path.name for path in target.companions if not path.exists()]
    gone += [name for name in meta.get("files", []) if not (target.path.parent / name).exists()]
    if gone:
        return Freshness(False, f"{gone[0]} is missing")
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


# -- what changed -----------------------------------------------------------------------------------


def differences(old: Material, new: Material) -> list[str]:
    """The changes between two materials in words, such as ``collect.max_tokens 1000 → 2000``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changes = []
    for name in sorted(set(before) | set(after)):
        if before.get(name, _ABSENT) != after.get(name, _ABSENT):
            changes.append(_change(name, before.get(name, _ABSENT), after.get(name, _ABSENT)))
    return changes


_ABSENT = object()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _change(name: str, old: Any, new: Any) -> str:
    name = name.removeprefix("config.")
    if name.startswith("inputs."):
        parts = name.split(".")
        return f"{parts[-1]} changed" if parts[1] == "upstream" else f"{'.'.join(parts[1:])} changed"
    if old is _ABSENT or new is _ABSENT:
        return f"{name} is {'new' if old is _ABSENT else 'gone'}"
    return f"{name} {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 48 else text[:45] + "…"


# -- unfinished work ----------------------------------------------------------------------------------


def partial_folder(folder: Path, target: Target) -> Path:
    """The folder of ``target``'s finished pieces; it belongs to its key alone."""
    return folder / ".partial" / f"{target.stage}-{target.corpus}-{target.key[:16]}"


def drop_partials(folder: Path, target: Target) -> None:
    """Remove the pieces of ``target``, of what it supersedes, and what killed runs left beside its files."""
    for path in (target.path, *target.companions):
        drop_leftovers(path)
    for path in (folder / ".partial").glob(f"{target.stage}-{target.corpus}-*"):
        if path.name.removeprefix(f"{target.stage}-{target.corpus}-").isalnum():
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


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write a JSON manifest of files that belong together, such as a folder of figures."""
    with atomic_write(path, "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write("\n")
