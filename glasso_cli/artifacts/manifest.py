"""The meta of any file that glasso wrote, and JSON manifests of files that belong together."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from glasso_cli.artifacts.npz import read_meta, verify
from glasso_cli.digests import file_digests, remembered
from glasso_cli.errors import GIVE_AN_ARTIFACT, ForeignFileError, InputError
from glasso_cli.files import atomic_write, os_reason, require_regular, sha256_of

# longest manifest that is read
_LONGEST = 64 << 20  # bytes
_SEAL = "seal"  # the SHA-256 of all else in a manifest


def stored_meta(path: Path) -> dict[str, Any]:
    """The meta of an artifact, from ``meta.json`` inside an ``.npz`` or from a ``.json`` manifest.

    A manifest is verified as a whole. Of an ``.npz``, the arrays are not: see :func:`verified_content`.
    """
    if path.suffix != ".json":
        return read_meta(path)
    require_regular(path)
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({os_reason(error)}).", "Give a file of glasso.") from None
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text[:1] in (b"", b"{"):  # a manifest cut short
            raise _damaged(path) from error
        meta = None
    if not isinstance(meta, dict) or not isinstance(meta.get("kind"), str):
        raise ForeignFileError(
            f"{path} is not an artifact of glasso: it names no kind.",
            GIVE_AN_ARTIFACT,
        )
    if meta.pop(_SEAL, None) != _seal(meta):
        raise _damaged(path)
    return meta


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write a JSON manifest of files that belong together, such as a folder of figures."""
    with atomic_write(path, "w") as file:
        sealed = {**manifest, _SEAL: _seal(manifest)}
        json.dump(sealed, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write("\n")


def verified_content(path: Path) -> str:
    """The content digest of an artifact, once its content is known to be what was written.

    The arrays of an ``.npz`` are read for that once for every state of the file (:mod:`glasso_cli.digests`). Raises
    :class:`InputError` where the artifact is damaged.
    """
    if path.suffix == ".npz":
        require_regular(path)
        return remembered("npz", [path], verify)[0]
    content = stored_meta(path).get("content")
    remembered("sha256", [path], sha256_of)
    return json.dumps(content, sort_keys=True) if not isinstance(content, str) else content


def changed_beside(path: Path, meta: dict[str, Any]) -> str | None:
    """Which of the files written with an artifact is missing or is no longer what was written; None if none is.

    ``meta["companions"]`` has the digests of the files beside ``path`` by name.
    """
    companions = {path.parent / name: digest for name, digest in meta.get("companions", {}).items()}
    for companion in companions:
        if not companion.is_file():
            return f"{companion.name} is missing"
    try:
        now = file_digests(companions)
    except OSError as error:
        return f"a file beside it cannot be read ({os_reason(error)})"
    changed = [path.name for (path, digest), found in zip(companions.items(), now) if digest != found]
    return f"{changed[0]} was changed or damaged" if changed else None


def _seal(manifest: dict[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged.", "Delete it and run its stage again.")
