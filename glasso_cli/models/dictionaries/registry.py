"""The formats of dictionaries that can be read, told apart by the files in a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries import dictionary_learning, gemma_scope, saelens, sparsify
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.hook_names import Hook


@dataclass(frozen=True)
class Format:
    """A library's way to save a dictionary: the file of weights, which tells it, and its companions.

    ``claims`` are files that may be missing. ``said_by_path(folder)`` is what no file holds, such as the hook
    point; ``predicted_by_path(folder)`` is the part of that about what a transcoder predicts.
    """

    weights: str
    others: tuple[str, ...]
    read: Callable[[Path], Dictionary]
    claims: tuple[str, ...] = ()
    said_by_path: Callable[[Path], str] = lambda folder: ""
    predicted_by_path: Callable[[Path], str] = lambda folder: ""


FORMATS = {
    "SAELens": Format(saelens.WEIGHTS, (saelens.SETTINGS,), saelens.read),
    "sparsify": Format(
        sparsify.WEIGHTS,
        (sparsify.SETTINGS,),
        sparsify.read,
        said_by_path=sparsify.said_by_path,
        predicted_by_path=sparsify.predicted_by_path,
    ),
    "dictionary_learning": Format(
        dictionary_learning.WEIGHTS,
        (dictionary_learning.SETTINGS,),
        dictionary_learning.read,
        (dictionary_learning.MEASURED,),
    ),
    "Gemma Scope": Format(
        gemma_scope.WEIGHTS,
        (),
        gemma_scope.read,
        said_by_path=gemma_scope.said_by_path,
        predicted_by_path=gemma_scope.predicted_by_path,
    ),
}


def load_dictionary(
    folder: Path | str,
    *,
    hook_in: str | None = None,
    hook_out: str | None = None,
    scale: float | None = None,
    centre: bool = False,
) -> Dictionary:
    """The dictionary that one of the libraries saved in ``folder``, on the CPU in float32.

    ``hook_in`` and ``hook_out`` are glasso's hook points, where the files do not name them or name them wrongly; an
    autoencoder has only the first. ``scale`` multiplies the activations first, and ``centre`` takes the mean over the
    coordinates off each token: models that TransformerLens loads with ``center_writing_weights`` have none.

    Raises :class:`InputError` for a folder without a dictionary, a kind that is not read, and damaged files.
    """
    folder = Path(folder)
    found = FORMATS[detect(folder)].read(folder)
    if scale is not None:
        if not (isfinite(scale) and scale > 0):
            raise InputError(
                f"The scale {scale} of a dictionary is not a number above zero.", "Give a positive number."
            )
        found = replace(found, scale=scale)
    if centre:
        found = replace(found, centre=True)
    if hook_in is not None:
        found = replace(found, hook_in=Hook(found.hook_in.given, hook_in))
    if not found.transcoder:
        return replace(found, hook_out=found.hook_in)
    return found if hook_out is None else replace(found, hook_out=Hook(found.hook_out.given, hook_out))


def detect(folder: Path) -> str:
    """The name in ``FORMATS`` of what is in ``folder``.

    Raises :class:`InputError` if there is none, more than one, or a companion of the weights is missing.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} with a dictionary.", "Give the folder that holds its files.")
    named = [name for name, kind in FORMATS.items() if (folder / kind.weights).is_file()]
    if not named:
        raise InputError(f"{folder} holds no dictionary that glasso can read.", _what_to_give(folder))
    if len(named) > 1:
        raise InputError(
            f"{folder} holds dictionaries of several libraries: {', '.join(named)}.", "Give a folder with one of them."
        )
    missing = [name for name in FORMATS[named[0]].others if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} holds the weights of a {named[0]} dictionary, but no {' or '.join(missing)}.",
            "Download the missing file, which says how the weights are meant.",
        )
    return named[0]


def _what_to_give(folder: Path) -> str:
    inside = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and any((path / kind.weights).is_file() for kind in FORMATS.values())
    )
    if inside:
        return f"Give one of the dictionaries in it, such as {folder / inside[0]}."
    files = "; ".join(f"{name}: {' and '.join((*kind.others, kind.weights))}" for name, kind in FORMATS.items())
    return f"Give a folder with the files of one of these ({files})."
