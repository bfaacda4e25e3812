"""Attributions against exact effects, neuron by neuron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.scored import Scored, called

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pictures(scored: Scored) -> Iterator[style.Picture]:
    """One panel for each form, if neurons were ablated one by one."""
    scores = scored.scores
    if not len(scores.measured):
        return
    note = (
        "Both axes are linear near zero and logarithmic beyond. Bars are standard errors over documents. On the grey line, a form says "
        "what the ablation does. Attributions and effects are of the same documents."
    )
    count = len(scores.forms)
    page = style.page(scored, "Attributions against exact ablation", note, (3.6 * count + 1.2, 4.2))
    all_axes = page.figure.subplots(1, count, squeeze=False, sharey=True)[0]
    tokens = scores.counts.sum()
    attributions = scores.document_attributions.sum(axis=2) / tokens
    for axes, form, values in zip(all_axes, scores.metrics.forms, attributions):
        _draw(axes, scored, values)
        rank = (
            "not known"
            if form.spearman is None
            else f"{form.spearman:.2f} [{form.spearman_low:.2f}, {form.spearman_high:.2f}]"
        )
        axes.set(title=f"{called(form.form)}\nrank correlation {rank}", xlabel="attribution per token")
    all_axes[0].set(ylabel=f"change of {scores.metrics.scalar} per token by exact ablation")
    all_axes[-1].legend(loc="lower right")
    words = "; ".join(
        f"{called(form.form)} {form.spearman:.2f}" for form in scores.metrics.forms if form.spearman is not None
    )
    alt = f"Attributions against exact effects of {len(scores.measured):,} neurons ({scored.title}). Rank correlations: {words}."
    yield style.Picture("agreement", page.figure, alt, _table(scored, attributions))


def _draw(axes: Axes, scored: Scored, values: np.ndarray) -> None:
    scores = scored.scores
    sizes = np.abs(np.concatenate([values, scores.effects]))
    unit = float(np.quantile(sizes[sizes > 0], 0.25)) if (sizes > 0).any() else 1.0
    reach = 2 * float(sizes.max(initial=unit))
    line = np.concatenate([-np.geomspace(reach, unit, 40), np.geomspace(unit, reach, 40)])
    axes.plot(line, line, color=style.FAINT, linewidth=1)
    for drawn, colour, shape, label in (
        (True, "#8A8A8A", "o", "random sample"),
        (False, "#D55E00", "^", "highest ranked"),
    ):
        these = scores.drawn == drawn
        axes.errorbar(
            values[these], scores.effects[these], yerr=scores.effect_errors[these], fmt=shape, color=colour, markersize=3,
            linewidth=0, elinewidth=0.6, label=f"{label} ({int(these.sum()):,})",
        )  # fmt: skip
    axes.set_xscale("symlog", linthresh=unit)
    axes.set_yscale("symlog", linthresh=unit)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    for axis in (axes.xaxis, axes.yaxis):
        _few_ticks(axis, unit, reach)


def _few_ticks(axis: Any, unit: float, reach: float) -> None:
    exponents = np.arange(int(np.ceil(np.log10(unit))), int(np.floor(np.log10(reach))) + 1)
    exponents = exponents[:: max(1, len(exponents) // 2)]
    ticks = [*(-(10.0 ** exponents[::-1])), 0.0, *(10.0**exponents)]
    axis.set_ticks(ticks, [style.plain(tick) if tick >= 0 else f"−{style.plain(-tick)}" for tick in ticks])
    axis.set_ticks([], minor=True)


def _table(scored: Scored, attributions: np.ndarray) -> dict[str, Any]:
    scores = scored.scores
    columns = dict(zip(scores.forms.tolist(), attributions))
    return {
        "neuron": scores.neuron_ids[scores.measured],
        "drawn": scores.drawn,
        "effect": scores.effects,
        "effect_standard_error": scores.effect_errors,
        **columns,
    }
