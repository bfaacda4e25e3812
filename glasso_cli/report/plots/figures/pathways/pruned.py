"""The pruned view: the neurons and edges that carry most of the influence on the targets or on a scalar, with a row for each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.graph import colours
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.parts.rows import places_in_rows
from glasso_cli.report.words.labels import count, cut, percent, short_labels, titled
from glasso_cli.report.words.pathways import edge_words, end_words, exit_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PITCH = 0.19  # inches between two neurons of the fullest row
_GAP = 1.9  # inches between two rows
_LABELS = 1.75  # inches for the labels below the first and above the last row of neurons
_ABOVE_SCALAR = 0.5
_LEFT = 0.75  # inches for the names of the layers
_LEGEND = 0.35
_MOST = 60  # neurons of a row
_LONGEST = 26  # characters of a label


@dataclass(frozen=True, eq=False)
class _Drawing:
    """The K edges between neurons that are drawn, and the m edges to the scalar, the strongest first, and the places of n neurons."""

    edges: np.ndarray  # (K,)
    weights: np.ndarray  # (K,) oriented
    neurons: np.ndarray  # (n,) of the artifact
    ends: np.ndarray  # (K, 2) into ``neurons``
    places: np.ndarray  # (n, 2) between 0 and 1, and the row
    layers: np.ndarray  # of the rows
    leaves: np.ndarray  # (m,) into ``neurons``: those with an edge to the scalar; none where paths end in neurons
    slopes: np.ndarray  # (m,) oriented
    scalar: str | None  # in a row above those of the layers

    @property
    def last(self) -> int:
        """The number of the highest row."""
        return len(self.layers) - (self.scalar is None)


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """The strongest edges of the pruned view, at most ``section.edges`` between neurons and to a scalar; none without paths."""
    made = study.pathways
    if made is None or not (made.in_view.any() or made.leaves.any()):
        return
    drawing = _drawing(made, study.section.edges)
    fullest = int(np.bincount(drawing.places[:, 1].astype(int)).max())
    width = max(7.0, _LEFT + _PITCH * (fullest + 2))
    height = _GAP * drawing.last + _LABELS + (_LABELS if drawing.scalar is None else _ABOVE_SCALAR)
    page = style.page(
        study, f"What carries the influence on {_end(made)}", _note(made, drawing), (width + 0.6, height + _LEGEND),
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
    _draw_scalar(axes, drawing, reach)
    _draw_legend(axes, _end(made))
    yield style.Picture("pathways", page.figure, _alt(study, made, drawing), _table(made, drawing))


def _drawing(made: Pathways, most: int) -> _Drawing:
    inside, leaves = np.flatnonzero(made.in_view), np.flatnonzero(made.leaves)
    order = inside[np.argsort(-np.abs(made.weights[inside]), kind="stable")][:most]
    edges, leaves = _fitting(made, order, leaves[np.argsort(-np.abs(made.exits[leaves]), kind="stable")][:most])
    pairs = np.stack([made.sources[edges], made.targets[edges]], axis=1)
    neurons = np.unique(np.concatenate([pairs.ravel(), leaves]))
    ends = np.searchsorted(neurons, pairs)
    layers, rows = np.unique(made.layers[neurons], return_inverse=True)
    scalar = made.metrics.scalar
    return _Drawing(
        edges=edges,
        weights=made.weights[edges] * pair_signs(made.orientation, *pairs.T),
        neurons=neurons,
        ends=ends,
        places=np.stack([places_in_rows(rows, ends), rows], axis=1),
        layers=layers,
        leaves=np.searchsorted(neurons, leaves),
        slopes=made.exits[leaves] * made.orientation[leaves],
        scalar=None if scalar is None else scalar.scalar,
    )


def _fitting(made: Pathways, order: np.ndarray, leaves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of the edges, until a row is full, and then those of ``leaves`` that have room."""
    members: dict[int, set[int]] = {}
    fitting = len(order)
    for number, edge in enumerate(order.tolist()):
        ends = [int(made.sources[edge]), int(made.targets[edge])]
        rows = [members.setdefault(int(made.layers[neuron]), set()) for neuron in ends]
        if any(len(row | {neuron}) > _MOST for row, neuron in zip(rows, ends)):
            fitting = number
            break
        for row, neuron in zip(rows, ends):
            row.add(neuron)
    kept = []
    for neuron in leaves.tolist():
        row = members.setdefault(int(made.layers[neuron]), set())
        if len(row | {neuron}) <= _MOST:
            row.add(neuron)
            kept.append(neuron)
    return order[:fitting], np.array(kept, np.int64)


# -- drawing ------------------------------------------------------------------------------------------


def _draw_edges(axes: Axes, drawing: _Drawing, reach: float) -> None:
    """Those to the scalar have widths of their own, since their unit is another one."""
    places = drawing.places * (reach, _GAP)
    for slope, leaf in reversed(list(zip(drawing.slopes.tolist(), drawing.leaves.tolist()))):
        _draw_edge(axes, places[leaf], (reach / 2, drawing.last * _GAP), slope, float(np.abs(drawing.slopes).max()))
    for weight, (source, target) in reversed(list(zip(drawing.weights.tolist(), drawing.ends.tolist()))):
        _draw_edge(axes, places[source], places[target], weight, float(np.abs(drawing.weights).max()))


def _draw_edge(axes: Axes, start: Sequence[float], end: Sequence[float], weight: float, largest: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    (x0, y0), (x1, y1) = start, end
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


def _draw_neurons(axes: Axes, study: LayersStudy, made: Pathways, drawing: _Drawing, reach: float) -> None:
    influence = made.influence[drawing.neurons]
    sizes = 18 + 130 * influence / max(float(influence.max()), 1e-12)
    x, y = drawing.places[:, 0] * reach, drawing.places[:, 1] * _GAP
    axes.scatter(x, y, s=sizes, color="white", edgecolor=style.INK, linewidth=1.0, zorder=5)
    labels = short_labels(made.neuron_ids.tolist(), made.layers)
    names = dict(zip(study.collected.ids.tolist(), study.collected_names.texts))
    last = drawing.last
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


def _draw_scalar(axes: Axes, drawing: _Drawing, reach: float) -> None:
    if drawing.scalar is None:
        return
    x, y = reach / 2, drawing.last * _GAP
    axes.scatter([x], [y], s=150, marker="s", color=style.INK, zorder=5)
    axes.text(x, y + 0.16, drawable(drawing.scalar), ha="center", va="bottom", fontsize=9, weight="bold", zorder=6)
    axes.text(-_LEFT, y, "scalar", va="center", fontsize=9, weight="bold")


def _draw_legend(axes: Axes, end: str) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colours.POSITIVE, linewidth=2.2, label="positive edge"),
        Line2D([], [], color=colours.NEGATIVE, linewidth=2.2, linestyle=(0, (4.0, 1.6)), label="negative edge"),
        Line2D(
            [], [], marker="o", color="white", markeredgecolor=style.INK, markersize=9, linestyle="",
            label=f"neuron; larger: more influence on {end}",
        ),
    ]  # fmt: skip
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, handlelength=2.6)


# -- words --------------------------------------------------------------------------------------------


def _end(made: Pathways) -> str:
    return "the targets" if made.metrics.scalar is None else end_words(made.metrics)


def _note(made: Pathways, drawing: _Drawing) -> str:
    metrics = made.metrics
    scalar, leaves = metrics.scalar, int(made.leaves.sum())
    between = "" if scalar is None else " between neurons"
    shown = (
        f"Showing the {count(len(drawing.edges), 'strongest edge')}{between} of the {metrics.view_edges:,} of the pruned view"
        if len(drawing.edges) < metrics.view_edges
        else f"Showing all {count(metrics.view_edges, 'edge')}{between} of the pruned view"
    )
    if scalar is None:
        end, exits = count(metrics.targets, "target"), ""
    else:
        end = end_words(metrics)
        part = f"all {leaves:,}" if len(drawing.leaves) == leaves else f"{len(drawing.leaves):,} of the {leaves:,}"
        shown += f" and {part} edges to {end}"
        exits = f" {exit_words(scalar)} Their width has a scale of its own."
    return (
        f"{shown}: the fewest neurons ({metrics.view_neurons:,} of {metrics.neurons:,}) with {percent(metrics.nodes)} of the influence on "
        f"{end}, and the fewest edges between them{f' and to {end}' if scalar else ''} with {percent(metrics.edge_share)}. "
        f"{edge_words(metrics.graph)}{exits} Errors are in pathways.csv."
    )


def _alt(study: LayersStudy, made: Pathways, drawing: _Drawing) -> str:
    layers = ", ".join(str(layer) for layer in drawing.layers.tolist())
    end = count(made.metrics.targets, "target") if drawing.scalar is None else end_words(made.metrics)
    exits = "" if drawing.scalar is None else f" and {count(len(drawing.leaves), 'edge')} to {end}"
    return (
        f"Network of {count(len(drawing.edges), 'edge')} between {count(len(drawing.neurons), 'neuron')} of the layers {layers}{exits} "
        f"({study.title}), with a row for each layer: the part of the graph with {percent(made.metrics.nodes)} of the influence on {end}."
    )


def _table(made: Pathways, drawing: _Drawing) -> dict[str, Any]:
    edges = drawing.edges
    sources, targets = made.sources[edges], made.targets[edges]
    places = drawing.places[drawing.ends, 0].round(4)
    table = {
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
    if drawing.scalar is None:
        return table
    return {
        name: np.concatenate([table[name], values]) for name, values in _exits(made, drawing, drawing.scalar).items()
    }


def _exits(made: Pathways, drawing: _Drawing, scalar: str) -> dict[str, np.ndarray]:
    """The rows of the edges to the scalar, which has all of the influence and no layer."""
    sources = drawing.neurons[drawing.leaves]
    amount = len(sources)
    return {
        "source": made.neuron_ids[sources],
        "target": np.full(amount, scalar),
        "source_layer": made.layers[sources],
        "target_layer": np.full(amount, -1),
        "weight": drawing.slopes,
        "standard_error": made.exit_errors[sources],
        "influence_source": made.influence[sources],
        "influence_target": np.ones(amount),
        "place_source": drawing.places[drawing.leaves, 0].round(4),
        "place_target": np.full(amount, 0.5),
        "orientation": made.orientation[sources],
    }
