"""What goes through the middle of a path when it is tried on the network, against the product of its edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.score.pathways import JOINT
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts import style
from glasso_cli.report.words.labels import count, short_labels, signed
from glasso_cli.report.words.pathways import path_words, trial_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 14
_HEIGHT = 5.4
_INTERVAL = 1.96  # standard errors


def pictures(study: LayersStudy) -> Iterator[style.Picture]:
    """One picture, if paths were tried."""
    made = study.pathways
    if made is None or made.metrics.mediated is None or not len(made.tried):
        return
    table = _table(made)
    mediated = made.metrics.mediated
    note = (
        f"{path_words(made.metrics)} {trial_words(mediated)} Bars: 95 % intervals over documents. On the grey line, the product predicts the "
        "measured effect."
    )
    page = style.page(study, "Paths tried on the network", note, (11.0, _HEIGHT), signs=True)
    left, right = page.figure.subplots(1, 2, width_ratios=[1.15, 1])
    _draw(left, table, mediated.slope)
    _list(right, made, table)
    yield style.Picture("trials", page.figure, _alt(study, made), table)


def _table(made: Pathways) -> dict[str, Any]:
    columns = made.path_columns()
    kept = {name: np.asarray(values)[made.tried] for name, values in columns.items() if name != "edges"}
    return {"number": made.tried + 1, **kept}


def _draw(axes: Axes, table: dict[str, Any], slope: float | None) -> None:
    predicted, observed = table["effect"], table["through"]
    bars = _INTERVAL * np.nan_to_num(np.stack([table["standard_error"], table["through_standard_error"]]))
    reach = 1.1 * float(max(np.abs(predicted).max(), np.abs(observed).max(), 1e-12))
    line = np.array([-reach, reach])
    axes.plot(line, line, color=style.FAINT, linewidth=1.2, zorder=0)
    if slope is not None:
        axes.plot(line, slope * line, color=style.MARK, linewidth=1.4, label=f"slope {slope:.2f}", zorder=1)
        axes.legend(loc="upper left")
    for place in (axes.axhline, axes.axvline):
        place(0, color=style.FAINT, linewidth=0.8, zorder=0)
    axes.errorbar(
        predicted, observed, xerr=bars[0], yerr=bars[1], fmt="o", color=style.ACCENT, markersize=4, elinewidth=0.8, capsize=2,
    )  # fmt: skip
    for number, x, y in list(zip(table["number"].tolist(), predicted.tolist(), observed.tolist()))[:_LISTED]:
        axes.annotate(str(number), (x, y), (4, 3), textcoords="offset points", fontsize=8, weight="bold")
    axes.set(
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        xlabel="product of the edges (expected), SD per SD",
        ylabel="measured through the middle, SD per SD",
    )


def _list(axes: Axes, made: Pathways, table: dict[str, Any]) -> None:
    axes.set_axis_off()
    labels = dict(zip(made.neuron_ids.tolist(), short_labels(made.neuron_ids.tolist(), made.layers)))
    line = 0.17 / _HEIGHT
    look: dict[str, Any] = {"transform": axes.transAxes, "va": "top"}
    for place in range(min(_LISTED, len(table["number"]))):
        top = 1 - line * 2.1 * place
        words = " → ".join(labels.get(name, name) for name in str(table["path"][place]).split(JOINT))
        numbers = (
            f"expected {signed(float(table['effect'][place]))}, through {signed(float(table['through'][place]))}, "
            f"whole effect {signed(float(table['total'][place]))}"
        )
        axes.text(0, top, str(table["number"][place]), fontsize=8, weight="bold", **look)
        axes.text(0.07, top, words, fontsize=8, **look)
        axes.text(0.07, top - line, numbers, fontsize=7.2, color=style.MUTED, **look)
    left = len(table["number"]) - _LISTED
    if left > 0:
        axes.text(
            0.07, 1 - line * 2.1 * _LISTED, f"and {left:,} more, in trials.csv", fontsize=7.6, color=style.MUTED, **look
        )


def _alt(study: LayersStudy, made: Pathways) -> str:
    found = made.metrics.mediated
    assert found is not None
    slope = "" if found.slope is None else f", with a slope of {found.slope:.2f}"
    return (
        f"Scatter of measured effects through the middle against the products of {count(found.paths, 'path')} ({study.title}){slope}; "
        f"{found.same_sign:.0%} have the expected sign."
    )
