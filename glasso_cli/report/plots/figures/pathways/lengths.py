"""Effects on the targets, or on a scalar, along all paths, by the layer where they begin and the number of edges, signed and absolute apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.graph import colours
from glasso_cli.linalg.path_sums import path_sums
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.labels import count, percent
from glasso_cli.report.words.pathways import edge_words, end_words, scalar_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AT_ONCE = 256  # targets
_BAR = 0.62  # inches


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """One picture; none without paths."""
    made = study.pathways
    if made is None:
        return
    table = by_length(made)
    if not len(table["layer"]):
        return
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


def by_length(made: Pathways) -> dict[str, Any]:
    """For each layer and number of edges with a path to a target: sums over pairs of a neuron of the layer and a target.

    Where paths end in a scalar, it is the one target, and its slope in the last neuron is an edge, as in the tables.
    ``positive`` and ``negative`` are those of the pairs' signed effects by sign, ``net`` is that of their sizes, and ``absolute``
    that of the sizes of all paths. Only the first two depend on the orientation of neurons.
    """
    p = len(made.neuron_ids)
    weights = made.weights * pair_signs(made.orientation, made.sources, made.targets)
    backwards = csr_array(coo_array((weights, (made.sources, made.targets)), shape=(p, p)))
    layers, of_layer = np.unique(made.layers, return_inverse=True)
    sums: dict[tuple[int, int], np.ndarray] = {}
    first = 1 if made.metrics.scalar is None else 2  # edges of the shortest paths
    for ends in _ends(made):
        for length, (signed, absolute) in enumerate(path_sums(backwards, ends), start=first):
            parts = (np.maximum(signed, 0), np.minimum(signed, 0), np.abs(signed), absolute)
            totals = np.array([np.bincount(of_layer, part.sum(axis=1), len(layers)) for part in parts])
            for row in np.flatnonzero(totals[3]).tolist():
                key = (row, length)
                sums[key] = sums.get(key, np.zeros(4)) + totals[:, row]
    keys = sorted(sums)
    columns = np.array([sums[key] for key in keys]).reshape(-1, 4).T
    return {
        "layer": layers[[row for row, _ in keys]] if keys else np.zeros(0, np.int64),
        "edges": np.array([length for _, length in keys], np.int64),
        **dict(zip(("positive", "negative", "net", "absolute"), columns)),
    }


def _ends(made: Pathways) -> Iterator[np.ndarray]:
    """What each end gets of each neuron, ``(p, n)`` for some of the ends: the targets, or the scalar alone. Signs are oriented."""
    if made.metrics.scalar is not None:
        yield (made.exits * made.orientation)[:, None]
        return
    targets = np.flatnonzero(made.is_target)
    for start in range(0, len(targets), _AT_ONCE):
        chosen = targets[start : start + _AT_ONCE]
        ends = np.zeros((len(made.neuron_ids), len(chosen)))
        ends[chosen, np.arange(len(chosen))] = 1.0
        yield ends


def _draw_signed(axes: Axes, table: dict[str, Any], unit: str, each: str) -> None:
    places = np.arange(len(table["layer"]))
    axes.bar(places, table["positive"], color=colours.POSITIVE, width=0.7, label=f"positive {each}")
    axes.bar(
        places, table["negative"], color=colours.NEGATIVE, width=0.7, hatch="////", edgecolor="white", linewidth=0,
        label=f"negative {each}",
    )  # fmt: skip
    total = table["positive"] + table["negative"]
    axes.plot(places, total, "d", color="white", markeredgecolor="black", markersize=6, label="sum")
    axes.axhline(0, color=style.INK, linewidth=0.8)
    axes.set(title="Signed", ylabel=f"sum of effects, {unit}")
    _finish(axes, table)


def _draw_absolute(axes: Axes, table: dict[str, Any], unit: str, each: str) -> None:
    places = np.arange(len(table["layer"]))
    axes.bar(places - 0.19, table["net"], color="#BDBDBD", width=0.36, label=f"of {each}, after cancelling")
    axes.bar(places + 0.19, table["absolute"], color=style.ACCENT, width=0.36, label="of paths, nothing cancels")
    axes.set(title="Absolute", ylabel=f"sum of absolute effects, {unit}")
    _finish(axes, table)


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
        f"{edge_words(made.metrics.graph)}{last} The sums have no errors here."
    )


def _alt(study: LayersStudy, made: Pathways, table: dict[str, Any]) -> str:
    words = "; ".join(
        f"layer {layer}, {count(length, 'edge')}: {absolute:.3g}, of which {percent(float(net / absolute))} is left after cancelling"
        for layer, length, net, absolute in zip(
            *(np.asarray(table[name]).tolist() for name in ("layer", "edges", "net", "absolute"))
        )
    )
    return f"Bars of the effects on {_end(made)} along all paths ({study.title}). Absolute sums by first layer and length: {words}."
