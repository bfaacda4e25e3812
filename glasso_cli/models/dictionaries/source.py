"""Where a dictionary comes from: its folder, and a digest of all that decides what is read from it."""

from __future__ import annotations

from pathlib import Path

from glasso_cli.digests import folder_digest
from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import FORMATS, detect


def dictionary_folder(path: Path) -> Path:
    """The folder of the dictionary that ``path`` names: a folder, or a file of weights in it.

    Raises :class:`InputError` for a path that is neither.
    """
    if path.is_dir():
        return path
    names = sorted({kind.weights for kind in FORMATS.values()})
    if path.is_file() and path.name in names:
        return path.parent
    raise InputError(
        f"{path} is no file of weights of a dictionary." if path.exists() else f"There is no dictionary {path}.",
        f"Give the folder that its library saved, or one of these files in it: {', '.join(names)}.",
    )


def dictionary_digest(path: Path) -> str:
    """One SHA-256 over the files of a dictionary: weights, settings and what they claim of its quality.

    Raises :class:`InputError` for a path without a dictionary.
    """
    folder = dictionary_folder(path)
    kind = FORMATS[detect(folder)]
    return folder_digest(folder, [kind.weights, *kind.others, *kind.claims])


def pin_dictionary(path: Path, hook_point: str | None, output: str | None = None) -> dict[str, str]:
    """What a cache key holds of a dictionary: the digest of its files.

    Where no ``hook_point`` is given, or no ``output`` of a transcoder, also what its path names, if no file does.
    """
    digest = {"sha256": dictionary_digest(path)}
    folder = dictionary_folder(path)
    if hook_point and output:
        return digest
    kind = FORMATS[detect(folder)]
    named = kind.predicted_by_path(folder) if hook_point else kind.said_by_path(folder)
    return {**digest, "named": named} if named else digest
