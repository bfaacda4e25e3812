"""Effects on the targets, or on a scalar, along all paths, by the layer where they begin and the number of edges, signed and absolute apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.graph import colours
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.labels import count, percent
from glasso_cli.report.words.pathways import edge_words, end_words, scalar_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INTERVAL = 1.96  # standard errors
_BAR = 0.62  # inches


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """One picture; none without paths."""
    made = study.pathways
    if made is None:
        return
    table = made.length_columns()
    amount = len(table["layer"])
    page = style.page(
        study,
        f"Effects on {_end(made)}, by length of path",
        _note(made),
        (max(8.5, 2 * _BAR * amount + 3), 4.4),
        signs=True,
    )
    left, right = page.figure.subplots(1, 2)
    scalar = made.metrics.scalar
    unit, each = ("SD per SD", "pairs") if scalar is None else (f"{scalar.scalar} per token and SD", "neurons")
    _draw_signed(left, table, unit, "pairs" if scalar is None else "effects of neurons")
    _draw_absolute(right, table, unit, each)
    yield style.Picture("pathway_lengths", page.figure, _alt(study, made, table), table)


def _draw_signed(axes: Axes, table: dict[str, Any], unit: str, each: str) -> None:
    places = np.arange(len(table["layer"]))
    axes.bar(places, table["positive"], color=colours.POSITIVE, width=0.7, label=f"positive {each}")
    axes.bar(
        places, table["negative"], color=colours.NEGATIVE, width=0.7, hatch="////", edgecolor="white", linewidth=0,
        label=f"negative {each}",
    )  # fmt: skip
    _intervals(axes, places, table, "signed")
    axes.plot(places, table["signed"], "d", color="white", markeredgecolor="black", markersize=6, zorder=4, label="sum")
    axes.axhline(0, color=style.INK, linewidth=0.8)
    axes.set(title="Signed", ylabel=f"sum of effects, {unit}")
    _finish(axes, table)


def _draw_absolute(axes: Axes, table: dict[str, Any], unit: str, each: str) -> None:
    places = np.arange(len(table["layer"]))
    for name, shift, colour, label in (
        ("net", -0.19, "#BDBDBD", f"of {each}, after cancelling"),
        ("absolute", 0.19, style.ACCENT, "of paths, nothing cancels"),
    ):
        axes.bar(places + shift, table[name], color=colour, width=0.36, label=label)
        _intervals(axes, places + shift, table, name)
    axes.set(title="Absolute", ylabel=f"sum of absolute effects, {unit}")
    _finish(axes, table)


def _intervals(axes: Axes, places: np.ndarray, table: dict[str, Any], name: str) -> None:
    """95 % intervals of a column, with a white rim that shows on dark bars; nothing where errors are not known."""
    from matplotlib.patheffects import withStroke

    errors = np.asarray(table[f"{name}_standard_error"])
    if not np.isfinite(errors).all():
        return
    drawn = axes.errorbar(
        places, table[name], yerr=_INTERVAL * errors, fmt="none", ecolor=style.INK, elinewidth=1.0, capsize=3, zorder=3
    )
    for line in drawn.get_children():
        line.set_path_effects([withStroke(linewidth=2.6, foreground="white")])


def _finish(axes: Axes, table: dict[str, Any]) -> None:
    names = [
        f"layer {layer}\n{count(length, 'edge')}" if layer >= 0 else f"no layer\n{count(length, 'edge')}"
        for layer, length in zip(table["layer"].tolist(), table["edges"].tolist())
    ]
    axes.set_xticks(np.arange(len(names)), names, fontsize=8, rotation=90 if len(names) > 10 else 0)
    axes.margins(y=0.32)
    axes.legend(loc="upper right", handlelength=1.4)


def _end(made: Pathways) -> str:
    return "the targets" if made.metrics.scalar is None else end_words(made.metrics)


def _note(made: Pathways) -> str:
    scalar = made.metrics.scalar
    if scalar is None:
        pairs = f"pairs of a neuron of the layer and one of {count(made.metrics.targets, 'target')}"
        each, last = "pair", ""
    else:
        pairs, each = "the neurons of the layer", "neuron"
        last = (
            f" The last edge of a path is a slope of {scalar_words(scalar)}. What a neuron does to {scalar_words(scalar)} past all later neurons "
            "is not in the bars."
        )
    return (
        f"Sums over {pairs}. Left: the effect of each {each} along all paths of this many edges; paths of opposite sign cancel. Right: the "
        "same effects without their signs, and the sums of the absolute effects of the paths, where nothing cancels. "
        f"{edge_words(made.metrics.graph)}{last} {_interval_words(made)}"
    )


def _interval_words(made: Pathways) -> str:
    if not np.isfinite(made.length_errors).all():
        return (
            "The sums have no intervals: it is not known how the factors of paths differ between blocks of documents."
        )
    units = "" if made.metrics.units else ", with standard deviations taken as known"
    return f"Lines: 95 % intervals over documents (block jackknife{units})."


def _alt(study: LayersStudy, made: Pathways, table: dict[str, Any]) -> str:
    words = "; ".join(
        f"layer {layer}, {count(length, 'edge')}: {absolute:.3g}{_plus_minus(error)}, of which {percent(float(net / absolute))} is left "
        "after cancelling"
        for layer, length, net, absolute, error in zip(
            *(
                np.asarray(table[name]).tolist()
                for name in ("layer", "edges", "net", "absolute", "absolute_standard_error")
            )
        )
    )
    return f"Bars of the effects on {_end(made)} along all paths ({study.title}). Absolute sums by first layer and length: {words}."


def _plus_minus(error: float) -> str:
    return f" ± {error:.2g}" if np.isfinite(error) else ""
