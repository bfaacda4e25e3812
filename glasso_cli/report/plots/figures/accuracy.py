"""How sure the strongest edges are: interval of each, and how often half of the documents gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 40
_INTERVAL = 1.96  # standard errors


def pictures(study: Study) -> Iterator[style.Picture]:
    """The strongest edges with their intervals beside two distributions over all edges; the table has all edges."""
    listed = min(_LISTED, study.n_edges)
    note = (
        "Dots: partial correlation without the penalty's bias, with its 95 % interval, jackknifed over documents. Rings: the "
        "value in the sparse graph, which the penalty shrinks. Shares: how often a half of the documents gives the edge with "
        "its sign. Every edge is in accuracy.csv."
    )
    size = (11.5, max(4.2, 0.17 * listed + 1.2))
    page = style.page(study, "How sure the strongest edges are", note, size, signs=True)
    mosaic = page.figure.subplot_mosaic([["edges", "errors"], ["edges", "shares"]], width_ratios=[1.7, 1])
    _edges(mosaic["edges"], study, listed)
    _errors(mosaic["errors"], study)
    _shares(mosaic["shares"], study)
    yield style.Picture("accuracy", page.figure, _alt(study), _table(study))


def _alt(study: Study) -> str:
    words = f"Intervals of {count(min(_LISTED, study.n_edges), 'edge')} ({study.title})"
    if not study.n_edges:
        return f"{words}: no edges at alpha {study.alpha:.4g}."
    errors, shares = study.tested("standard_error"), study.tested("frequencies")
    words += f"; median standard error {np.nanmedian(errors):.3f}"
    if np.isfinite(shares).any():
        words += f"; the median edge is in {100 * np.nanmedian(shares):.0f} % of half-samples"
    return f"{words}."


def _table(study: Study) -> dict[str, Any]:
    ids, (rows, cols, rho) = study.fit.neuron_ids, study.edges
    value, error = study.tested("debiased"), study.tested("standard_error")
    names = np.array(study.names.texts, dtype=object)
    return {
        "neuron_i": ids[rows],
        "neuron_j": ids[cols],
        "name_i": names[rows],
        "name_j": names[cols],
        "partial_correlation": rho,
        "debiased": value,
        "low": value - _INTERVAL * error,
        "high": value + _INTERVAL * error,
        "frequency": study.tested("frequencies"),
    }


def _edges(axes: Axes, study: Study, listed: int) -> None:
    axes.set_title(f"The {listed} strongest edges" if listed != 1 else "The strongest edge")
    if not listed:
        style.empty(axes, "no edges at this α")
        return
    rows, cols, rho = (part[:listed] for part in study.edges)
    value, error, share = (study.tested(name)[:listed] for name in ("debiased", "standard_error", "frequencies"))
    order = np.argsort(-value, kind="stable")
    places = np.arange(listed)
    for sign, colour in ((1, colours.POSITIVE), (-1, colours.NEGATIVE)):
        here = np.flatnonzero(np.sign(value[order]) == sign)
        axes.errorbar(
            value[order][here], places[here], xerr=_INTERVAL * error[order][here], fmt="o" if sign > 0 else "s", markersize=4,
            color=colour, elinewidth=1.3, linestyle="",
        )  # fmt: skip
    axes.plot(rho[order], places, "o", markersize=4, markerfacecolor="none", markeredgecolor=style.MUTED, linestyle="")
    axes.axvline(0, color=style.INK, linewidth=0.8)
    names = [" — ".join(drawable(cut(study.titles[n], 24)) for n in (rows[e], cols[e])) for e in order]
    axes.set_yticks(places, names, fontsize=7)
    axes.tick_params(axis="y", length=0)
    for place, e in zip(places.tolist(), order.tolist()):
        if np.isfinite(share[e]):
            axes.annotate(
                f"{100 * share[e]:.0f} %", (1, place), (4, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", fontsize=7, va="center", color=style.MUTED, annotation_clip=False,
            )  # fmt: skip
    axes.set(ylim=(listed - 0.4, -0.6), xlabel="partial correlation")


def _errors(axes: Axes, study: Study) -> None:
    import seaborn as sns

    errors = study.tested("standard_error")
    axes.set_title("Standard errors of all edges")
    if not len(errors):
        style.empty(axes, "no edges at this α")
        return
    sns.histplot(x=errors, ax=axes, bins=40, color=style.ACCENT, edgecolor="white")
    axes.set(xlabel="standard error of a partial correlation", ylabel="edges")


def _shares(axes: Axes, study: Study) -> None:
    import seaborn as sns

    shares = study.tested("frequencies")
    axes.set_title("How often halves agree")
    if not np.isfinite(shares).any():
        style.empty(axes, "not measured: fit.half_samples is 0" if study.n_edges else "no edges at this α")
        return
    sns.histplot(x=100 * shares, ax=axes, bins=20, binrange=(0, 100), color=style.ACCENT, edgecolor="white")
    axes.set(xlabel="half-samples with the edge and its sign, %", ylabel="edges")
