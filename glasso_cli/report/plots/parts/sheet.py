"""Matrices drawn one to one: axes in whole pixels, images that are never resampled, strips of communities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.labels import community_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME_SIZE = 7.5  # points


@dataclass(frozen=True)
class Run:
    """Neighbouring positions ``first … stop - 1`` of one community in the order drawn."""

    community: int
    first: int
    stop: int


def runs_of(communities: np.ndarray) -> list[Run]:
    """The runs of equal values in ``communities (p,)``."""
    starts = np.flatnonzero(np.diff(communities, prepend=communities[0] - 1)).tolist()
    stops = [*starts[1:], len(communities)]
    return [Run(int(communities[a]), a, b) for a, b in zip(starts, stops)]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: its lower left corner and its size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """A figure addressed in whole pixels from its lower left corner."""

    figure: Figure
    dpi: int

    @classmethod
    def of(cls, figure: Figure, dpi: int) -> Sheet:
        """``figure`` brought to whole pixels; a hair over, because the canvas rounds its size down."""
        size = np.round(figure.get_size_inches() * dpi) + 0.01
        figure.set_size_inches(size / dpi)
        return cls(figure, dpi)

    def axes(self, box: Box) -> Axes:
        width, height = self.figure.get_size_inches() * self.dpi
        return self.figure.add_axes((box.x / width, box.y / height, box.width / width, box.height / height))

    def pixels(self, inches: float) -> int:
        return round(inches * self.dpi)


# -- images ---------------------------------------------------------------------------------------------


def signed_image(peak: np.ndarray, limit: float) -> np.ndarray:
    """The pixels ``(k, k, 4)`` uint8 of signed values: white for zero."""
    scaled = np.clip(peak / limit, -1, 1) * 0.5 + 0.5
    image: np.ndarray = style.signed_colours()(scaled, bytes=True)
    image[peak == 0] = 255
    return image


def count_scale(counts: np.ndarray) -> Any:
    """A logarithmic scale of colours from 1 to the largest count."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    return ScalarMappable(LogNorm(1, max(2, int(counts.max(initial=0)))), style.count_colours())


def count_image(counts: np.ndarray, scale: Any) -> np.ndarray:
    """The pixels ``(k, k, 4)`` uint8 of counts on the colours of ``scale``: white for none."""
    image: np.ndarray = scale.to_rgba(np.maximum(counts, 1), bytes=True)
    image[counts == 0] = 255
    return image


def draw_image(axes: Axes, pixels: np.ndarray, reach: int) -> None:
    """Draw ``pixels`` one to one, never resampled; the axes count ``reach`` neurons from the upper left."""
    axes.imshow(pixels, interpolation="none", extent=(0, reach, reach, 0), aspect="auto")
    frame(axes, reach)


def frame(axes: Axes, reach: int) -> None:
    """Matrix axes: the origin in the upper left, no ticks, a thin border."""
    axes.set(xlim=(0, reach), ylim=(reach, 0), xticks=[], yticks=[], xlabel="", ylabel="")
    axes.spines[:].set(visible=True, color="#888888", linewidth=0.6)


# -- communities ----------------------------------------------------------------------------------------


def mark_communities(sheet: Sheet, axes: Axes, box: Box, runs: list[Run]) -> None:
    """Squares around the communities in ``axes`` at ``box``, and strips of their colours on two sides."""
    from matplotlib.patches import Rectangle

    for run in runs:
        if run.community >= 0:
            side = run.stop - run.first
            axes.add_artist(Rectangle((run.first,) * 2, side, side, fill=False, edgecolor="#444444", linewidth=0.6))
    reach = axes.get_xlim()[1]
    thick, gap = sheet.pixels(0.12), sheet.pixels(0.05)
    left = sheet.axes(Box(box.x - gap - thick, box.y, thick, box.height))
    above = sheet.axes(Box(box.x, box.y + box.height + gap, box.width, thick))
    left.set(xlim=(0, 1), ylim=(reach, 0))
    above.set(xlim=(0, reach), ylim=(0, 1))
    for run in runs:
        colour = colours.community_colour(run.community)
        extent = run.stop - run.first
        left.add_artist(Rectangle((0, run.first), 1, extent, facecolor=colour, edgecolor="none"))
        above.add_artist(Rectangle((run.first, 0), extent, 1, facecolor=colour, edgecolor="none"))
    for strip in (left, above):
        strip.set(xticks=[], yticks=[])
        strip.spines[:].set(visible=True, color="#888888", linewidth=0.4)
    points = box.width / sheet.dpi * 72 / reach  # of one neuron
    place: dict[str, Any] = {"textcoords": "offset points", "fontsize": _NAME_SIZE}
    for name, middle in _named(runs, points, lambda text: _NAME_SIZE * 1.2):
        left.annotate(name, (0, middle), (-3, 0), ha="right", va="center", **place)
    for name, middle in _named(runs, points, lambda text: _NAME_SIZE * 0.62 * len(text) + 4):
        above.annotate(name, (middle, 1), (0, 2), ha="center", va="bottom", **place)


def _named(runs: list[Run], points: float, length: Any) -> list[tuple[str, float]]:
    """Names and middles of the runs that are long enough for a name that touches no other."""
    names, end = [], -np.inf
    for run in runs:
        text, middle = community_name(run.community), (run.first + run.stop) / 2
        half = length(text) / 2
        if middle * points - half > end and (run.stop - run.first) * points > _NAME_SIZE * 0.8:
            names.append((text, middle))
            end = middle * points + half
    return names
