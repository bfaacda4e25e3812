"""The pruned view: the neurons and edges that carry most of the influence on the targets, with a row for each layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.parts.rows import places_in_rows
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count, cut, percent, short_labels, titled
from glasso_cli.report.words.pathways import edge_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PITCH = 0.19  # inches between two neurons of the fullest row
_GAP = 1.9  # inches between two rows
_LABELS = 1.75  # inches for the labels below the first and above the last row
_LEFT = 0.75  # inches for the names of the layers
_LEGEND = 0.35
_MOST = 60  # neurons of a row
_LONGEST = 26  # characters of a label


@dataclass(frozen=True, eq=False)
class _Drawing:
    """The K edges that are drawn, the strongest first, and the places of their n neurons."""

    edges: np.ndarray  # (K,)
    weights: np.ndarray  # (K,) oriented
    neurons: np.ndarray  # (n,) of the artifact
    ends: np.ndarray  # (K, 2) into ``neurons``
    places: np.ndarray  # (n, 2) between 0 and 1, and the row
    layers: np.ndarray  # of the rows


def pictures(study: Study) -> Iterator[style.Picture]:
    """The strongest edges of the pruned view, at most ``section.edges``; none without paths."""
    made = study.pathways
    if made is None or not made.in_view.any():
        return
    drawing = _drawing(made, study.section.edges)
    rows = len(drawing.layers)
    fullest = int(np.bincount(drawing.places[:, 1].astype(int)).max())
    width = max(7.0, _LEFT + _PITCH * (fullest + 2))
    height = _GAP * (rows - 1) + 2 * _LABELS
    page = style.page(
        study, "What carries the influence on the targets", _note(made, drawing), (width + 0.6, height + _LEGEND),
        auto=False, signs=True,
    )  # fmt: skip
    inches = page.figure.get_size_inches()
    axes = page.figure.add_axes(
        (0.3 / inches[0], page.bottom / inches[1], width / inches[0], height / inches[1]),
    )
    axes.set(xlim=(-_LEFT, width - _LEFT), ylim=(-_LABELS, height - _LABELS))
    axes.set_axis_off()
    reach = width - _LEFT - _PITCH
    _draw_edges(axes, drawing, reach)
    _draw_neurons(axes, study, made, drawing, reach)
    _draw_legend(axes)
    yield style.Picture("pathways", page.figure, _alt(study, made, drawing), _table(made, drawing))


def _drawing(made: Pathways, most: int) -> _Drawing:
    inside = np.flatnonzero(made.in_view)
    order = inside[np.argsort(-np.abs(made.weights[inside]), kind="stable")][:most]
    edges = _fitting(made, order)
    neurons, ends = np.unique(np.stack([made.sources[edges], made.targets[edges]], axis=1), return_inverse=True)
    ends = ends.reshape(-1, 2)
    layers, rows = np.unique(made.layers[neurons], return_inverse=True)
    weights = made.weights[edges] * pair_signs(made.orientation, made.sources[edges], made.targets[edges])
    return _Drawing(edges, weights, neurons, ends, np.stack([places_in_rows(rows, ends), rows], axis=1), layers)


def _fitting(made: Pathways, order: np.ndarray) -> np.ndarray:
    """The first of the edges, until a row is full."""
    members: dict[int, set[int]] = {}
    for number, edge in enumerate(order.tolist()):
        for neuron in (int(made.sources[edge]), int(made.targets[edge])):
            row = members.setdefault(int(made.layers[neuron]), set())
            row.add(neuron)
            if len(row) > _MOST:
                return order[:number]
    return order


# -- drawing ------------------------------------------------------------------------------------------


def _draw_edges(axes: Axes, drawing: _Drawing, reach: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    largest = float(np.abs(drawing.weights).max())
    for weight, (source, target) in reversed(list(zip(drawing.weights.tolist(), drawing.ends.tolist()))):
        (x0, y0), (x1, y1) = drawing.places[source], drawing.places[target]
        x0, x1, y0, y1 = x0 * reach, x1 * reach, y0 * _GAP, y1 * _GAP
        bend = 0.45 * (y1 - y0)
        curve = Path(
            [(x0, y0), (x0, y0 + bend), (x1, y1 - bend), (x1, y1)],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
        axes.add_patch(
            PathPatch(
                curve,
                facecolor="none",
                edgecolor=colours.POSITIVE if weight > 0 else colours.NEGATIVE,
                linestyle="solid" if weight > 0 else (0, (4.0, 1.6)),
                alpha=0.65,
                linewidth=0.4 + 2.6 * abs(weight) / largest,
                capstyle="butt",
            )
        )


def _draw_neurons(axes: Axes, study: Study, made: Pathways, drawing: _Drawing, reach: float) -> None:
    influence = made.influence[drawing.neurons]
    sizes = 18 + 130 * influence / max(float(influence.max()), 1e-12)
    x, y = drawing.places[:, 0] * reach, drawing.places[:, 1] * _GAP
    axes.scatter(x, y, s=sizes, color="white", edgecolor=style.INK, linewidth=1.0, zorder=5)
    labels = short_labels(made.neuron_ids.tolist(), made.layers)
    names = dict(zip(study.collected.ids.tolist(), study.collected_names.texts))
    last = len(drawing.layers) - 1
    look: dict[str, Any] = {"fontsize": 7.2, "color": style.INK, "zorder": 6, "rotation": 90, "ha": "center"}
    for neuron, left, (_, row), size in zip(drawing.neurons.tolist(), x.tolist(), drawing.places.tolist(), sizes):
        away = 0.06 + float(np.sqrt(size)) / 2 / 72
        title = drawable(cut(titled(labels[neuron], names.get(str(made.neuron_ids[neuron]), "")), _LONGEST))
        if row == 0:
            axes.text(left, -away, title, va="top", **look)
        elif row == last:
            axes.text(left, last * _GAP + away, title, va="bottom", **look)
        else:
            axes.text(
                left, row * _GAP + away, drawable(labels[neuron]), va="bottom",
                bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5}, **look,
            )  # fmt: skip
    for row, layer in enumerate(drawing.layers.tolist()):
        name = f"layer {layer}" if layer >= 0 else "no layer"
        axes.text(-_LEFT, row * _GAP, name, va="center", fontsize=9, weight="bold")


def _draw_legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colours.POSITIVE, linewidth=2.2, label="positive edge"),
        Line2D([], [], color=colours.NEGATIVE, linewidth=2.2, linestyle=(0, (4.0, 1.6)), label="negative edge"),
        Line2D(
            [], [], marker="o", color="white", markeredgecolor=style.INK, markersize=9, linestyle="",
            label="neuron; larger: more influence on the targets",
        ),
    ]  # fmt: skip
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, handlelength=2.6)


# -- words --------------------------------------------------------------------------------------------


def _note(made: Pathways, drawing: _Drawing) -> str:
    metrics = made.metrics
    shown = (
        f"Showing the {count(len(drawing.edges), 'strongest edge')} of the {metrics.view_edges:,} of the pruned view"
        if len(drawing.edges) < metrics.view_edges
        else f"Showing all {count(metrics.view_edges, 'edge')} of the pruned view"
    )
    return (
        f"{shown}: the fewest neurons ({metrics.view_neurons:,} of {metrics.neurons:,}) with {percent(metrics.nodes)} of the influence on "
        f"{count(metrics.targets, 'target')}, and the fewest edges between them with {percent(metrics.edge_share)}. "
        f"{edge_words(metrics.graph)} Errors are in pathways.csv."
    )


def _alt(study: Study, made: Pathways, drawing: _Drawing) -> str:
    layers = ", ".join(str(layer) for layer in drawing.layers.tolist())
    return (
        f"Network of {count(len(drawing.edges), 'edge')} between {count(len(drawing.neurons), 'neuron')} of the layers {layers} "
        f"({study.title}), with a row for each layer: the part of the graph with {percent(made.metrics.nodes)} of the influence on "
        f"{count(made.metrics.targets, 'target')}."
    )


def _table(made: Pathways, drawing: _Drawing) -> dict[str, Any]:
    edges = drawing.edges
    sources, targets = made.sources[edges], made.targets[edges]
    places = drawing.places[drawing.ends, 0].round(4)
    return {
        "source": made.neuron_ids[sources],
        "target": made.neuron_ids[targets],
        "source_layer": made.layers[sources],
        "target_layer": made.layers[targets],
        "weight": drawing.weights,
        "standard_error": made.errors[edges],
        "influence_source": made.influence[sources],
        "influence_target": made.influence[targets],
        "place_source": places[:, 0],
        "place_target": places[:, 1],
        "orientation": pair_signs(made.orientation, sources, targets),
    }
