"""The strongest edges as a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours, edge_line, node_line, quoted
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.backbone import Backbone, has_graphviz, in_rows, layout, read_backbone
from glasso_cli.report.plots.parts.drawn_graph import (
    DASH,
    draw_edges,
    draw_labels,
    draw_neurons,
    edge_width,
    fitted,
    radii,
)
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import community_name, count, cut, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 8.8  # inches
_LEGEND = 3.7
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
        draw_edges(axes, drawing.places, drawing.backbone.edges)
        draw_neurons(axes, drawing.places, drawing.radii, drawing.communities)
        draw_labels(axes, study, drawing.backbone.neurons, drawing.places, drawing.radii, study.strength)
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
    return _Drawing(
        backbone, fitted(places, _SIDE), radii(strength, study.strength), communities, layers if layered else None
    )


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


# -- files and rows -------------------------------------------------------------------------------------


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
        width = edge_width(value, float(np.abs(rho).max()))
        sizes = {"penwidth": f"{width:.2f}", "partial_correlation": f"{value:.6g}"}
        colour, dash = (colours.POSITIVE, {}) if value > 0 else (colours.NEGATIVE, {"style": "dashed"})
        lines.append(edge_line(names[a], names[b], {**sizes, "color": f'"{colour}"', **dash}))
    return "".join([*lines, "}\n"])


def _name_rows(axes: Axes, drawing: _Drawing) -> None:
    for layer in [] if drawing.layers is None else np.unique(drawing.layers).tolist():
        height = float(drawing.places[drawing.layers == layer, 1].mean())
        axes.text(-_SIDE * 36, height, f"layer {layer}", fontsize=8.5, color=style.MUTED, va="center", rotation=90)


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
        Line2D([], [], color=colours.NEGATIVE, linewidth=2, linestyle=DASH, label="negative partial correlation"),
    ]
    sizes = dict.fromkeys(f"{size:.2f}" for size in (strongest, (strongest + weakest) / 2, weakest))
    for text in sizes:
        width = edge_width(float(text), strongest)
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
