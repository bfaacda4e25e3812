"""Crops of images and sequences in rows, each with its box, and its value and document below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 0.56  # inches: the longer side of a crop
_STEP = 0.64  # inches from crop to crop
_GAP = 0.2  # inches between groups
_NAME = 0.2  # inches of the names of groups, above their crops
_WORDS = 0.3  # inches of the two lines below a crop
_SIZE = 6.2  # points
_BOX = colours.COMMUNITY[0]  # seen on dark and on bright pixels, with its black border


class Shown(Protocol):
    """A context of which there may be a crop."""

    @property
    def crop(self) -> np.ndarray | None:
        """The pixels ``(rows, columns, 1 or 3)``; None where there was no room for them."""

    @property
    def box(self) -> tuple[float, ...] | None:
        """Top, left, bottom and right in pixels."""

    @property
    def step(self) -> bool:
        """Whether the box is a single step."""

    @property
    def value(self) -> float:
        """Of the neuron."""

    @property
    def document(self) -> int:
        """Counted from 0."""


Groups = Sequence[tuple[str, Sequence[Shown]]]


def has_crops(groups: Groups) -> bool:
    """Whether there is anything to draw here."""
    return any(context.crop is not None for _, contexts in groups for context in contexts)


def height_of(groups: Groups, width: float) -> float:
    """Inches that ``groups`` take in ``width`` inches."""
    return sum(_height(line) for line in _lines(groups, width))


def draw_crops(axes: Axes, groups: Groups, width: float) -> None:
    """The crops of ``groups`` in ``axes``, ``width`` inches wide: as many groups on a line as it holds."""
    axes.set(xlim=(0, width), ylim=(height_of(groups, width), 0))
    axes.set_axis_off()
    down = 0.0
    for line in _lines(groups, width):
        left = 0.0
        for name, contexts in line:
            axes.text(left, down + 0.1, name, fontsize=7.4, va="center", color=style.MUTED)
            for context in contexts:
                _draw(axes, context, left, down + _NAME, _height(line) - _NAME - _WORDS)
                left += _STEP
            left += _GAP
        down += _height(line)


def _lines(groups: Groups, width: float) -> Iterator[Groups]:
    """The groups by line; one that is too long for a line goes on in the next without its name."""
    fits = max(1, int(width / _STEP))
    parts = [
        (name if start == 0 else "", contexts[start : start + fits])
        for name, contexts in groups
        for start in range(0, len(contexts), fits)
    ]
    line: list[tuple[str, Sequence[Shown]]] = []
    used = 0.0
    for name, contexts in parts:
        needed = len(contexts) * _STEP
        if line and used + needed > width:
            yield line
            line, used = [], 0.0
        line.append((name, contexts))
        used += needed + _GAP
    if line:
        yield line


def _height(line: Groups) -> float:
    """Inches that a line takes."""
    return _NAME + max(_size(context)[0] for _, contexts in line for context in contexts) + _WORDS


def _size(context: Shown) -> tuple[float, float]:
    """Height and width of a crop in inches."""
    if context.crop is None:
        return 0.2, 0.0
    rows, columns = context.crop.shape[:2]
    scale = _SIDE / max(rows, columns)
    return max(rows * scale, 0.2), columns * scale  # a line of one channel is drawn higher than it is


def _draw(axes: Axes, context: Shown, left: float, down: float, room: float) -> None:
    height, width = _size(context)
    if context.crop is not None:
        pixels = context.crop if context.crop.shape[2] == 3 else context.crop[..., 0]
        axes.imshow(
            pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto",
            extent=(left, left + width, down + height, down),
        )  # fmt: skip
        if context.box is not None:
            rows, columns = context.crop.shape[:2]
            scale = np.array([height / rows, width / columns] * 2)
            _draw_box(axes, np.array([down, left] * 2) + context.box * scale, context.step)
    value = f"{context.value:.3g}".replace("-", "−")
    middle = left + _SIDE / 2
    axes.text(middle, down + room + 0.07, value, fontsize=_SIZE, ha="center", va="center", weight="bold")
    axes.text(
        middle, down + room + 0.17, f"{context.document:,}", fontsize=_SIZE, ha="center", va="center", color=style.MUTED
    )


def _draw_box(axes: Axes, box: np.ndarray, step: bool) -> None:
    """A box given by its top, left, bottom and right in inches; a triangle above it where it is a step."""
    from matplotlib.patches import Rectangle

    top, left, bottom, right = box
    if step:
        axes.plot((left + right) / 2, top - 0.02, marker="v", markersize=4, color=_BOX, mec="black", mew=0.5)
        return
    for line, colour in ((2.0, "black"), (1.0, _BOX)):
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=line))
