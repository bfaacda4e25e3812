"""How a model of transformers prepares an image or a recording: by its own ``preprocessor_config.json``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.models.folder import one_line

FILE = "preprocessor_config.json"


def preparation(model_id: str, folder: Path, kind: str, input_name: str) -> tuple[Callable[[Any], Any] | None, str]:
    """A function that prepares one document, or None where the folder does not say how; and a sentence about it.

    Images of Pillow and recordings, arrays of one axis, are prepared. Arrays of more axes count as prepared. Raises
    :class:`InputError` for a file that cannot be used.
    """
    what = "images" if kind == "image" else "recordings"
    if not (folder / FILE).is_file():
        return None, f"has no {FILE}, so that {what} go in as corpora says"
    from transformers import AutoFeatureExtractor, AutoImageProcessor

    auto: Any = AutoImageProcessor if kind == "image" else AutoFeatureExtractor
    try:
        processor = auto.from_pretrained(folder)
    except Exception as error:  # a file of others, which can be wrong in any way
        raise InputError(
            f"The {FILE} of '{model_id}' cannot be used: {one_line(str(error))}",
            "Download the model again; or remove the file, and say in corpora how images are prepared.",
        ) from error
    own = {} if kind == "image" else {"sampling_rate": processor.sampling_rate}

    def prepare(document: Any) -> Any:
        if isinstance(document, np.ndarray) and (kind == "image" or document.ndim != 1):
            return document
        try:
            made = processor(document, return_tensors="np", **own)[input_name]
        except Exception as error:  # code of others
            raise InputError(
                f"The {FILE} of '{model_id}' fails on a document: {one_line(str(error))}",
                f"Check the document; or prepare the {what} yourself and give arrays.",
            ) from error
        return np.asarray(made[0], dtype=np.float32)

    return prepare, f"{what} are prepared as its {FILE} says ({_said(processor, kind)})"


def _said(processor: Any, kind: str) -> str:
    """The settings of a processor in words."""
    known = processor.to_dict()
    if kind == "audio":
        return f"{type(processor).__name__}, {known['sampling_rate']:,} samples per second"
    steps = []
    for does, key in (("do_resize", "size"), ("do_center_crop", "crop_size")):
        if known.get(does) and known.get(key):
            sizes = dict(known[key])
            steps.append(f"{does[3:].replace('_', ' ')} {' '.join(f'{name} {value}' for name, value in sizes.items())}")
    if known.get("do_normalize"):
        steps.append(f"mean {_numbers(known.get('image_mean'))}, std {_numbers(known.get('image_std'))}")
    return f"{type(processor).__name__}: {', '.join(steps) or 'no steps'}"


def _numbers(values: Any) -> str:
    items = values if isinstance(values, list | tuple) else [values]
    return " ".join(f"{float(value):.3g}" for value in items)
