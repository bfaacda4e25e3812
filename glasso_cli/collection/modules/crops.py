"""Crops: what is around chosen samples of images and sequences, as small pictures with a box at each sample.

Each item is read once, and no more than the crops themselves is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from glasso_cli.collection.modules.places import Places
from glasso_cli.corpora.arrays import ArrayCorpus

SIDE = 40  # rows and columns of a crop at most, in pixels
MOST_BYTES = 16_000_000  # of all crops; beyond, the weaker contexts have none
LEAST = 16  # pixels of an image that a crop shows at least, along each axis
STEPS = 21  # of a sequence that a crop shows at least
MARGIN = 1.5  # of the largest receptive field


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a corpus by number: the number of their item times ``each``, plus their position on the ``grid``.

    ``single`` says that an item is one sample, whatever its positions.
    """

    corpus: ArrayCorpus
    grid: tuple[int, ...]
    each: int
    single: bool

    def names(self, ids: np.ndarray) -> list[str]:
        """Where in its document each sample is; empty where it is all of the document."""
        items, positions = np.divmod(ids, self.each)
        if self.single:
            documents = self.corpus.documents
            if self.corpus.n_documents == len(documents):
                return [""] * len(ids)
            order = np.argsort(documents, kind="stable")
            rows = np.empty_like(order)
            rows[order] = np.arange(len(order)) - np.searchsorted(documents[order], documents[order])
            return [f"row {row}" for row in rows[items].tolist()]
        if len(self.grid) == 1:
            return [f"step {position}" for position in positions.tolist()]
        places = zip(*(axis.tolist() for axis in np.unravel_index(positions, self.grid)))
        if len(self.grid) == 2:
            return [f"row {row}, column {column}" for row, column in places]
        return [f"position {', '.join(map(str, place))}" for place in places]

    def crops(self, ids: np.ndarray, order: np.ndarray, places: Places) -> dict[str, np.ndarray]:
        """The crops of samples, as :class:`glasso_cli.artifacts.ActivationStats` holds them.

        Where there is no room for all, those first in ``order``, indices into ``ids (V,)``, have one.
        """
        items, positions = np.divmod(ids, self.each)
        boxes = places.boxes[:, np.minimum(positions, places.boxes.shape[1] - 1)].transpose(1, 0, 2)  # (V, H, 4)
        first = None if places.layout.kind == "row" else places.layout.picture(self.corpus.item(0))
        whole, channels = ((0, 0), 0) if first is None else (first.shape[1:], _channels(first))
        extent = _extent(places, whole, self._longest(places, items, whole[1]))
        cut = _cut(self.corpus, places, items, boxes, order, extent, channels)
        return {
            "crop_kind": np.array([places.layout.kind, places.mark]),
            "crop_of": cut.of,
            "crop_pixels": cut.pixels,
            "crop_sizes": cut.sizes,
            "crop_boxes": cut.boxes.astype(np.float32),
            "crop_field": places.largest,
            "crop_extent": np.array([extent, whole], np.int32),
        }

    def _longest(self, places: Places, items: np.ndarray, first: int) -> int:
        """The columns of the longest item, where sequences are shown as a whole."""
        if places.layout.kind != "sequence" or places.mark in ("step", "field"):
            return first
        if places.layout.columns == 0:
            return max((self.corpus.lengths[item] for item in items.tolist()), default=0)
        return max((places.layout.picture(self.corpus.item(item)).shape[2] for item in set(items.tolist())), default=0)


def _extent(places: Places, whole: Sequence[int], longest: int) -> tuple[int, int]:
    """Rows and columns of an item that a crop shows at most; ``longest`` are the columns of the longest item."""
    kind, mark = places.layout.kind, places.mark
    rows, columns = (ceil(MARGIN * size) for size in places.largest.max(axis=0).tolist())
    if kind == "image" and mark == "field":
        return min(whole[0], max(LEAST, rows)), min(whole[1], max(LEAST, columns))
    if kind == "sequence" and mark in ("step", "field"):
        return whole[0], max(STEPS, columns)
    return whole[0], longest


@dataclass(frozen=True, eq=False)
class _Cut:
    """The arrays of :class:`glasso_cli.artifacts.crops.Crops` of these names."""

    of: np.ndarray
    pixels: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray


def _cut(
    corpus: ArrayCorpus,
    places: Places,
    items: np.ndarray,
    boxes: np.ndarray,
    order: np.ndarray,
    extent: tuple[int, int],
    channels: int,
) -> _Cut:
    """Cut what is around the samples: each crop once, however many samples it shows."""
    of, boxes = np.full(len(items), -1, np.int32), boxes.copy()
    if places.layout.kind == "sequence":  # rows are groups of channels
        boxes[..., 2] = np.minimum(boxes[..., 2], SIDE)
    side = tuple(min(SIDE, length) for length in extent)
    most = MOST_BYTES // (side[0] * side[1] * channels) if channels else 0
    kept = sorted(order[:most].tolist(), key=lambda sample: int(items[sample]))
    pixels = np.zeros((len(kept), *side, channels), np.float32)
    sizes = np.zeros((len(kept), 2), np.int32)
    count, spans = 0, []
    for item, samples in itertools.groupby(kept, key=lambda sample: int(items[sample])):
        picture = _picture(corpus, places, item)
        if len(picture) != channels:
            continue
        spans.append(_span(picture, places.layout.kind))
        known: dict[tuple[int, int], int] = {}
        for sample in samples:
            top, left = _corner(boxes[sample], picture.shape[1:], extent)
            part = picture[:, top : top + extent[0], left : left + extent[1]]
            if (top, left) not in known:
                known[top, left] = count
                small = _shrunk(part, side)
                sizes[count] = small.shape[1:]
                pixels[count, : small.shape[1], : small.shape[2]] = np.moveaxis(small, 0, -1)
                count += 1
            of[sample] = known[top, left]
            scale = sizes[of[sample]] / part.shape[1:]
            boxes[sample] = (boxes[sample] - (top, left, top, left)) * np.tile(scale, 2)
    boxes[of < 0] = np.nan
    return _Cut(of, _shown(pixels[:count], spans, corpus.display), sizes[:count], boxes)


def _picture(corpus: ArrayCorpus, places: Places, item: int) -> np.ndarray:
    """An item as ``(1 or 3, rows, columns)``: other channels of an image are averaged, many channels of a sequence in groups."""
    picture = places.layout.picture(corpus.item(item)).astype(np.float32)
    if places.layout.kind == "sequence":
        return _shrunk(picture, (SIDE, picture.shape[2]))
    return picture if _channels(picture) == len(picture) else picture.mean(axis=0, keepdims=True)


def _channels(picture: np.ndarray) -> int:
    return 3 if len(picture) == 3 else 1


def _corner(boxes: np.ndarray, shape: Sequence[int], extent: Sequence[int]) -> tuple[int, int]:
    """Top and left of the crop whose middle is that of ``boxes (H, 4)``, inside an item of ``shape`` rows and columns."""
    if np.isnan(boxes).all():
        return 0, 0
    middle = (np.nanmin(boxes[:, :2], axis=0) + np.nanmax(boxes[:, 2:], axis=0)) / 2
    first = np.floor(middle - np.divide(extent, 2) + 0.5)
    top, left = np.clip(first, 0, np.maximum(np.subtract(shape, extent), 0)).astype(int).tolist()
    return top, left


def _shrunk(part: np.ndarray, side: tuple[int, ...]) -> np.ndarray:
    """``part (channels, rows, columns)`` with at most ``side`` rows and columns, by means of areas."""
    import torch

    size = (min(side[0], part.shape[1]), min(side[1], part.shape[2]))
    if size == part.shape[1:]:
        return part
    made: np.ndarray = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(part.copy()), size).numpy()
    return made


def _span(picture: np.ndarray, kind: str) -> np.ndarray:
    """The smallest and the largest value, of every channel of an image ``(2, channels)``, of every row of a sequence ``(2, rows, 1, 1)``."""
    axes = (1, 2) if kind == "image" else (0, 2)
    span = np.stack([picture.min(axis=axes), picture.max(axis=axes)])
    return span if kind == "image" else span[:, :, None, None]


def _shown(
    pixels: np.ndarray, spans: Sequence[np.ndarray], display: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """``pixels`` from dark to bright, uint8: as they were before ``display`` scaled them, or by the span of their items.

    Three equal channels become one.
    """
    if display is not None and spans:
        mean, std = display
        bright = pixels * std + mean
    elif spans:
        low, high = np.min([span[0] for span in spans], axis=0), np.max([span[1] for span in spans], axis=0)
        bright = (pixels - low) / np.where(high > low, high - low, 1)
    else:
        bright = pixels
    whole = np.round(255 * np.clip(bright, 0, 1)).astype(np.uint8)
    equal = whole.shape[-1] == 3 and bool((whole == whole[..., :1]).all())
    return np.ascontiguousarray(whole[..., :1] if equal else whole)
