"""The strongest edges as a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours, edge_line, node_line, quoted
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.backbone import Backbone, has_graphviz, in_rows, layout, read_backbone
from glasso_cli.report.plots.parts.glyphs import cells, drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import community_name, count, cut, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 8.8  # inches
_LEGEND = 3.7
_LABEL = 6.8  # points
_LINE = _LABEL * 1.15
_LONGEST = (26, 12)  # characters of a name: where there is room, and where there is little
_DASH = (0, (3.2, 1.8))
_LISTED = 12  # communities in the legend
GRAPHVIZ_NOTE = (
    "Graphviz is not installed, so the network was laid out without it. For the better layout install it "
    "(`apt install graphviz`, `brew install graphviz`) and run the stage again."
)


def graphviz_note() -> str:
    """What to do about a missing Graphviz; empty where it is installed."""
    return "" if has_graphviz() else GRAPHVIZ_NOTE


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A backbone on paper: places and radii in points, communities."""

    backbone: Backbone
    places: np.ndarray  # (m, 2)
    radii: np.ndarray  # (m,)
    communities: np.ndarray  # (m,)
    layers: np.ndarray | None  # (m,) where there are several: each has a row


def pictures(study: Study) -> Iterator[style.Picture]:
    """The ``section.edges`` strongest edges of the ``.dot`` file, placed by Graphviz."""
    drawing = _drawing(study, read_backbone(study))
    headline = "The strongest partial correlations as a network"
    page = style.page(study, headline, _note(study, drawing), (_SIDE + _LEGEND + 0.6, _SIDE), auto=False, signs=True)
    width, height = page.figure.get_size_inches()
    axes = page.figure.add_axes((0.3 / width, page.bottom / height, _SIDE / width, _SIDE / height))
    side = page.figure.add_axes(((_SIDE + 0.4) / width, page.bottom / height, _LEGEND / width, _SIDE / height))
    half = _SIDE * 36
    axes.set(xlim=(-half, half), ylim=(-half, half))
    axes.set_axis_off()
    side.set_axis_off()
    if study.n_edges:
        _draw_edges(axes, drawing)
        _draw_neurons(axes, drawing)
        _draw_labels(axes, study, drawing)
        _name_rows(axes, drawing)
        _draw_legend(side, study, drawing)
    else:
        style.empty(axes, "no edges at this α")
    yield style.Picture(
        "network",
        page.figure,
        _alt(study, drawing),
        _table(study, drawing),
        {"dot": dot_text(study, drawing)},
    )


def _drawing(study: Study, backbone: Backbone) -> _Drawing:
    communities = study.communities[backbone.neurons]
    places = layout(backbone.edges, communities)
    layers = study.fit.layers[backbone.neurons]
    layered = len(np.unique(layers)) > 1
    if layered:
        places = in_rows(places, layers)
    strength = study.strength[backbone.neurons]
    largest = 5.4 * min(1.0, np.sqrt(120 / max(len(strength), 1)))  # many neurons leave less room each
    radii = 4.2 + largest * np.sqrt(strength / max(float(study.strength.max(initial=0)), 1e-300))
    return _Drawing(backbone, _fitted(places), radii, communities, layers if layered else None)


def _fitted(places: np.ndarray) -> np.ndarray:
    """``places`` scaled into the square, in points from its middle, with room for labels."""
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    extent = max(float((high - low).max()), 1e-9)
    room = _SIDE * 72 - 70
    scaled: np.ndarray = (places - (low + high) / 2) * min(room / extent, 90.0 * room / 72)
    return scaled


# -- words --------------------------------------------------------------------------------------------


def _note(study: Study, drawing: _Drawing) -> str:
    edges, neurons = drawing.backbone.edges, drawing.backbone.neurons
    shown = f"Showing {len(edges.rho):,} of {study.n_edges:,} edges, {len(neurons):,} of {study.p:,} neurons"
    if len(edges.rho) < study.n_edges:
        shown += f": every edge with a magnitude of {abs(edges.rho[-1]):.3f} or more"
    return (
        f"{shown}. {_placed(drawing)} distances mean nothing else. "
        "Strength: the sum of |partial correlation| over all edges of a neuron. Labels stand where they fit, "
        "strong neurons first, with the neuron's name above; all are in network.csv."
    )


def _placed(drawing: _Drawing) -> str:
    if drawing.layers is not None:
        return "Every layer has a row, the first below; inside a row neurons stand near those they have edges with;"
    return "Placed so that edges are short and communities together;"


def _alt(study: Study, drawing: _Drawing) -> str:
    rho = drawing.backbone.edges.rho
    if not len(rho):
        return f"An empty network: no edges at alpha {study.alpha:.4g} ({study.title})."
    hub = drawing.backbone.neurons[np.argmax(study.strength[drawing.backbone.neurons])]
    return (
        f"Network of the {len(rho):,} strongest of {study.n_edges:,} partial correlations ({study.title}) between "
        f"{count(len(drawing.backbone.neurons), 'neuron')} in {len(set(drawing.communities.tolist()))} communities: "
        f"{np.count_nonzero(rho > 0):,} positive, {np.count_nonzero(rho < 0):,} negative, from {signed(rho[0])} to "
        f"{signed(rho[-1])}; the strongest neuron is {study.titles[hub]}."
    )


def _table(study: Study, drawing: _Drawing) -> dict[str, Any]:
    rows, cols, rho = drawing.backbone.edges
    ids, places = study.fit.neuron_ids[drawing.backbone.neurons], drawing.places.round(3)
    names = np.array(study.names.texts, dtype=object)[drawing.backbone.neurons]
    return {
        "neuron_i": ids[rows],
        "neuron_j": ids[cols],
        "name_i": names[rows],
        "name_j": names[cols],
        "partial_correlation": rho,
        "community_a": [community_name(int(c)) for c in drawing.communities[rows]],
        "community_b": [community_name(int(c)) for c in drawing.communities[cols]],
        "x_a": places[rows, 0],
        "y_a": places[rows, 1],
        "x_b": places[cols, 0],
        "y_b": places[cols, 1],
    }


# -- edges and neurons ----------------------------------------------------------------------------------


def _width(rho: np.ndarray | float, strongest: float) -> Any:
    """Points: proportional to the magnitude, the strongest 4.5, the weakest still visible."""
    return 0.5 + 4.0 * np.abs(rho) / strongest


def _draw_edges(axes: Axes, drawing: _Drawing) -> None:
    """Weak edges first, so that strong ones are on top."""
    from matplotlib.collections import LineCollection

    rows, cols, rho = (part[::-1] for part in drawing.backbone.edges)
    lines = np.stack([drawing.places[rows], drawing.places[cols]], axis=1)
    positive = rho > 0
    axes.add_collection(
        LineCollection(
            list(lines),
            linewidths=_width(rho, float(np.abs(rho).max())),
            colors=np.where(positive, colours.POSITIVE, colours.NEGATIVE).tolist(),
            linestyles=["solid" if sign else _DASH for sign in positive],
            alpha=0.8,
            capstyle="butt",
        )
    )


def _draw_neurons(axes: Axes, drawing: _Drawing) -> None:
    """Discs in the colour of the community with its number inside: colour is never the only sign."""
    fills = [colours.community_colour(int(c)) for c in drawing.communities]
    axes.scatter(*drawing.places.T, s=(2 * drawing.radii) ** 2, c=fills, edgecolors=style.INK, linewidths=0.7, zorder=3)
    for (x, y), community, radius in zip(drawing.places, drawing.communities, drawing.radii):
        if community >= 0:
            axes.text(
                x, y, str(community + 1), fontsize=min(7.5, radius * 1.05), ha="center",
                va="center_baseline", zorder=4, color=colours.text_on(colours.community_colour(int(community))),
            )  # fmt: skip


def dot_text(study: Study, drawing: _Drawing) -> str:
    """The picture for Graphviz, every neuron pinned where it is drawn: ``neato -n2 -Tsvg network.dot``."""
    neurons, (rows, cols, rho) = drawing.backbone.neurons, drawing.backbone.edges
    names = [quoted(str(name)) for name in study.fit.neuron_ids[neurons]]
    lines = ["graph {\n", "  node [shape=circle, style=filled, fixedsize=true, fontsize=7];\n"]
    for neuron, name, (x, y), radius in zip(neurons, names, drawing.places.tolist(), drawing.radii):
        community = int(study.communities[neuron])
        colour = colours.community_colour(community)
        attributes = {
            "pos": f'"{x:.2f},{y:.2f}"',
            "width": f"{radius / 36:.3f}",
            "label": f'"{community + 1 or ""}"',
            "fillcolor": f'"{colour}"',
            "fontcolor": f'"{colours.text_on(colour)}"',
            "xlabel": quoted(study.titles[neuron]),
        }
        lines.append(node_line(name, attributes))
    for a, b, value in zip(rows.tolist(), cols.tolist(), rho.tolist()):
        width = _width(value, float(np.abs(rho).max()))
        sizes = {"penwidth": f"{width:.2f}", "partial_correlation": f"{value:.6g}"}
        colour, dash = (colours.POSITIVE, {}) if value > 0 else (colours.NEGATIVE, {"style": "dashed"})
        lines.append(edge_line(names[a], names[b], {**sizes, "color": f'"{colour}"', **dash}))
    return "".join([*lines, "}\n"])


def _name_rows(axes: Axes, drawing: _Drawing) -> None:
    for layer in [] if drawing.layers is None else np.unique(drawing.layers).tolist():
        height = float(drawing.places[drawing.layers == layer, 1].mean())
        axes.text(-_SIDE * 36, height, f"layer {layer}", fontsize=8.5, color=style.MUTED, va="center", rotation=90)


# -- labels ---------------------------------------------------------------------------------------------


def _draw_labels(axes: Axes, study: Study, drawing: _Drawing) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white", alpha=0.85)]
    neurons = drawing.backbone.neurons.tolist()
    labels = [drawable(study.labels[neuron]) for neuron in neurons]
    names = [drawable(study.names.texts[neuron]) for neuron in neurons]
    first = np.argsort(-study.strength[neurons], kind="stable")
    for neuron, (x, y), name in place_labels(drawing.places, drawing.radii, labels, names, first):
        look: dict[str, Any] = {"fontsize": _LABEL, "ha": "center", "va": "center", "zorder": 5, "path_effects": halo}
        down = _LINE / 2 if name else 0.0
        axes.text(x, y - down, labels[neuron], color=style.MUTED if name else style.INK, **look)
        if name:
            axes.text(x, y + down, name, weight="bold", **look)


def place_labels(
    places: np.ndarray, radii: np.ndarray, labels: list[str], names: list[str], order: np.ndarray
) -> Iterator[tuple[int, tuple[float, float], str]]:
    """Which labels fit beside their disc, taken in ``order``; their middles in points; and what of the name is above.

    No two touch. A name that does not fit is cut or left out.
    """
    size = np.stack([radii, radii], axis=1)
    taken = np.concatenate([places - size, places + size], axis=1)  # left, bottom, right, top
    for neuron in order.tolist():
        for name in dict.fromkeys((*(cut(names[neuron], most) for most in _LONGEST), "")):
            found = _room(places[neuron], float(radii[neuron]), labels[neuron], name, taken)
            if found:
                middle, box = found
                taken = np.vstack([taken, box])
                yield neuron, middle, name
                break


def _room(
    place: np.ndarray, radius: float, label: str, name: str, taken: np.ndarray
) -> tuple[tuple[float, float], np.ndarray] | None:
    """The middle and the box of a label, with its name above, inside the square, where it touches none of ``taken (n, 4)``."""
    width = max(cells(label) * _LABEL * 0.6, cells(name) * _LABEL * 0.66) + 2
    height = _LINE * (2 if name else 1)
    for middle in _beside(place, radius, width, height):
        box = np.array([middle[0] - width / 2, middle[1] - height / 2,
                        middle[0] + width / 2, middle[1] + height / 2])  # fmt: skip
        if abs(middle[0]) + width / 2 <= _SIDE * 36 and not _touches(box, taken):
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


# -- legend ---------------------------------------------------------------------------------------------


def _draw_legend(axes: Axes, study: Study, drawing: _Drawing) -> None:
    top = 1.0
    for title, handles, spacing in (
        ("Edge", _edge_handles(drawing), 0.75),
        ("Neuron", _neuron_handles(study, drawing), 1.3),
        ("Community: number and colour", _community_handles(study, drawing), 0.75),
    ):
        legend = axes.legend(
            handles=handles, title=title, loc="upper left", bbox_to_anchor=(0, top), alignment="left",
            handlelength=2.4, handletextpad=0.9, labelspacing=spacing, borderaxespad=0,
        )  # fmt: skip
        legend.get_title().set(weight="bold", fontsize=10)
        axes.add_artist(legend)
        top -= (len(handles) * (1 + spacing) * 8.5 / 72 + 0.5) / _SIDE


def _edge_handles(drawing: _Drawing) -> list[Any]:
    from matplotlib.lines import Line2D

    rho = drawing.backbone.edges.rho
    strongest, weakest = float(np.abs(rho[0])), float(np.abs(rho[-1]))
    handles = [
        Line2D([], [], color=colours.POSITIVE, linewidth=2, label="positive partial correlation"),
        Line2D([], [], color=colours.NEGATIVE, linewidth=2, linestyle=_DASH, label="negative partial correlation"),
    ]
    sizes = dict.fromkeys(f"{size:.2f}" for size in (strongest, (strongest + weakest) / 2, weakest))
    for text in sizes:
        width = _width(float(text), strongest)
        handles.append(Line2D([], [], color=style.ACCENT, linewidth=width, label=f"magnitude {text}"))
    return handles


def _neuron_handles(study: Study, drawing: _Drawing) -> list[Any]:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {
        "marker": "o", "linestyle": "", "color": "white", "markeredgecolor": style.INK, "markeredgewidth": 0.7,
    }  # fmt: skip
    handles = []
    for neuron in (int(np.argmax(drawing.radii)), int(np.argmin(drawing.radii))):
        strength = study.strength[drawing.backbone.neurons[neuron]]
        size = 2 * float(drawing.radii[neuron])
        handles.append(Line2D([], [], markersize=size, label=f"strength {strength:.2f}", **look))
    return handles


def _community_line(study: Study, community: int, size: int, shown: int) -> str:
    name = drawable(cut(study.community_names[community].text, 22))
    return f"{community_name(community)}{' ' + name if name else ''}: {count(size, 'neuron')}, {shown} shown"


def _community_handles(study: Study, drawing: _Drawing) -> list[Any]:
    from matplotlib.lines import Line2D

    sizes = np.bincount(study.communities[study.communities >= 0])
    shown = np.unique(drawing.communities[drawing.communities >= 0]).tolist()
    handles = [
        Line2D(
            [], [], marker="o", linestyle="", markersize=10, color=colours.community_colour(c),
            markeredgecolor=style.INK, markeredgewidth=0.7,
            label=_community_line(study, c, int(sizes[c]), int(np.count_nonzero(drawing.communities == c))),
        )
        for c in shown[:_LISTED]
    ]  # fmt: skip
    if len(shown) > _LISTED:
        handles.append(Line2D([], [], linestyle="", label=f"and {len(shown) - _LISTED} smaller"))
    return handles
