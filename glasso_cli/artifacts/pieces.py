"""Finished parts of an unfinished artifact: read if they are whole, made again if not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts.npz import read_meta, read_npz, write_npz
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.files import remove

Part = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays by name, and meta


def write_piece(
    path: Path,
    kind: str,
    schema: int,
    arrays: Mapping[str, np.ndarray],
    meta: dict[str, Any],
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Write a piece that knows its own name, so that no other is taken for it.

    Where another process has written the piece by now, the first one stays. ``tell`` hears of it if the arrays differ.
    """
    meta = {**meta, "kind": kind, "schema": schema, "piece": _label(path)}
    content = write_npz(path, arrays, meta, keep_first=True)
    try:
        first = read_meta(path).get("content")
    except InputError:  # damaged
        replace_piece(path, kind, schema, arrays, meta)
        return
    if first != content:
        tell(
            f"{path} was made twice, with other numbers the second time; the first file is kept. Machines of several kinds "
            "give other last digits, and so do other numbers of threads."
        )


def replace_piece(path: Path, kind: str, schema: int, arrays: Mapping[str, np.ndarray], meta: dict[str, Any]) -> None:
    """As :func:`write_piece`, in the place of a piece of this name."""
    write_npz(path, arrays, {**meta, "kind": kind, "schema": schema, "piece": _label(path)})


def read_piece(path: Path, kind: str, schema: int, tell: Callable[[str], None] = lambda text: None) -> Part | None:
    """The arrays and the meta of a piece; None where it must be made.

    A piece that is damaged, of another kind or schema, or in the place of another is deleted, and ``tell`` hears of it.
    """
    if not path.exists():
        return None
    try:
        arrays, meta = read_npz(path)
        if (meta["kind"], meta["schema"], meta.get("piece")) == (kind, schema, _label(path)):
            return arrays, meta
        reason = "is not what its name says"
    except InputError:
        reason = "is damaged"
    remove(path)
    tell(f"{path} {reason}: it is made again")
    return None


def written_piece(path: Path, kind: str, schema: int) -> Part:
    """A piece that was just written; raises :class:`ServiceError` where the disk gives back something else."""
    piece = read_piece(path, kind, schema)
    if piece is None:
        raise ServiceError(
            f"{path} does not hold what was just written to it.",
            "Check the disk, point `out` at another one, and run the same command again.",
        )
    return piece


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
