"""What the figures of edges across layers share: which pairs are shown, their looks and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.across.table import Column, EdgesAcross
from glasso_cli.graph import colours
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.words.labels import cut, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES: dict[str, Any] = {
    "both": "solid",
    "common cause": (0, (4.0, 1.6)),
    "unused wiring": (0, (1.1, 1.1)),
    "neither": (0, (5.0, 1.5, 1.1, 1.5)),
    "": "solid",
}
SHAPES = {"both": "o", "common cause": "s", "unused wiring": "^", "neither": "x", "": "."}


def colour_of(reading: str) -> str:
    return colours.READINGS[reading]


def in_turn(edges: EdgesAcross, among: np.ndarray) -> np.ndarray:
    """The pairs ``among (M,)`` bool as indices: the strongest of every reading, then the second of every one, and so on."""
    rows = np.flatnonzero(among)
    rank = np.zeros(len(rows), dtype=np.int64)
    for reading in np.unique(edges.reading[rows]):
        members = np.flatnonzero(edges.reading[rows] == reading)
        rank[members] = np.arange(len(members))
    return rows[np.lexsort((rows, rank))]


def list_pairs(
    axes: Axes,
    study: LayersStudy,
    edges: EdgesAcross,
    rows: np.ndarray,
    columns: Mapping[str, Column],
    points: Axes,
    height: float,
) -> None:
    """The legend of ``points``, and below it the pairs ``rows (n,)`` by number, with their values and standard errors.

    ``axes`` are about ``height`` inches high.
    """
    axes.set_axis_off()
    handles, labels = points.get_legend_handles_labels()
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(-0.02, 1.02), borderaxespad=0)
    line = 0.15 / height
    look: dict[str, Any] = {"transform": axes.transAxes, "va": "top"}
    for number, row in enumerate(rows.tolist(), start=1):
        top = 1 - line * (1.4 * len(labels) + 2.3 * number - 0.6)
        values = ", ".join(
            f"{name} {signed(float(column.value[row]))} ± {column.error[row]:.3f}"
            for name, column in columns.items()
            if not np.isnan(column.value[row])
        )
        axes.text(0, top, str(number), fontsize=8, weight="bold", **look)
        axes.text(0.07, top, _pair_title(study, edges, row), fontsize=7.2, **look)
        axes.text(0.07, top - line, values, fontsize=6.8, color=style.MUTED, **look)


def _pair_title(study: LayersStudy, edges: EdgesAcross, row: int, longest: int = 22) -> str:
    """The names of the source and the target of a pair, for a list."""
    ends = (study.collected_titles[int(neurons[row])] for neurons in (edges.sources, edges.targets))
    return " → ".join(drawable(cut(title, longest)) for title in ends)
