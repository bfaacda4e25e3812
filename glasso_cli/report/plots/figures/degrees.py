"""How the edges spread over the neurons: degree, strength, expected influence, and the strongest neurons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.plots.tables import neuron_table
from glasso_cli.report.words.labels import community_name, count, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 25


def pictures(study: Study) -> Iterator[style.Picture]:
    """Three distributions beside the strongest neurons; the table is that of all neurons."""
    isolated = int(np.count_nonzero(study.degree == 0))
    note = (
        "Strength: the sum of |partial correlation| over the edges of a neuron. Expected influence: the "
        f"same sum with signs. {count(isolated, 'neuron')} without an edge. Every neuron is in neurons.csv."
    )
    page = style.page(study, "Which neurons are connected, and how strongly", note, (11.5, 6.6), signs=True)
    mosaic = page.figure.subplot_mosaic(
        [["degree", "top"], ["strength", "top"], ["influence", "top"]], width_ratios=[1, 1.15]
    )
    _degrees(mosaic["degree"], study)
    _distribution(mosaic["strength"], study.strength, "Strength", "sum of |partial correlation|")
    _distribution(mosaic["influence"], study.expected_influence, "Expected influence", "sum of partial correlations")
    mosaic["influence"].axvline(0, color=style.MUTED, linewidth=0.8)
    _strongest(mosaic["top"], study)
    yield style.Picture("degrees", page.figure, _alt(study), _table(study))


def _alt(study: Study) -> str:
    top = study.by_strength[0]
    return (
        f"Distributions over {count(study.p, 'neuron')} ({study.title}) at alpha {study.alpha:.4g}: degree "
        f"(median {np.median(study.degree):g}, largest {study.degree.max()}), strength (largest "
        f"{study.strength[top]:.2f}, {study.titles[top]}) and expected influence "
        f"({study.expected_influence.min():.2f} to {study.expected_influence.max():.2f})."
    )


def _table(study: Study) -> dict[str, Any]:
    columns = ("neuron", "degree", "strength", "expected_influence")
    table = neuron_table(study)
    return {name: table[name] for name in columns}


def _degrees(axes: Axes, study: Study) -> None:
    import seaborn as sns

    degree = study.degree
    wide = int(degree.max(initial=0)) > 60
    sns.histplot(x=degree, ax=axes, discrete=not wide, color=style.ACCENT, edgecolor="white")
    axes.set(title="Degree", xlabel="edges of a neuron", ylabel="neurons")
    axes.xaxis.get_major_locator().set_params(integer=True)
    _mean(axes, float(degree.mean()))


def _distribution(axes: Axes, values: np.ndarray, title: str, label: str) -> None:
    import seaborn as sns

    sns.histplot(x=values, ax=axes, bins=40, color=style.ACCENT, edgecolor="white")
    axes.set(title=title, xlabel=label, ylabel="neurons")
    _mean(axes, float(values.mean()))


def _mean(axes: Axes, mean: float) -> None:
    axes.axvline(mean, color=style.MARK, linewidth=1.6)
    axes.annotate(
        f"mean {mean:.3g}", (mean, 1), (4, -2), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=8.5, va="top",
    )  # fmt: skip


def _strongest(axes: Axes, study: Study) -> None:
    """Bars of the strongest neurons: positive edges to the right, negative ones to the left."""
    listed = [neuron for neuron in study.by_strength[:_LISTED] if study.degree[neuron]]
    title = f"The {len(listed)} strongest neurons" if len(listed) > 1 else "The strongest neuron"
    axes.set_title(title, pad=22)
    if not listed:
        style.empty(axes, "no edges at this α")
        return
    strength, influence = study.strength[listed], study.expected_influence[listed]
    positive, negative = (strength + influence) / 2, (strength - influence) / 2
    rows = np.arange(len(listed))
    axes.barh(rows, positive, color=colours.POSITIVE, height=0.72, label="positive edges")
    axes.barh(rows, -negative, color=colours.NEGATIVE, height=0.72, hatch="////", edgecolor="white",
              linewidth=0, label="negative edges")  # fmt: skip
    axes.plot(influence, rows, "d", color="white", markeredgecolor="black", markersize=5,
              label="expected influence")  # fmt: skip
    names = [f"{drawable(cut(study.titles[n], 34))}  {community_name(int(study.communities[n]))}" for n in listed]
    axes.set_yticks(rows, names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set(ylim=(len(listed) - 0.4, -0.6), xlabel="sum of partial correlations")
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.3g}")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.995), ncols=3, columnspacing=1.2, borderaxespad=0.2)
