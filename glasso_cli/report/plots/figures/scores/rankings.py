"""The neurons that rank highest by each score of the structure, with errors, and how stable the rankings are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import Structure
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import cut
from glasso_cli.report.words.structure import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 12  # neurons of each score
_COLUMNS = 5
_INTERVAL = 1.96  # standard errors
_LEAST, _GOOD = 0.25, 0.5  # what the authors of the coefficient ask for
_NEEDED = 0.7  # correlation
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (7, 2)))


def pictures(study: Study) -> Iterator[style.Picture]:
    """A panel for each score, and one of the correlations where documents are dropped; none without structure."""
    made = study.structure
    if made is None:
        return
    names = [name for name in made.names.tolist() if name != "explained" and made.values[_row(made, name)].any()]
    curves = bool(made.metrics.subsets)
    panels = len(names) + 2 * curves  # the curves, and what their lines are
    rows = -(-panels // _COLUMNS)
    page = style.page(study, "Which neurons rank highest in the graph", _note(made), (16.0, 3.3 * rows), signs=True)
    axes = page.figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for place, name in zip(axes, names):
        _draw(place, study, made, name)
    if curves:
        _draw_stability(axes[len(names)], axes[len(names) + 1], made, names)
    for place in axes[panels:]:
        place.set_axis_off()
    tables = {"stability": _stability_table(made, names)} if curves else {}
    yield style.Picture("rankings", page.figure, _alt(study, made, names), _table(study, made, names), tables=tables)


def _row(made: Structure, name: str) -> int:
    return int(made.names.tolist().index(name))


def _top(made: Structure, name: str) -> np.ndarray:
    """The neurons that are listed, those with the largest sizes first; none with a score of 0."""
    sizes = np.abs(made.values[_row(made, name)])
    order = np.argsort(-sizes, kind="stable")[:_LISTED]
    return np.asarray(order[sizes[order] > 0])


def _draw(axes: Axes, study: Study, made: Structure, name: str) -> None:
    row, chosen = _row(made, name), _top(made, name)
    values, errors = made.values[row, chosen], np.nan_to_num(made.errors[row, chosen])
    titles = dict(zip(study.fit.neuron_ids.tolist(), study.titles))
    places = np.arange(len(chosen))
    axes.errorbar(
        values, places, xerr=_INTERVAL * errors, fmt="o", color=style.ACCENT, markersize=4, elinewidth=1, capsize=2
    )
    labels = [
        drawable(cut(titles.get(str(made.neuron_ids[neuron]), str(made.neuron_ids[neuron])), 22)) for neuron in chosen
    ]
    axes.set_yticks(places, labels, fontsize=7.5)
    axes.set(ylim=(_LISTED + 0.6, -0.6))  # with room for the coefficient
    axes.set_title(TITLES[name])
    axes.text(0.98, 0.02, _coefficient(made, row), transform=axes.transAxes, ha="right", fontsize=8.5, weight="bold")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    if (values < 0).any():
        axes.axvline(0, color=style.INK, linewidth=0.8)


def _coefficient(made: Structure, row: int) -> str:
    coefficient = made.coefficients[row]
    return "" if np.isnan(coefficient) else f"CS {coefficient:.2f}"


def _draw_stability(axes: Axes, beside: Axes, made: Structure, names: list[str]) -> None:
    axes.axhline(_NEEDED, color=style.MARK, linewidth=1.2, zorder=0)
    for share in (_LEAST, _GOOD):
        axes.axvline(share, color=style.FAINT, linewidth=1, zorder=0)
    greys = np.linspace(0, 0.55, len(names))
    for place, name in enumerate(names):
        values = made.correlations[_row(made, name)]
        known = ~np.isnan(values)
        axes.plot(
            made.dropped[known], values[known], linestyle=_DASHES[place % len(_DASHES)], color=str(greys[place]), linewidth=1.4,
            marker=".", markersize=4, label=TITLES[name],
        )  # fmt: skip
    low = float(np.nanmin(made.correlations, initial=_NEEDED))
    axes.set(
        title="Stability",
        xlabel="share of the documents dropped",
        ylabel="correlation that 95 % exceed",
        ylim=(low - 0.05, 1.02),
    )
    beside.set_axis_off()
    beside.legend(*axes.get_legend_handles_labels(), loc="center left", handlelength=3, borderaxespad=0)


# -- words --------------------------------------------------------------------------------------------


def _note(made: Structure) -> str:
    stability = (
        " CS: the correlation-stability coefficient, the largest share of the documents that can be dropped so that the scores still "
        f"correlate by more than {_NEEDED:g} (orange line) with those of all documents, in 95 % of {made.metrics.subsets:,} subsets. "
        f"At least {_LEAST:g} is asked for, and better {_GOOD:g}; at most {made.metrics.largest:g} was tried."
        if made.metrics.subsets
        else " How stable the rankings are was not measured."
    )
    return (
        f"The {_LISTED} neurons with the largest sizes. Bars: 95 % intervals over documents ({made.metrics.blocks} blocks), which hold the "
        f"edges and communities.{stability} All neurons are in the table of the stage structure. A high rank is no importance: score "
        "measures what the network loses."
    )


def _alt(study: Study, made: Structure, names: list[str]) -> str:
    words = []
    for name in names:
        row, first = _row(made, name), int(_top(made, name)[0])
        words.append(
            f"{TITLES[name]} {made.neuron_ids[first]} ({made.values[row, first]:.3g} ± {made.errors[row, first]:.2g})"
        )
    return f"The highest neurons by each score of the graph ({study.title}). First are: {'; '.join(words)}."


def _table(study: Study, made: Structure, names: list[str]) -> dict[str, Any]:
    chosen = {name: _top(made, name) for name in names}
    named = dict(zip(study.fit.neuron_ids.tolist(), study.names.texts))
    neurons = np.concatenate([chosen[name] for name in names])
    rows = np.repeat([_row(made, name) for name in names], [len(chosen[name]) for name in names])
    return {
        "score": made.names[rows],
        "rank": np.concatenate([1 + np.arange(len(chosen[name])) for name in names]),
        "neuron": made.neuron_ids[neurons],
        "name": np.array([named.get(str(name), "") for name in made.neuron_ids[neurons]], dtype=object),
        "value": made.values[rows, neurons],
        "standard_error": made.errors[rows, neurons],
    }


def _stability_table(made: Structure, names: list[str]) -> dict[str, Any]:
    rows, levels = np.meshgrid([_row(made, name) for name in names], np.arange(len(made.dropped)), indexing="ij")
    at = (rows.ravel(), levels.ravel())
    return {
        "score": made.names[at[0]],
        "dropped": made.dropped[at[1]],
        "effective_tokens": made.n_effective[at[1]],
        "correlation": made.correlations[at],
        "rank_correlation": made.rank_correlations[at],
        "coefficient": made.coefficients[at[0]],
        "rank_coefficient": made.rank_coefficients[at[0]],
    }
