"""Influence against association: where the two agree, and where only one of them was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.across.readings import BOTH, COMMON_CAUSE, UNUSED_WIRING
from glasso_cli.across.table import EdgesAcross
from glasso_cli.artifacts import Influence, OrderedGraph, PrecisionPath
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.pairs import SHAPES, colour_of, in_turn, list_pairs
from glasso_cli.report.words.across import SHORT, association_words, counts_by_reading, has_reading, influence_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELLED = 12  # pairs with error bars
_HEIGHT = 6.6  # inches
_INTERVAL = 1.96  # standard errors


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """All pairs of which association and influence were looked for; none without either."""
    edges, influence, graph = study.across, study.influence, study.association_graph
    if edges is None or influence is None or graph is None or edges.association is None:
        return
    if not (edges.reading >= 0).any():
        return
    labelled = in_turn(edges, np.isin(edges.reading, (BOTH, COMMON_CAUSE, UNUSED_WIRING)))[:_LABELLED]
    page = style.page(
        study, "Influence against association, across layers", _note(graph, influence), (11.5, _HEIGHT), signs=True
    )
    _draw(page.figure, study, edges, labelled)
    yield style.Picture("influence", page.figure, _alt(study, edges), _table(study, edges, labelled))


def _note(graph: OrderedGraph | PrecisionPath, influence: Influence) -> str:
    kept = (
        ""
        if influence.metrics.tested == len(influence.mean)
        else " Influence that is no edge is not kept; influence.keep: all keeps it."
    )
    return (
        f"{association_words(graph)} {influence_words(influence)} The dotted lines are these minimum effects. Marks "
        f"at the left: influence of pairs that the graph left out. Marks at the bottom: association of pairs without an influence on "
        f"record.{kept} Bars: 95 % intervals over documents, of the pairs listed. All pairs are in influence.csv."
    )


def _draw(figure: Figure, study: LayersStudy, edges: EdgesAcross, labelled: np.ndarray) -> None:
    assert edges.association is not None
    assert edges.influence is not None
    assert study.influence is not None
    grid = figure.add_gridspec(2, 3, width_ratios=[0.3, 6, 4.2], height_ratios=[6, 0.3])
    axes = figure.add_subplot(grid[0, 1])
    left, below = figure.add_subplot(grid[0, 0], sharey=axes), figure.add_subplot(grid[1, 1], sharex=axes)
    x, y = edges.association.value, edges.influence.value
    read = edges.reading >= 0
    reach = [1.08 * max(0.05, np.nanmax(np.abs(values[read]), initial=0.0)) for values in (x, y)]
    axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    for line in (axes.axhline, axes.axvline):
        line(0, color=style.FAINT, linewidth=0.8)
    assert study.association_graph is not None
    least = study.association_graph.metrics.min_effect, study.influence.metrics.min_effect
    for sign in (-1, 1):
        axes.axvline(sign * least[0], color=style.MUTED, linewidth=0.8, linestyle=":")
        axes.axhline(sign * least[1], color=style.MUTED, linewidth=0.8, linestyle=":")
    for name, amount in reversed(counts_by_reading(edges, read).items()):
        these = has_reading(edges, name)
        look: dict[str, Any] = {"color": colour_of(name), "rasterized": True}
        axes.scatter(
            x[these], y[these], s=16, marker=SHAPES[name], linewidths=1.0 if name == "neither" else 0, alpha=0.75,
            label=f"{SHORT[name]}: {amount:,}", **look,
        )  # fmt: skip
        left.hlines(y[these & np.isnan(x)], 0, 1, linewidth=1.0, alpha=0.6, **look)
        below.vlines(x[these & np.isnan(y)], 0, 1, linewidth=1.0, alpha=0.6, **look)
    _name_quadrants(axes)
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    left.set(xlim=(0, 1), xticks=[], ylabel="influence, SD of the target per SD of the source")
    below.set(ylim=(0, 1), yticks=[], xlabel="association, partial correlation")
    left.spines["bottom"].set_visible(False)
    below.spines["left"].set_visible(False)
    _mark(axes, left, below, edges, labelled)
    columns = {"association": edges.association, "influence": edges.influence}
    list_pairs(figure.add_subplot(grid[:, 2]), study, edges, labelled, columns, axes, _HEIGHT)


def _name_quadrants(axes: Axes) -> None:
    """The readings in the corners and at the ends of both axes."""
    look: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 8, "style": "italic", "color": style.MUTED}
    corners = {"both": [(0.02, 0.98), (0.98, 0.98), (0.02, 0.02), (0.98, 0.02)]}
    for name, places in {**corners, "unused wiring": [(0.5, 0.98)], "common cause": [(0.98, 0.5)]}.items():
        for x, y in places:
            sides = {
                "ha": {0.02: "left", 0.98: "right"}.get(x, "center"),
                "va": {0.02: "bottom", 0.98: "top"}.get(y, "center"),
            }
            axes.text(x, y, name, zorder=0, **sides, **look)


def _mark(axes: Axes, left: Axes, below: Axes, edges: EdgesAcross, labelled: np.ndarray) -> None:
    """Error bars and numbers of the labelled pairs, in the strip of a pair with one of the two values."""
    assert edges.association is not None
    assert edges.influence is not None
    for number, row in enumerate(labelled.tolist(), start=1):
        x, y = edges.association.value[row], edges.influence.value[row]
        bars: dict[str, Any] = {"color": style.INK, "linewidth": 1.0, "capsize": 2, "marker": "", "linestyle": ""}
        if np.isnan(x):
            where, point = left, (1.0, y)
        elif np.isnan(y):
            where, point = below, (x, 1.0)
        else:
            where, point = axes, (x, y)
            errors = (_INTERVAL * edges.association.error[row], _INTERVAL * edges.influence.error[row])
            axes.errorbar(x, y, xerr=np.nan_to_num(errors[0]), yerr=np.nan_to_num(errors[1]), **bars)
        aside = {"ha": "left", "va": "bottom"} if where is not left else {"ha": "left", "va": "center"}
        where.annotate(
            str(number), point, (3, 2 if where is not left else 0), textcoords="offset points", fontsize=8, weight="bold",
            annotation_clip=False, zorder=6, **aside,
        )  # fmt: skip


def _alt(study: LayersStudy, edges: EdgesAcross) -> str:
    kinds = ", ".join(f"{amount:,} {name}" for name, amount in counts_by_reading(edges, edges.reading >= 0).items())
    return f"Scatter of influence against association of pairs across layers ({study.title}), by reading: {kinds}."


def _table(study: LayersStudy, edges: EdgesAcross, labelled: np.ndarray) -> dict[str, Any]:
    from glasso_cli.report.plots.tables import across_table

    rows = np.flatnonzero(edges.reading >= 0)
    numbers = {row: number for number, row in enumerate(labelled.tolist(), start=1)}
    table = {
        name: np.asarray(values)[rows]
        for name, values in across_table(study, edges).items()
        if not name.startswith("effect_")
    }
    return {**table, "label": [str(numbers.get(row, "")) for row in rows.tolist()]}
