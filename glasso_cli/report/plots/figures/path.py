"""The path of alphas: how dense each graph is, how one was chosen, and how well each was solved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glasso_cli.graph import colours
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Curve(NamedTuple):
    """How the criterion of a rule is shown."""

    reason: str
    unit: str
    format: str


_CURVES = {
    "ebic": _Curve("the smallest EBIC", "EBIC", ",.0f"),
    "cv": _Curve("held-out loss within one standard error of the best", "held-out loss (nats per neuron)", ".4g"),
    "stars": _Curve("the densest graph that is stable", "instability (share of pairs)", ".3g"),
}
_APART = 0.09  # of the axis, between two labels
_LEAST = 1e-17  # a gap that rounding brought to zero or below is drawn here


def pictures(study: Study) -> Iterator[style.Picture]:
    """Four panels over alpha: edges, components, the criterion of the choice, the certificate."""
    alphas = study.fit.alphas
    headline = f"From sparse to dense: {count(len(alphas), 'graph')} along the path of α"
    page = style.page(study, headline, _note(study), (11.0, 6.4))
    axes = page.figure.subplots(2, 2, sharex=True)
    _edges(axes[0, 0], study)
    _components(axes[0, 1], study)
    _criterion(axes[1, 0], study)
    _certificate(axes[1, 1], study)
    for panel in axes.flat:
        panel.axvline(study.alpha, color=style.MARK, linewidth=5, alpha=0.45, zorder=0)
        panel.grid(True, axis="y")
    _alpha_axis(axes, alphas, study.index)
    yield style.Picture("path", page.figure, _alt(study), _table(study))


def mean_degree(study: Study) -> np.ndarray:
    """Edges per neuron at every alpha, ``(A,)``."""
    degree: np.ndarray = 2 * study.fit.n_edges / study.p
    return degree


# -- words --------------------------------------------------------------------------------------------


def _note(study: Study) -> str:
    words = [f"The orange line marks {study.chosen}."]
    if len(study.fit.alphas) == 1:
        words.append("Only one α was solved, so there is no curve to compare it with.")
    words.append("α falls to the right: weaker penalty, more edges.")
    missed = int(np.count_nonzero(~study.fit.converged))
    if missed:
        words.append(f"Crosses: {count(missed, 'graph')} not converged to the tolerance.")
    return " ".join(words)


def _alt(study: Study) -> str:
    fit = study.fit
    return (
        f"Four curves over alpha from {fit.alphas[0]:.4g} to {fit.alphas[-1]:.4g} ({study.title}): "
        f"edges rise from {fit.n_edges[0]:,} to {fit.n_edges[-1]:,}, components fall from "
        f"{fit.n_components[0]:,} to {fit.n_components[-1]:,}; {study.chosen} is marked; the largest "
        f"duality gap is {fit.duality_gap.max():.1e} nats per neuron."
    )


def _table(study: Study) -> dict[str, Any]:
    fit = study.fit
    return {
        "alpha": fit.alphas,
        "selected": (np.arange(len(fit.alphas)) == study.index).astype(int),
        "edges": fit.n_edges,
        "mean_degree": mean_degree(study),
        "components": fit.n_components,
        "criterion": fit.criterion,
        "criterion_error": fit.criterion_error,
        "duality_gap": fit.duality_gap,
        "kkt_residual": fit.kkt_residual,
        "iterations": fit.n_iter,
        "converged": fit.converged.astype(int),
        "log_likelihood": fit.log_likelihood,
    }


# -- panels -------------------------------------------------------------------------------------------


def _edges(axes: Axes, study: Study) -> None:
    edges = study.fit.n_edges
    _line(axes, study, edges, "edges")
    axes.set_title("How many edges")
    axes.set_ylabel("edges")
    if edges.min() > 0 and edges.max() / edges.min() > 20:
        axes.set_yscale("log")
        style.plain_log(axes.yaxis)
    else:
        _from_zero(axes, edges)
    _tell(axes, study, edges, count(int(edges[study.index]), "edge"))


def _components(axes: Axes, study: Study) -> None:
    components = study.fit.n_components
    _line(axes, study, components, "components")
    axes.set_title("Into how many pieces the graph falls")
    axes.set_ylabel("connected components")
    _from_zero(axes, components)
    _tell(axes, study, components, count(int(components[study.index]), "component"))


def _criterion(axes: Axes, study: Study) -> None:
    if study.rule in _CURVES and np.isfinite(study.fit.criterion).any():
        _curve(axes, study, _CURVES[study.rule])
        return
    degree = mean_degree(study)
    _line(axes, study, degree, "mean degree")
    axes.set_ylabel("mean edges per neuron")
    _from_zero(axes, degree)
    _tell(axes, study, degree, f"{degree[study.index]:.3g} per neuron")
    if study.target is None:
        axes.set_title("Edges per neuron (α was given)")
        return
    axes.set_title("Why this α: mean edges per neuron")
    axes.axhline(study.target, color=style.ACCENT, linestyle=(0, (4, 3)), linewidth=1)
    axes.annotate(
        f"target {study.target:g}", (0, study.target), (4, 3), xycoords=("axes fraction", "data"),
        textcoords="offset points", fontsize=8.5, color=style.MUTED,
    )  # fmt: skip
    axes.set_ylim(0, 1.12 * max(float(degree.max()), study.target))


def _curve(axes: Axes, study: Study, curve: _Curve) -> None:
    """What the rule compared, with its standard error where it has one."""
    values, error = study.fit.criterion, study.fit.criterion_error
    _line(axes, study, values, curve.unit)
    if np.isfinite(error).any():
        axes.fill_between(study.fit.alphas, values - error, values + error, color=style.ACCENT, alpha=0.18, linewidth=0)
    axes.set_title(f"Why this α: {curve.reason}")
    axes.set_ylabel(curve.unit)
    axes.yaxis.set_major_formatter(lambda value, _: format(value, curve.format))
    if study.threshold is not None:
        axes.axhline(study.threshold, color=style.ACCENT, linestyle=(0, (4, 3)), linewidth=1)
    _tell(axes, study, values, format(values[study.index], curve.format))


def _certificate(axes: Axes, study: Study) -> None:
    """Duality gap and KKT residual on a logarithmic scale, with the tolerance of the gap."""
    fit, tolerance = study.fit, study.tolerance
    gap, kkt = np.maximum(fit.duality_gap, _LEAST), np.maximum(fit.kkt_residual, _LEAST)
    axes.plot(fit.alphas, gap, "o-", color=style.ACCENT, markersize=4, label="duality gap (nats per neuron)")
    axes.plot(fit.alphas, kkt, "s:", color="#009E73", markersize=4, label="KKT residual")
    bad = ~fit.converged
    axes.plot(fit.alphas[bad], gap[bad], "x", color=colours.NEGATIVE, markersize=9, markeredgewidth=2)
    axes.set(title="How well each was solved", ylabel="error, smaller is better", yscale="log")
    values = np.concatenate([gap, kkt, [tolerance] if tolerance else []])
    axes.set_ylim(values.min() / 5, values.max() * 60)
    style.plain_log(axes.yaxis)
    if tolerance:
        axes.axhline(tolerance, color=style.ACCENT, linestyle=(0, (4, 3)), linewidth=1,
                     label=f"tolerance of the gap, {style.plain(tolerance)}")  # fmt: skip
    axes.legend(loc="upper left", ncols=2, columnspacing=1.2)


def _line(axes: Axes, study: Study, values: np.ndarray, name: str) -> None:
    axes.plot(study.fit.alphas, values, "o-", color=style.ACCENT, markersize=4, label=name)


def _from_zero(axes: Axes, values: np.ndarray) -> None:
    axes.set_ylim(0, 1.12 * max(1.0, float(values.max())))
    axes.yaxis.set_major_formatter(lambda value, _: style.plain(value))


def _tell(axes: Axes, study: Study, values: np.ndarray, text: str) -> None:
    """Write the value of the selected alpha beside its point."""
    right = study.index * 2 < len(study.fit.alphas) - 1
    axes.annotate(
        text, (study.alpha, float(values[study.index])), (9 if right else -9, 0),
        textcoords="offset points", ha="left" if right else "right", va="bottom",
        fontsize=9, weight="bold",
    )  # fmt: skip


def _alpha_axis(axes: np.ndarray, alphas: np.ndarray, selected: int) -> None:
    first = axes.flat[0]
    first.set_xscale("log")
    low, high = float(alphas.min()), float(alphas.max())
    margin = max((high / low) ** 0.05, 1.06)
    first.set_xlim(high * margin, low / margin)
    for panel in axes[1]:
        panel.set_xlabel("α (penalty, correlation scale)")
        _ticks(panel, alphas, selected)


def _ticks(panel: Axes, alphas: np.ndarray, selected: int) -> None:
    """Ticks at the alphas themselves while they are few, the selected one first; round numbers otherwise."""
    from matplotlib.ticker import NullLocator

    if len(alphas) <= 9:
        shown = apart(np.log(alphas), selected, _APART)
        panel.set_xticks(alphas, [f"{alpha:.3g}" if show else "" for alpha, show in zip(alphas, shown)])
        panel.xaxis.set_minor_locator(NullLocator())
    else:
        style.plain_log(panel.xaxis)


def apart(places: np.ndarray, first: int, share: float) -> np.ndarray:
    """Which of ``places (n,)`` can be labelled ``(n,)`` bool: ``first``, and what is that share of the range from others."""
    shown = np.zeros(len(places), dtype=bool)
    least = share * float(np.ptp(places))
    for place in [first, *range(len(places))]:
        shown[place] = shown[place] or bool((np.abs(places[shown] - places[place]) >= least).all())
    return shown
