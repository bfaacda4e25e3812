"""Images in a folder or a dataset: which there are, and each as an array of channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.config import CorpusSection
from glasso_cli.corpora.documents import dataset_errors, load_rows
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
    """The image in a file, as :func:`prepared_image` gives it; :class:`InputError` for a file that is no image."""
    image_class, errors = _pillow()
    try:
        with image_class.open(path) as opened:
            opened.load()
    except errors as error:
        raise InputError(f"{path} cannot be read as an image.", "Remove it, or save it again.") from error
    return prepared_image(opened, corpus, str(path), raw=raw)


def prepared_image(image: Any, corpus: CorpusSection, name: str, *, raw: bool = False) -> Any:
    """An image of Pillow as ``(channels, height, width)`` float32, resized, cropped and normalised as ``corpus`` says.

    ``raw`` gives the image of Pillow itself, for a function that prepares it. ``name`` is what the document is called
    where it is smaller than the crop: :class:`InputError`.
    """
    image_class, _ = _pillow()
    image = image.convert("RGB" if corpus.channels == 3 else "L")
    if corpus.resize is not None:
        scale = corpus.resize / min(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, image_class.Resampling.BICUBIC)
    if corpus.crop is not None:
        left, top = (image.width - corpus.crop) // 2, (image.height - corpus.crop) // 2
        if left < 0 or top < 0:
            raise InputError(
                f"{name} has {image.width} x {image.height} pixels, fewer than the crop of {corpus.crop}.",
                "Set resize to at least crop.",
            )
        image = image.crop((left, top, left + corpus.crop, top + corpus.crop))
    if raw:
        return image
    values = np.asarray(image, dtype=np.float32) / np.float32(255)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    mean, std = (np.array(item, dtype=np.float32).reshape(-1, 1, 1) for item in (corpus.mean, corpus.std))
    return np.ascontiguousarray((values - mean) / std)


def _pillow() -> tuple[Any, tuple[type[Exception], ...]]:
    """The module for images, and what it raises for a file that is none."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise InputError("Images need the package pillow.", "pip install 'glasso-cli[networks]'") from error
    return Image, (OSError, UnidentifiedImageError, Image.DecompressionBombError)


def dataset_images(corpus: CorpusSection, *, raw: bool = False) -> list[Callable[[], Any]]:
    """A function for each image in the column ``image`` of a dataset, which reads it as :func:`prepared_image` gives it.

    Raises :class:`InputError` for a dataset that cannot be read, or has no such column of images.
    """
    column, name = str(corpus.image), f"The dataset '{corpus.dataset}'"
    with dataset_errors(corpus):
        rows = load_rows(corpus)
        columns = {} if rows.features is None else dict(rows.features)
        if type(columns.get(column)).__name__ != "Image":
            images = [key for key, feature in columns.items() if type(feature).__name__ == "Image"]
            advice = f"Set image: {images[0]}." if images else "Give arrays or a folder of images."
            raise InputError(f"{name} has no column '{column}' of images.", advice)
        rows = rows.select_columns([column])  # the others are not decoded
        if corpus.streaming:  # a row of a stream cannot be read again
            rows = list(itertools.islice(rows, corpus.max_documents))
        count = len(rows) if corpus.max_documents is None else min(len(rows), corpus.max_documents)

    def read(index: int) -> Any:
        with dataset_errors(corpus):
            image = rows[index][column]
        if image is None:
            raise InputError(f"{name} has no image in row {index + 1}.", "Leave this row out, or fill it.")
        return prepared_image(image, corpus, f"Row {index + 1} of '{corpus.dataset}'", raw=raw)

    return [partial(read, index) for index in range(count)]
