"""A graph on paper: places in points, edges, discs of neurons, and labels that touch nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import cells, drawable
from glasso_cli.report.plots.study import Edges, Study
from glasso_cli.report.words.labels import cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 6.8  # points
_LINE = LABEL * 1.15
_LONGEST = (26, 12)  # characters of a name: where there is room, and where there is little
DASH = (0, (3.2, 1.8))


def fitted(places: np.ndarray, side: float) -> np.ndarray:
    """``places (m, 2)`` scaled into a square of ``side`` inches, in points from its middle, with room for labels."""
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    extent = max(float((high - low).max()), 1e-9)
    room = side * 72 - 70
    scaled: np.ndarray = (places - (low + high) / 2) * min(room / extent, 90.0 * room / 72)
    return scaled


def radii(strength: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Radii of discs in points ``(m,)`` for neurons of this strength; ``every (p,)`` holds that of all neurons."""
    largest = 5.4 * min(1.0, np.sqrt(120 / max(len(strength), 1)))  # many neurons leave less room each
    sizes: np.ndarray = 4.2 + largest * np.sqrt(strength / max(float(every.max(initial=0)), 1e-300))
    return sizes


# -- edges and neurons ----------------------------------------------------------------------------------


def edge_width(rho: np.ndarray | float, strongest: float) -> Any:
    """Points: proportional to the magnitude, the strongest 4.5, the weakest still visible."""
    return 0.5 + 4.0 * np.abs(rho) / strongest


def draw_edges(axes: Axes, places: np.ndarray, edges: Edges, strongest: float | None = None) -> None:
    """``edges`` from strong to weak between ``places (m, 2)``; the strong ones on top.

    ``strongest`` is the magnitude of the widest line, by default that of the first edge.
    """
    from matplotlib.collections import LineCollection

    rows, cols, rho = (part[::-1] for part in edges)
    lines = np.stack([places[rows], places[cols]], axis=1)
    positive = rho > 0
    axes.add_collection(
        LineCollection(
            list(lines),
            linewidths=edge_width(rho, strongest or float(np.abs(rho).max())),
            colors=np.where(positive, colours.POSITIVE, colours.NEGATIVE).tolist(),
            linestyles=["solid" if sign else DASH for sign in positive],
            alpha=0.8,
            capstyle="butt",
        )
    )


def draw_neurons(axes: Axes, places: np.ndarray, radii: np.ndarray, communities: np.ndarray) -> None:
    """Discs in the colour of the community with its number inside: colour is never the only sign."""
    fills = [colours.community_colour(int(c)) for c in communities]
    axes.scatter(*places.T, s=(2 * radii) ** 2, c=fills, edgecolors=style.INK, linewidths=0.7, zorder=3)
    for (x, y), community, radius in zip(places, communities, radii):
        if community >= 0:
            axes.text(
                x, y, str(community + 1), fontsize=min(7.5, radius * 1.05), ha="center",
                va="center_baseline", zorder=4, color=colours.text_on(colours.community_colour(int(community))),
            )  # fmt: skip


# -- labels ---------------------------------------------------------------------------------------------


def draw_labels(
    axes: Axes, study: Study, neurons: np.ndarray, places: np.ndarray, radii: np.ndarray, strength: np.ndarray
) -> None:
    """Labels and names of ``neurons (m,)`` where they fit, those of most ``strength (p,)`` first; square axes in points."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white", alpha=0.85)]
    labels = [drawable(study.labels[neuron]) for neuron in neurons.tolist()]
    names = [drawable(study.names.texts[neuron]) for neuron in neurons.tolist()]
    first = np.argsort(-strength[neurons], kind="stable")
    first = first[strength[neurons][first] > 0]
    half = float(axes.get_xlim()[1])
    for neuron, (x, y), name in place_labels(places, radii, labels, names, first, half):
        look: dict[str, Any] = {"fontsize": LABEL, "ha": "center", "va": "center", "zorder": 5, "path_effects": halo}
        down = _LINE / 2 if name else 0.0
        axes.text(x, y - down, labels[neuron], color=style.MUTED if name else style.INK, **look)
        if name:
            axes.text(x, y + down, name, weight="bold", **look)


def place_labels(
    places: np.ndarray, radii: np.ndarray, labels: list[str], names: list[str], order: np.ndarray, half: float
) -> Iterator[tuple[int, tuple[float, float], str]]:
    """Which labels fit beside their disc, taken in ``order``; their middles in points; and what of the name is above.

    No two touch, and none leaves ``half`` points to the left or right. A name that does not fit is cut or left out.
    """
    size = np.stack([radii, radii], axis=1)
    taken = np.concatenate([places - size, places + size], axis=1)  # left, bottom, right, top
    for neuron in order.tolist():
        for name in dict.fromkeys((*(cut(names[neuron], most) for most in _LONGEST), "")):
            found = _room(places[neuron], float(radii[neuron]), labels[neuron], name, taken, half)
            if found:
                middle, box = found
                taken = np.vstack([taken, box])
                yield neuron, middle, name
                break


def _room(
    place: np.ndarray, radius: float, label: str, name: str, taken: np.ndarray, half: float
) -> tuple[tuple[float, float], np.ndarray] | None:
    """The middle and the box of a label, with its name above, inside the square, where it touches none of ``taken (n, 4)``."""
    width = max(cells(label) * LABEL * 0.6, cells(name) * LABEL * 0.66) + 2
    height = _LINE * (2 if name else 1)
    for middle in _beside(place, radius, width, height):
        box = np.array([middle[0] - width / 2, middle[1] - height / 2,
                        middle[0] + width / 2, middle[1] + height / 2])  # fmt: skip
        if abs(middle[0]) + width / 2 <= half and not _touches(box, taken):
            return middle, box
    return None


def _beside(place: np.ndarray, radius: float, width: float, height: float) -> list[tuple[float, float]]:
    """Below, above, right, left and at the four corners of a disc."""
    x, y = place.tolist()
    up, over = radius + height / 2 + 0.5, radius + width / 2 + 0.5
    slant = 0.72 * over + 0.1 * width
    sides = [(x, y - up), (x, y + up), (x + over, y), (x - over, y)]
    return sides + [(x + dx, y + dy) for dy in (-0.8 * up, 0.8 * up) for dx in (slant, -slant)]


def _touches(box: np.ndarray, others: np.ndarray) -> bool:
    apart = (
        (others[:, 2] <= box[0]) | (others[:, 0] >= box[2])
        | (others[:, 3] <= box[1]) | (others[:, 1] >= box[3])
    )  # fmt: skip
    return not bool(apart.all())
