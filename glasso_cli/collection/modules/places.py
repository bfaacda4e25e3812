"""Where in its document each position of a hook point is: which axes are rows and columns, and a box for every position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

CHANNELS = 4  # of an image at most, where the last axis may be its channels

# For axes of an item, the receptive fields at each hook point, (S, axes, 2): see hooks.modules.receptive.
Measure = Callable[[Sequence[int]], list[np.ndarray]]


@dataclass(frozen=True)
class Layout:
    """Which axes of an item are rows, columns and channels of a picture.

    ``kind`` is ``image``, ``sequence`` (steps are columns, channels are rows), or ``row``, which has no picture.
    """

    kind: str
    rows: int | None = None
    columns: int | None = None
    channels: int | None = None

    def picture(self, item: np.ndarray) -> np.ndarray:
        """An item as ``(channels, rows, columns)``; a sequence has its channels as rows."""
        if self.kind == "sequence":
            return item[None, None] if self.rows is None else np.moveaxis(item, self.columns or 0, -1)[None]
        return item[None] if self.channels is None else np.moveaxis(item, self.channels, 0)


def layout_of(item: np.ndarray, grid: Sequence[int], steps: int = 0) -> Layout:
    """The layout of an item with a ``grid`` of positions; ``steps`` is the axis along which a sequence runs.

    Three axes are an image. Its channels are the first axis, or the last one where only that one is short. Two axes are a
    sequence if the positions have one axis, and a grey image otherwise. One axis is a sequence if there are several
    positions, and numbers that are no ids.
    """
    axes = len(grid) if int(np.prod(grid)) > 1 else 0
    if item.ndim == 3 and axes < 3:
        channels = 2 if item.shape[2] <= CHANNELS < item.shape[0] else 0
        rows, columns = (axis for axis in range(3) if axis != channels)
        return Layout("image", rows, columns, channels)
    if item.ndim == 2 and axes < 3:
        return Layout("sequence", 1 - steps, steps) if axes == 1 else Layout("image", 0, 1)
    if item.ndim == 1 and axes == 1 and item.dtype.kind == "f":
        return Layout("sequence", None, 0)
    return Layout("row")


@dataclass(frozen=True, eq=False)
class Places:
    """The boxes of all S positions at H hook points: top, left, bottom and right, nan where there is none.

    ``mark`` says what they are, as in :class:`glasso_cli.artifacts.crops.Crops`. ``largest`` are rows and columns of the
    largest receptive field at each hook point, 0 where none was measured.
    """

    layout: Layout
    mark: str
    boxes: np.ndarray  # (H, S, 4)
    largest: np.ndarray  # (H, 2) int32


def find_places(
    item: np.ndarray, grid: tuple[int, ...], hook_points: int, measure: Measure, *, steps: int, single: bool
) -> Places:
    """The places of the positions in items like ``item``, on a ``grid`` that all hook points share.

    ``single`` says that an item is one sample, whatever its positions. ``steps`` positions are steps of the first axis of
    the items; if it is 0, positions are found by their receptive fields.
    """
    layout = layout_of(item, grid)
    count = 1 if single else steps or int(np.prod(grid))
    nothing = np.zeros((hook_points, 2), np.int32)
    none = Places(layout, "whole", np.full((hook_points, count, 4), np.nan), nothing)
    if layout.kind == "row" or single:
        return none
    if layout.kind == "sequence" and steps:
        step, channels = np.arange(steps), layout.picture(item).shape[1]
        box = np.stack([np.zeros(steps), step, np.full(steps, channels), step + 1], axis=1)
        return Places(layout, "step", np.tile(box, (hook_points, 1, 1)), nothing)
    layout, fields = _fields(item, layout, grid, measure)
    sizes, shape = fields[..., 1] - fields[..., 0], layout.picture(item).shape[1:]
    found, largest = sizes.all(axis=2), sizes.max(axis=1).astype(np.int32)
    if not (sizes == shape)[found].all():
        boxes = fields.transpose(0, 1, 3, 2).reshape(*fields.shape[:2], 4).astype(float)
        boxes[~found] = np.nan
        return Places(layout, "field", boxes, largest)
    places = grid if layout.kind == "image" else (1, *grid)
    if len(places) != 2:
        return replace(none, layout=layout, largest=largest)
    return replace(patches_of(item, places, hook_points, count), layout=layout, mark="cell", largest=largest)


def patches_of(item: np.ndarray, grid: tuple[int, ...], hook_points: int, count: int) -> Places:
    """The patches of a ``grid`` of rows and columns over an item; of ``count`` positions, those beyond it have none."""
    layout = layout_of(item, grid)
    shape, inside = layout.picture(item).shape[1:], int(np.prod(grid))
    corner = np.stack(np.unravel_index(np.arange(inside), grid), axis=1)
    boxes = np.full((count, 4), np.nan)
    boxes[:inside] = np.concatenate([corner, corner + 1], axis=1) * np.tile(np.divide(shape, grid), 2)
    return Places(layout, "patch", np.tile(boxes, (hook_points, 1, 1)), np.zeros((hook_points, 2), np.int32))


def _fields(item: np.ndarray, layout: Layout, grid: tuple[int, ...], measure: Measure) -> tuple[Layout, np.ndarray]:
    """Receptive fields over rows and columns, ``(H, S, 2, 2)``; a sequence runs along the axis on which they move most."""
    if layout.kind == "image":
        return layout, np.stack(measure([axis for axis in (layout.rows, layout.columns) if axis is not None]))
    fields = np.stack(measure(range(item.ndim)))
    if item.ndim == 2:
        moves = np.ptp(fields, axis=1).sum(axis=(0, 2)) / item.shape
        layout = layout_of(item, grid, steps=int(moves[1] > moves[0]))
    along = fields[:, :, layout.columns or 0]
    across = np.zeros_like(along)
    across[..., 1] = layout.picture(item).shape[1] * (along[..., 1] > 0)
    return layout, np.stack([across, along], axis=2)
