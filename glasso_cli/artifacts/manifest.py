"""The meta of any file that glasso wrote, and JSON manifests of files that belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glasso_cli.artifacts.npz import read_meta
from glasso_cli.errors import GIVE_AN_ARTIFACT, ForeignFileError, InputError
from glasso_cli.files import atomic_write


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
            GIVE_AN_ARTIFACT,
        )
    return meta


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write a JSON manifest of files that belong together, such as a folder of figures."""
    with atomic_write(path, "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write("\n")
