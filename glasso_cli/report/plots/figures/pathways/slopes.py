"""The measured slope of a scalar in each source neuron, against its direct part and the sum over paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.metrics.pathways import ScalarReached
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.labels import count
from glasso_cli.report.words.pathways import scalar_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (10.5, 4.9)  # inches
_INTERVAL = 1.96  # standard errors
_BARS = 200  # sources with error bars
_LABELLED = 6


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """One picture, if paths end in a scalar."""
    made = study.pathways
    if made is None or made.metrics.scalar is None:
        return
    scalar, table = made.metrics.scalar, slope_table(made)
    name = scalar_words(scalar)
    page = style.page(study, f"Do paths predict the slope of {name}?", _note(scalar, table), _SIZE, signs=True)
    left, right = page.figure.subplots(1, 2)
    unit = f"{scalar.scalar} per token and SD"
    labels = dict(zip(study.collected.ids.tolist(), study.collected_labels))
    names = [labels.get(neuron, neuron) for neuron in table["neuron"].tolist()]
    bars = _INTERVAL * table["slope_standard_error"] if len(names) <= _BARS else None
    _draw(left, table["direct"] + table["through"], table["slope"], names, bars)
    left.set(title="Whole slope", xlabel=f"direct part and all paths, {unit}", ylabel=f"measured slope, {unit}")
    _draw(right, table["through"], table["slope"] - table["direct"], names, None, scalar.slope)
    right.set(
        title="What passes later neurons",
        xlabel=f"all paths, {unit}",
        ylabel=f"measured slope less direct part, {unit}",
    )
    yield style.Picture("slopes", page.figure, _alt(study, scalar, len(names)), table)


def slope_table(made: Pathways) -> dict[str, Any]:
    """The slopes of the source neurons, the steepest first; signs are oriented."""
    columns = made.neuron_columns()
    sources = np.isin(columns["neuron"], made.neuron_ids[made.is_source])
    kept = np.flatnonzero(sources)[np.argsort(-np.abs(columns["slope"][sources]), kind="stable")]
    wanted = (
        *("neuron", "layer", "slope", "slope_standard_error", "direct", "direct_standard_error", "through"),
        *("through_standard_error", "through_absolute", "through_absolute_standard_error", "orientation"),
    )
    return {name: columns[name][kept] for name in wanted}


def _draw(
    axes: Axes,
    predicted: np.ndarray,
    measured: np.ndarray,
    names: list[str],
    bars: np.ndarray | None,
    slope: float | None = None,
) -> None:
    highest = np.abs(measured) + (0.0 if bars is None else np.nan_to_num(bars))
    reach = 1.1 * float(max(np.abs(predicted).max(), highest.max(), 1e-12))
    line = np.array([-reach, reach])
    for place in (axes.axhline, axes.axvline):
        place(0, color=style.FAINT, linewidth=0.8, zorder=0)
    axes.plot(line, line, color=style.FAINT, linewidth=1.2, zorder=0)
    if slope is not None:
        axes.plot(line, slope * line, color=style.MARK, linewidth=1.4, label=f"least squares: {slope:.2f}", zorder=1)
        axes.legend(loc="upper left")
    axes.errorbar(
        predicted, measured, yerr=bars, fmt="o", color=style.ACCENT, markersize=3, elinewidth=0.7,
        alpha=0.8 if len(names) <= _BARS else 0.35, markeredgewidth=0,
    )  # fmt: skip
    for row in _labelled(predicted, measured, reach):
        axes.annotate(names[row], (predicted[row], measured[row]), (4, 3), textcoords="offset points", fontsize=7.2)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.locator_params(nbins=6)


def _labelled(predicted: np.ndarray, measured: np.ndarray, reach: float) -> list[int]:
    """The dots that are furthest from the middle, without those whose labels would cover each other."""
    places = np.stack([predicted, measured], axis=1) / reach
    chosen: list[int] = []
    for row in np.argsort(-np.hypot(predicted, measured), kind="stable").tolist():
        if len(chosen) < _LABELLED and (np.abs(places[chosen] - places[row]) > (0.3, 0.08)).any(axis=1).all():
            chosen.append(row)
    return chosen


def _note(scalar: ScalarReached, table: dict[str, Any]) -> str:
    name = scalar_words(scalar)
    bars = " Bars: 95 % intervals over documents." if len(table["neuron"]) <= _BARS else ""
    return (
        f"A dot is one of {count(len(table['neuron']), 'source neuron')}. Slope: change of {name} per token and standard deviation of the "
        f"neuron, measured on {scalar.tokens:,} tokens of {count(scalar.documents, 'document')}. Direct part: with the neurons of later "
        f"layers held, measured too. Paths: the sum of the products of their edges and slopes. On the grey line, paths predict what is "
        f"measured.{bars} Errors of the sums over paths are in slopes.csv; the difference of two slopes has none."
    )


def _alt(study: LayersStudy, scalar: ScalarReached, sources: int) -> str:
    found = [
        f"{words} {value:.2f}"
        for words, value in (
            ("correlation of the whole slope with its direct part", scalar.direct),
            ("with its direct part and all paths", scalar.both),
            ("of the rest of the slope with all paths", scalar.correlation),
        )
        if value is not None
    ]
    said = f": {', '.join(found)}" if found else ""
    return (
        f"Scatter of the measured slopes of {scalar_words(scalar)} in {count(sources, 'source neuron')} against what paths predict "
        f"({study.title}){said}."
    )
