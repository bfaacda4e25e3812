"""Differential activation of all neurons: size of the difference against its p-value, for means and for variances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.words.labels import count, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 12  # neurons with a label in each panel


def pictures(contrast: Contrast) -> Iterator[style.Picture]:
    """Two volcano plots, if activations were compared."""
    active = contrast.comparison.metrics.activations
    if active is None:
        return
    comparison, (a, b) = contrast.comparison, contrast.names
    note = (
        f"Every point is a neuron. Height: how unlikely its difference is if the true one is at most {active.min_shift:g} "
        f"standard deviations, or a ratio of variances of {active.min_ratio:g}. Coloured: false discovery rate up to "
        f"{comparison.metrics.fdr:g} over all neurons. {contrast.activation_doubt}"
    )
    page = style.page(
        contrast, f"Which neurons are more active in {b} (B) than in {a} (A)", note, (11.5, 5.6), signs=True
    )
    left, right = page.figure.subplots(1, 2)
    fdr = comparison.metrics.fdr
    _volcano(left, contrast, comparison.shift, comparison.shift_p, comparison.shift_q <= fdr)
    _volcano(right, contrast, comparison.log_ratio / np.log(2), comparison.ratio_p, comparison.ratio_q <= fdr)
    left.set(title="Mean", xlabel="mean in B less mean in A, standard deviations")
    right.set(title="Variance", xlabel="log₂ of the variance in B over that in A")
    left.set_ylabel("−log₁₀ p")
    yield style.Picture("activations", page.figure, _alt(contrast), _table(contrast))


def _volcano(axes: Axes, contrast: Contrast, effect: np.ndarray, p: np.ndarray, found: np.ndarray) -> None:
    height = -np.log10(np.maximum(p, 1e-300))
    options: dict[str, Any] = {"linewidth": 0, "rasterized": True}
    axes.scatter(
        effect[~found],
        height[~found],
        s=6,
        color="#9A9A9A",
        label=f"{np.count_nonzero(~found):,} no difference",
        **options,
    )
    for sign, colour, shape, words in (
        (1, colours.POSITIVE, "^", "higher in B"),
        (-1, colours.NEGATIVE, "v", "lower in B"),
    ):
        these = found & (np.sign(effect) == sign)
        axes.scatter(
            effect[these],
            height[these],
            s=18,
            color=colour,
            marker=shape,
            label=f"{np.count_nonzero(these):,} {words}",
            **options,
        )
    axes.axvline(0, color=style.FAINT, linewidth=0.8)
    ranked = np.lexsort((-np.abs(effect), p))[:_NAMED]
    for neuron in ranked[found[ranked]].tolist():
        right = effect[neuron] > 0
        axes.annotate(
            drawable(cut(contrast.active_titles[neuron], 30)), (effect[neuron], height[neuron]), (4 if right else -4, 0),
            textcoords="offset points", fontsize=6.5, color=style.MUTED, va="center", ha="left" if right else "right",
        )  # fmt: skip
    axes.margins(x=0.14)
    axes.legend(loc="upper left", fontsize=8)


def _table(contrast: Contrast) -> dict[str, Any]:
    columns = contrast.comparison.activation_columns()
    names = dict(zip(contrast.comparison.active_ids.tolist(), contrast.active_names.texts))
    return {"neuron": columns["neuron"], "name": [names[str(neuron)] for neuron in columns["neuron"]], **columns}


def _alt(contrast: Contrast) -> str:
    active, (a, b) = contrast.comparison.metrics.activations, contrast.names
    assert active is not None
    return (
        f"Two volcano plots of {count(active.neurons, 'neuron')} ({contrast.title}): the means of {active.higher:,} are higher in "
        f"{b} and of {active.lower:,} higher in {a}; {active.more_variable:,} vary more in {b} and {active.less_variable:,} less."
    )
