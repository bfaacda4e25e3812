"""The strongest edges across layers as a network with a column of neurons for every layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.across.readings import BOTH, COMMON_CAUSE, UNUSED_WIRING
from glasso_cli.across.table import EdgesAcross
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.parts.pairs import LINES, colour_of, in_turn
from glasso_cli.report.plots.parts.rows import places_in_rows
from glasso_cli.report.words.across import SHORT, association_words, counts_by_reading, influence_words, reading_at
from glasso_cli.report.words.labels import count, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PITCH = 0.165  # inches between two neurons of the fullest column
_GAP = 3.6  # inches between two columns
_SIDE = 2.6  # inches for the labels of the first and the last column
_MOST = 60  # neurons of a column
_LEGEND = 1.45  # inches above the columns
_LONGEST = 30  # characters of a label at the sides


@dataclass(frozen=True, eq=False)
class _Drawing:
    """The K rows of the table that are drawn, the strongest first, and the places of their n neurons."""

    rows: np.ndarray  # (K,)
    neurons: np.ndarray  # (n,) collected neurons
    ends: np.ndarray  # (K, 2) sources and targets as indices into ``neurons``
    places: np.ndarray  # (n, 2) column, and the height between 0 and 1
    layers: np.ndarray  # of the columns


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """At most ``section.edges`` pairs, the strongest of every reading in turn; none without edges across layers."""
    edges = study.across
    if edges is None or not edges.found.any():
        return
    drawing = _drawing(edges, study)
    columns = len(drawing.layers)
    tallest = int(np.bincount(drawing.places[:, 0].astype(int)).max())
    width, height = 2 * _SIDE + _GAP * (columns - 1), max(3.0, _PITCH * tallest)
    page = style.page(
        study,
        "The strongest edges across layers",
        _note(study, edges, drawing),
        (width + 0.6, height + _LEGEND),
        auto=False,
    )
    inches = page.figure.get_size_inches()
    box = (0.3 / inches[0], page.bottom / inches[1], width / inches[0], height / inches[1])
    axes = page.figure.add_axes(box)
    axes.set(xlim=(-_SIDE, _GAP * (columns - 1) + _SIDE), ylim=(-0.5 / tallest, 1 + 0.5 / tallest))
    axes.set_axis_off()
    _draw_edges(axes, edges, drawing)
    _draw_neurons(axes, study, drawing)
    _draw_legend(axes, edges, drawing, study.interventions is not None)
    yield style.Picture("layers", page.figure, _alt(study, edges, drawing), _table(study, edges, drawing))


# -- which, and where ---------------------------------------------------------------------------------


def _drawing(edges: EdgesAcross, study: LayersStudy) -> _Drawing:
    rows = _fitting(edges, study)
    neurons, ends = np.unique(np.stack([edges.sources[rows], edges.targets[rows]], axis=1), return_inverse=True)
    ends = ends.reshape(-1, 2)
    layers, columns = np.unique(study.collected.layers[neurons], return_inverse=True)
    heights = 1 - places_in_rows(columns, ends)
    return _Drawing(rows, neurons, ends, np.stack([columns, heights], axis=1), layers)


def _fitting(edges: EdgesAcross, study: LayersStudy) -> np.ndarray:
    """The rows that are drawn, until their number or a column is full."""
    among = _edges(edges)
    members: dict[int, set[int]] = {}
    rows = in_turn(edges, among)[: study.section.edges].tolist()
    for number, row in enumerate(rows):
        for neuron in (int(edges.sources[row]), int(edges.targets[row])):
            column = members.setdefault(int(study.collected.layers[neuron]), set())
            column.add(neuron)
            if len(column) > _MOST:
                return np.sort(rows[:number])
    return np.sort(rows)


def _edges(edges: EdgesAcross) -> np.ndarray:
    """Which pairs are edges, ``(M,)`` bool: those that have association or influence; where there are none, all with a finding."""
    among = np.isin(edges.reading, (BOTH, COMMON_CAUSE, UNUSED_WIRING))
    return among if among.any() else edges.found


# -- drawing ------------------------------------------------------------------------------------------


def _draw_edges(axes: Axes, edges: EdgesAcross, drawing: _Drawing) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    largest = float(edges.size[drawing.rows].max())
    for row, (source, target) in reversed(list(zip(drawing.rows.tolist(), drawing.ends.tolist()))):
        reading = reading_at(edges, row)
        (x0, y0), (x1, y1) = drawing.places[source], drawing.places[target]
        x0, x1 = _GAP * x0, _GAP * x1
        reach = 0.45 * _GAP
        curve = Path(
            [(x0, y0), (x0 + reach, y0), (x1 - reach, y1), (x1, y1)],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
        axes.add_patch(
            PathPatch(
                curve,
                facecolor="none",
                edgecolor=colour_of(reading),
                linestyle=LINES[reading],
                alpha=0.85,
                linewidth=_width(float(edges.size[row]), largest),
                capstyle="butt",
            )
        )
    confirmed = [place for place, row in enumerate(drawing.rows.tolist()) if _has_effect(edges, row)]
    if confirmed:
        x, y = drawing.places[drawing.ends[confirmed, 1]].T
        axes.plot(_GAP * x - 0.13, y, ">", color=style.INK, markersize=4.5, linestyle="", zorder=4)


def _width(size: float, largest: float) -> float:
    return 0.7 + 3.0 * size / largest


def _has_effect(edges: EdgesAcross, row: int) -> bool:
    return any(bool(column.found[row]) for column in edges.effects.values())


def _draw_neurons(axes: Axes, study: LayersStudy, drawing: _Drawing) -> None:
    last = len(drawing.layers) - 1
    measured = np.isin(drawing.neurons, _measured(study))
    for fill, chosen in ((style.INK, measured), ("white", ~measured)):
        x, y = drawing.places[chosen].T
        axes.plot(_GAP * x, y, "o", color=fill, markeredgecolor=style.INK, markersize=5, linestyle="", zorder=5)
    for neuron, (column, height) in zip(drawing.neurons.tolist(), drawing.places.tolist()):
        text = drawable(cut(study.collected_titles[neuron], _LONGEST))
        look: dict[str, Any] = {"fontsize": 7.2, "va": "center", "color": style.INK, "zorder": 6}
        if column == 0:
            axes.text(-0.12, height, text, ha="right", **look)
        elif column == last:
            axes.text(_GAP * last + 0.12, height, text, ha="left", **look)
        else:
            axes.text(
                _GAP * column + 0.1, height, drawable(study.collected_labels[neuron]), ha="left",
                bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6}, **look,
            )  # fmt: skip
    for column, layer in enumerate(drawing.layers.tolist()):
        axes.text(
            _GAP * column, 1 + 0.6 * (axes.get_ylim()[1] - 1), f"layer {layer}", ha="center", va="bottom", fontsize=9,
            weight="bold",
        )  # fmt: skip


def _measured(study: LayersStudy) -> np.ndarray:
    """The neurons whose effects were measured."""
    edges = study.across
    assert edges is not None
    looked = [edges.sources[column.looked] for column in edges.effects.values()]
    return np.unique(np.concatenate([np.empty(0, np.int64), *looked]))


def _draw_legend(axes: Axes, edges: EdgesAcross, drawing: _Drawing, measured: bool) -> None:
    from matplotlib.lines import Line2D

    shown = counts_by_reading(edges, np.isin(np.arange(len(edges)), drawing.rows))
    found = counts_by_reading(edges, _edges(edges))
    handles = [
        Line2D([], [], color=colour_of(name), linestyle=LINES[name], linewidth=2.2,
               label=f"{SHORT[name]} ({amount:,} of {found[name]:,} shown)")
        for name, amount in shown.items()
    ]  # fmt: skip
    if measured:
        look: dict[str, Any] = {"linestyle": "", "markeredgecolor": style.INK}
        handles += [
            Line2D(
                [], [], marker="o", color=style.INK, markersize=5, label="neuron whose effects were measured", **look
            ),
            Line2D([], [], marker=">", color=style.INK, markersize=4.5, label="the effect was found", **look),
        ]
    axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), bbox_transform=axes.transAxes, handlelength=3.2,
        borderaxespad=2.6,
    )  # fmt: skip


# -- words --------------------------------------------------------------------------------------------


def _note(study: LayersStudy, edges: EdgesAcross, drawing: _Drawing) -> str:
    parts = [
        f"Showing {count(len(drawing.rows), 'edge')} of {int(_edges(edges).sum()):,} that were found: the strongest of every "
        "reading in turn. Width: the largest number that was found for the pair. Signs and all numbers are in layers.csv, all "
        "pairs in edges_across_layers.csv."
    ]
    if edges.association is not None and study.association_graph is not None:
        parts.append(association_words(study.association_graph))
    if study.influence is not None:
        parts.append(influence_words(study.influence))
    return " ".join(parts)


def _alt(study: LayersStudy, edges: EdgesAcross, drawing: _Drawing) -> str:
    shown = counts_by_reading(edges, np.isin(np.arange(len(edges)), drawing.rows))
    kinds = ", ".join(f"{amount:,} {name or 'not read'}" for name, amount in shown.items())
    layers = ", ".join(str(layer) for layer in drawing.layers.tolist())
    return (
        f"Network of {count(len(drawing.rows), 'edge')} between {count(len(drawing.neurons), 'neuron')} of the layers {layers} "
        f"({study.title}), by reading: {kinds}."
    )


def _table(study: LayersStudy, edges: EdgesAcross, drawing: _Drawing) -> dict[str, Any]:
    from glasso_cli.report.plots.tables import across_table

    table = {name: np.asarray(values)[drawing.rows] for name, values in across_table(study, edges).items()}
    places = drawing.places[drawing.ends].round(4)
    return {
        **table,
        "size": edges.size[drawing.rows],
        "height_source": places[:, 0, 1],
        "height_target": places[:, 1, 1],
    }
