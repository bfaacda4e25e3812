"""What the stages hand to each other: frozen dataclasses of arrays with ``meta``, saved as ``.npz``.

``meta`` names the kind, the schema version, the cache key and what went into it, and the metrics of the run.
Nothing in an artifact depends on the time, the host or the path of the run.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

import glasso_cli
from glasso_cli.artifacts.manifest import verified_content
from glasso_cli.artifacts.npz import Chunked, map_npz, read_meta, write_npz
from glasso_cli.artifacts.orientation import is_oriented
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

AnArtifact = TypeVar("AnArtifact", bound="Artifact")

# Dimensions that follow from others.
_COMPUTED: dict[str, Callable[[dict[str, int]], int]] = {
    "p(p+1)/2": lambda size: size["p"] * (size["p"] + 1) // 2,
    "A + 1": lambda size: size["A"] + 1,
}


def array(*dimensions: str, dtype: str, may_be_empty: bool = False, optional: str = "") -> Any:
    """A field that holds an array: a letter for every dimension, a number or a formula, and the type.

    The same letter is the same length in all arrays of an artifact. The arrays that name the same group as ``optional`` are all
    there, or all of them are None and not in the file.
    """
    described = {"dimensions": dimensions, "dtype": dtype, "may_be_empty": may_be_empty, "optional": optional}
    return field(default=None, metadata=described) if optional else field(metadata=described)


def misfits(kind: type[Artifact], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What of ``arrays`` is not as the fields of ``kind`` declare it, in words."""
    wrong: list[str] = []
    size: dict[str, int] = {}
    for item in fields(kind):
        values = arrays.get(item.name)
        if values is None:  # meta, and optional arrays that are absent
            continue
        declared, dtype = item.metadata["dimensions"], item.metadata["dtype"]
        if (values.dtype.kind != "U") if dtype == "str" else (values.dtype != np.dtype(dtype)):
            wrong.append(f"{item.name} is {values.dtype}, not {dtype}")
        if values.size == 0 and item.metadata["may_be_empty"]:
            continue
        expected = [_length(name, size, length) for name, length in zip(declared, values.shape)]
        if expected != list(values.shape) or len(declared) != values.ndim:
            wrong.append(f"{item.name} is {values.shape}, not ({', '.join(declared)})")
    return wrong


def _length(name: str, size: dict[str, int], found: int) -> int:
    if name.isdigit():
        return int(name)
    return _COMPUTED[name](size) if name in _COMPUTED else size.setdefault(name, found)


@dataclass(frozen=True, eq=False, repr=False)
class Artifact:
    """Arrays and ``meta``; every dataclass field but ``meta`` is one member of the file."""

    kind: ClassVar[str]
    schema: ClassVar[int]

    meta: dict[str, Any]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.meta.get('corpus', 'unnamed')}: {self.in_words()})"

    def in_words(self) -> str:
        """The sizes of the artifact, in a few words."""
        return self.kind

    def edge_columns(self) -> dict[str, Any]:
        """The table of pairs of neurons, by column."""
        raise self._no_table("pairs of neurons")

    def neuron_columns(self) -> dict[str, Any]:
        """The table of neurons, by column."""
        raise self._no_table("neurons")

    def _no_table(self, rows: str) -> InputError:
        return InputError(f"'{self.kind}' has no table of {rows}.", "Take the artifact of another stage.")

    def edges_frame(self) -> pd.DataFrame:
        """The pairs of neurons as a data frame: the columns of the stage's ``.edges.csv``."""
        return frame_of(self.edge_columns())

    def neurons_frame(self) -> pd.DataFrame:
        """The neurons as a data frame, one row each."""
        return frame_of(self.neuron_columns())

    def save(self, path: str | os.PathLike[str], **streamed: Chunked) -> str:
        """The content digest, after writing to ``path``; ``streamed`` members replace fields of that name."""
        if is_oriented(self):
            raise ValueError("an oriented copy cannot be saved: artifacts hold the model's own signs")
        names = [item.name for item in fields(self) if item.name != "meta"]
        held = {name: getattr(self, name) for name in names}
        arrays: dict[str, np.ndarray | Chunked] = {name: value for name, value in held.items() if value is not None}
        return write_npz(Path(path), {**arrays, **streamed}, self.described())

    def described(self) -> dict[str, Any]:
        """``meta`` with the kind, the schema version and the versions that wrote it."""
        versions = {
            "glasso": glasso_cli.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        merged = {**versions, **self.meta.get("versions", {})}
        return {**self.meta, "kind": self.kind, "schema": self.schema, "versions": merged}

    @classmethod
    def load(cls: type[AnArtifact], path: Path) -> AnArtifact:
        """The artifact at ``path``, its content verified.

        Raises :class:`InputError` if it is damaged, of another kind or of another schema.
        """
        check_kind(path, read_meta(path), cls.kind, cls.schema)
        verified_content(path)
        arrays, meta = map_npz(path)
        optional = {item.name: item.metadata["optional"] for item in fields(cls) if item.metadata.get("optional")}
        present = {group for name, group in optional.items() if name in arrays}
        names = {item.name for item in fields(cls)} - {"meta"}
        names -= {name for name, group in optional.items() if group not in present}
        missing = sorted(names - set(arrays))
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}.", "Delete it and run its stage again.")
        if wrong := misfits(cls, arrays):
            raise InputError(f"{path} is not consistent: {wrong[0]}.", "Delete it and run its stage again.")
        return cls(meta=meta, **{name: arrays[name] for name in names})


def check_kind(path: Path, meta: dict[str, Any], kind: str, schema: int) -> None:
    """Raise :class:`InputError` unless ``meta`` is of ``kind`` in a schema version this glasso reads."""
    if meta["kind"] != kind:
        raise InputError(
            f"{path} holds '{meta['kind']}', not '{kind}'.",
            "Give the artifact of the right stage; `glasso show` tells what a file is.",
        )
    if meta["schema"] > schema:
        writer = meta.get("versions", {}).get("glasso", "a newer version")
        raise InputError(
            f"{path} was written by glasso {writer} (schema {kind}/{meta['schema']}; this one reads up to {schema}).",
            "Upgrade glasso, or run the stage again with this one.",
        )
    if meta["schema"] < schema:
        raise InputError(
            f"{path} was written by an older glasso (schema {kind}/{meta['schema']}; this one reads {schema}).",
            "Run the stage again.",
        )


def frame_of(columns: dict[str, Any]) -> pd.DataFrame:
    """A data frame of ``columns``."""
    import pandas as pd

    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
