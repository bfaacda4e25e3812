"""A folder of images: which files, and each as an array of channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.config import CorpusSection
from glasso_cli.errors import InputError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def image_files(folder: Path, key: str) -> list[Path]:
    """The images in ``folder``, by name; :class:`InputError` where there are none."""
    if not folder.is_dir():
        raise InputError(f"{key}.images: there is no folder {folder}.", "Check the path.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise InputError(f"{key}.images: {folder} holds no images.", f"Images end in {', '.join(SUFFIXES)}.")
    return files


def read_image(path: Path, corpus: CorpusSection, *, raw: bool = False) -> Any:
    """One image as ``(channels, height, width)`` float32, resized, cropped and normalised as ``corpus`` says.

    ``raw`` gives the image of Pillow itself, for a function that prepares it. Raises :class:`InputError` for a file that
    is no image, and for one that is smaller than the crop.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise InputError("Images need the package pillow.", "pip install 'glasso-cli[networks]'") from error
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB" if corpus.channels == 3 else "L")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image.", "Remove it, or save it again.") from error
    if corpus.resize is not None:
        scale = corpus.resize / min(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    if corpus.crop is not None:
        left, top = (image.width - corpus.crop) // 2, (image.height - corpus.crop) // 2
        if left < 0 or top < 0:
            raise InputError(
                f"{path} has {image.width} x {image.height} pixels, fewer than the crop of {corpus.crop}.",
                "Set resize to at least crop.",
            )
        image = image.crop((left, top, left + corpus.crop, top + corpus.crop))
    if raw:
        return image
    values = np.asarray(image, dtype=np.float32) / np.float32(255)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    mean, std = (np.array(item, dtype=np.float32).reshape(-1, 1, 1) for item in (corpus.mean, corpus.std))
    return np.ascontiguousarray((values - mean) / std)
