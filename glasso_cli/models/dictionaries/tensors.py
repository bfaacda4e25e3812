"""Files of weights and settings, read with checks: what is missing, cut short, misshapen or not finite is refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError, extras_needed
from glasso_cli.models.folder import LFS_POINTER

if TYPE_CHECKING:
    import torch

DOWNLOAD_AGAIN = "Download the file again."


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors of a file, by name."""

    path: Path
    tensors: Mapping[str, torch.Tensor]

    def take(self, name: str, *shape: int | None) -> torch.Tensor:
        """One tensor as float32 of ``shape``, where None allows any length.

        Raises :class:`InputError` if it is missing, has another shape, or holds values that are not finite.
        """
        if name not in self.tensors:
            raise InputError(
                f"{self.path} has no tensor {name}; it has {', '.join(sorted(self.tensors)) or 'none'}.",
                "Give the folder that the library of the dictionary saved, with all of its files.",
            )
        value = self.tensors[name]
        found = tuple(value.shape)
        if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
            wanted = ", ".join("any" if want is None else str(want) for want in shape)
            raise InputError(
                f"The tensor {name} in {self.path} has the shape {found}, where ({wanted}) is expected.",
                "Give the settings and the weights of the same dictionary.",
            )
        if 0 in found:
            raise InputError(f"The tensor {name} in {self.path} is empty: {found}.", DOWNLOAD_AGAIN)
        value = value.detach().float().contiguous()
        if not bool(value.isfinite().all()):
            raise InputError(f"The tensor {name} in {self.path} holds values that are not finite.", DOWNLOAD_AGAIN)
        return value

    def only(self, known: Collection[str], kind: str) -> None:
        """Raise :class:`InputError` for tensors that a dictionary of this kind does not have.

        An unknown tensor means that the formula would be another one.
        """
        unknown = sorted(set(self.tensors) - set(known))
        if unknown:
            raise InputError(
                f"{self.path} holds {', '.join(unknown)}, which glasso does not know in {kind} dictionaries.",
                "Give a dictionary of a kind that docs/dictionaries.md lists.",
            )


def read_settings(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``. Raises :class:`InputError` if it is not one."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}).", DOWNLOAD_AGAIN) from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} holds no JSON object.", DOWNLOAD_AGAIN)
    return settings


def read_safetensors(path: Path) -> Weights:
    """The tensors of a safetensors file. Raises :class:`InputError` for a damaged one."""
    with extras_needed():
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    require_content(path)
    try:
        return Weights(path, load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is cut short or not a safetensors file ({error}).", DOWNLOAD_AGAIN) from error


def read_pickle(path: Path) -> Weights:
    """The tensors of a file that ``torch.save`` wrote of a state dict.

    Only tensors are read; a pickle that wants to run code is refused. Raises :class:`InputError` for that, and for a
    damaged file.
    """
    with extras_needed():
        import torch
    require_content(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle makes it raise
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{path} is damaged, or holds more than tensors ({reason[0] if reason else type(error).__name__}).",
            "Download it again; if it holds whole objects, save its state_dict() with torch.save.",
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path} holds no state dict of tensors.", "Save the state_dict() of the dictionary.")
    return Weights(path, {str(name).removeprefix("_orig_mod."): value for name, value in state.items()})


def read_npz(path: Path) -> Weights:
    """The arrays of an ``.npz`` file as tensors. Raises :class:`InputError` for a damaged one."""
    with extras_needed():
        import torch
    import numpy as np

    require_content(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            tensors = {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except Exception as error:  # zipfile, zlib, NumPy and torch each have their own for damaged bytes
        raise InputError(f"{path} is cut short or not an .npz file of numbers ({error}).", DOWNLOAD_AGAIN) from error
    return Weights(path, tensors)


def require_content(path: Path) -> None:
    """Raise :class:`InputError` if the file is empty, unreadable, or a Git LFS pointer."""
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}).", "Give a file that can be read.") from error
    if not start:
        raise InputError(f"{path} is empty.", DOWNLOAD_AGAIN)
    if start == LFS_POINTER:
        raise InputError(f"{path} is a Git LFS pointer, not the weights.", "Run 'git lfs pull' in its folder.")


def whole_number(settings: Mapping[str, Any], name: str, path: Path) -> int:
    """A positive whole number among the settings. Raises :class:`InputError` if it is missing or no such number."""
    value = settings.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(
            f"{path} gives {name} as {value!r}, where a whole number above zero is expected.",
            "Give the file that the library of the dictionary saved.",
        )
    return value


def number(settings: Mapping[str, Any], name: str) -> float | None:
    """A finite number among the settings, or None."""
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        return None
    return float(value)
