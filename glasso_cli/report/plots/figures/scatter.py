"""The partial correlation of every pair in both corpora, one against the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.graph import colours
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.words.labels import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# a shape for those who do not see the colours
_SHAPES = {"gained": "^", "lost": "v", "stronger": "s", "weaker": "D", "sign flip": "X"}


def pictures(contrast: Contrast) -> Iterator[style.Picture]:
    """All pairs of the comparison; those that differ in the colour and shape of their kind."""
    note = (
        "Every point is a pair of neurons that is an edge of A or B, or differs between them. Grey: no difference beyond the "
        f"error. The cross in the corner is the median standard error. {contrast.doubt}"
    )
    page = style.page(contrast, "The same pairs in both corpora", note, (8.5, 6.4), signs=True)
    axes = page.figure.subplots()
    _draw(axes, contrast)
    yield style.Picture("scatter", page.figure, _alt(contrast), _table(contrast))


def _draw(axes: Axes, contrast: Contrast) -> None:
    comparison, (a, b) = contrast.comparison, contrast.names
    reach = 1.08 * max(np.abs(comparison.rho_a).max(initial=0.05), np.abs(comparison.rho_b).max(initial=0.05))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel=f"partial correlation in A, {drawable(a)}", ylabel=f"partial correlation in B, {drawable(b)}")
    for line in (axes.axhline, axes.axvline):
        line(0, color=style.FAINT, linewidth=0.8)
    axes.plot([-reach, reach], [-reach, reach], color=style.FAINT, linewidth=0.8)
    same = ~comparison.differential
    options: dict[str, Any] = {"linewidth": 0, "rasterized": True}
    axes.scatter(
        comparison.rho_a[same],
        comparison.rho_b[same],
        s=5,
        color="#9A9A9A",
        label=f"{np.count_nonzero(same):,} no difference",
        **options,
    )
    for number, name in enumerate(CLASSES):
        these = comparison.classes == number
        colour, shape = colours.DIFFERENCES[name], _SHAPES[name]
        label = f"{np.count_nonzero(these):,} {name}"
        axes.scatter(
            comparison.rho_a[these], comparison.rho_b[these], s=22, color=colour, marker=shape, label=label, **options
        )
    if len(comparison.rows):
        axes.errorbar(
            0.86 * reach, -0.86 * reach, xerr=float(np.median(comparison.error_a)),
            yerr=float(np.median(comparison.error_b)), color=style.INK, linewidth=1.2, capsize=2,
        )  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1))


def _alt(contrast: Contrast) -> str:
    kinds = contrast.comparison.metrics.classes
    words = ", ".join(f"{kinds[name]:,} {name}" for name in CLASSES)
    return (
        f"Scatter of the partial correlations of {count(len(contrast.comparison.rows), 'pair')} ({contrast.title}): "
        f"{words}; the rest does not differ."
    )


def _table(contrast: Contrast) -> dict[str, Any]:
    comparison = contrast.comparison
    names = np.array(contrast.neuron_names.texts, dtype=object)
    return {
        "neuron_i": comparison.neuron_ids[comparison.rows],
        "neuron_j": comparison.neuron_ids[comparison.cols],
        "name_i": names[comparison.rows],
        "name_j": names[comparison.cols],
        "partial_correlation_a": comparison.rho_a,
        "partial_correlation_b": comparison.rho_b,
        "difference": np.array([*CLASSES, ""])[comparison.classes],
    }
