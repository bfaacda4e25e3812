"""Differential activation of all neurons: size of the difference against its p-value, for means and for variances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import cells, drawable
from glasso_cli.report.words.labels import count, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 20  # neurons with a label in each panel, where there is room
_LABEL = 6.5  # points
_LONGEST = 34  # characters of a label with its name
_PANEL = np.array([365.0, 330.0])  # points, about the size of a panel


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
    left.set_title("Mean", pad=22)
    right.set_title("Variance", pad=22)
    left.set(xlabel="mean in B less mean in A, standard deviations")
    right.set(xlabel="log₂ of the variance in B over that in A")
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
    axes.margins(x=0.3, y=0.05)
    ranked = np.lexsort((-np.abs(effect), p))[:_NAMED]
    _name_points(axes, contrast, ranked[found[ranked]].tolist(), effect, height)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.995), ncols=3, columnspacing=1.2, fontsize=8)


def _name_points(axes: Axes, contrast: Contrast, neurons: list[int], effect: np.ndarray, height: np.ndarray) -> None:
    """Label and name beside each point, or the label alone, or nothing where neither fits: no two touch."""
    low, high = (np.array(limits) for limits in zip(axes.get_xlim(), axes.get_ylim()))
    taken: list[np.ndarray] = []  # left, bottom, right, top in points
    for neuron in neurons:
        x, y = (np.array([effect[neuron], height[neuron]]) - low) / (high - low) * _PANEL
        outward = effect[neuron] > 0
        label, title = contrast.active_labels[neuron], cut(contrast.active_titles[neuron], _LONGEST)
        for text, right in ((title, outward), (title, not outward), (label, outward)):
            shown = drawable(text)
            width = cells(shown) * _LABEL * 0.6 + 6
            box = np.array([x if right else x - width, y - _LABEL * 0.6, x + width if right else x, y + _LABEL * 0.6])
            inside = box[0] >= 0 and box[2] <= _PANEL[0]
            if inside and not any((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all() for other in taken):
                taken.append(box)
                axes.annotate(
                    shown, (effect[neuron], height[neuron]), (4 if right else -4, 0), textcoords="offset points",
                    fontsize=_LABEL, color=style.MUTED, va="center", ha="left" if right else "right",
                )  # fmt: skip
                break


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
