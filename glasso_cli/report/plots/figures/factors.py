"""The graph without hidden factors beside that with them, and how much of the dependence the factors carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.fit import Dependence
from glasso_cli.graph import colours
from glasso_cli.graph.sums import edge_sums
from glasso_cli.inference.pairs import pair_places, pairs_at
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.backbone import in_rows, layout
from glasso_cli.report.plots.parts.drawn_graph import DASH, draw_edges, draw_labels, draw_neurons, fitted, radii
from glasso_cli.report.plots.study import Edges, Study
from glasso_cli.report.words.fit import carried_in_words
from glasso_cli.report.words.labels import community_name, count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 7.2  # inches
_GAP = 0.35
_STRIP = 1.15  # below the graphs: legend and bars
_LOST = "#C6C6C6"
_HOLLOW = "#BBBBBB"
_GAINED = colours.DIFFERENCES["gained"]


@dataclass(frozen=True, eq=False)
class _BothGraphs:
    """The strongest edges of both graphs: m neurons at their places, and pairs of them with what they are in each."""

    neurons: np.ndarray  # (m,) in the path
    places: np.ndarray  # (m, 2) points
    rows: np.ndarray  # (E,) positions in ``neurons``
    cols: np.ndarray  # (E,)
    plain: np.ndarray  # (E,) partial correlation without factors; nan where that is not drawn
    latent: np.ndarray  # (E,) the same with factors
    strengths: tuple[np.ndarray, np.ndarray]  # (p,) without and with factors, over all drawn edges

    def edges(self, values: np.ndarray) -> Edges:
        """The pairs with an edge among ``values (E,)``, which are ``plain`` or ``latent``, from strong to weak."""
        drawn = np.flatnonzero(~np.isnan(values))
        order = drawn[np.argsort(-np.abs(values[drawn]), kind="stable")]
        return Edges(self.rows[order], self.cols[order], values[order])

    @property
    def lost(self) -> np.ndarray:
        return np.asarray(np.isnan(self.latent))

    @property
    def gained(self) -> np.ndarray:
        return np.asarray(np.isnan(self.plain))


def pictures(study: Study) -> Iterator[style.Picture]:
    """The ``section.edges`` strongest edges of both graphs at the same places; nothing for a fit without hidden factors."""
    metrics = study.fit.metrics
    if metrics.plain is None or metrics.dependence is None:
        return
    both = _both(study)
    width = 2 * _SIDE + _GAP
    page = style.page(study, _headline(study), _note(study), (width + 0.6, _SIDE + _STRIP), auto=False, signs=True)
    across, high = page.figure.get_size_inches()
    bottom = page.bottom + _STRIP
    graphs = [
        page.figure.add_axes(((0.3 + place) / across, bottom / high, _SIDE / across, (_SIDE - 0.3) / high))
        for place in (0.0, _SIDE + _GAP)
    ]
    _draw_graph(graphs[0], study, both, 0)
    _draw_graph(graphs[1], study, both, 1)
    legend = page.figure.add_axes((0.3 / across, page.bottom / high, 0.62 * width / across, (_STRIP - 0.15) / high))
    bars = page.figure.add_axes(
        ((0.3 + 0.74 * width) / across, (page.bottom + 0.05) / high, 0.26 * width / across, (_STRIP - 0.35) / high)
    )
    _draw_legend(legend)
    _draw_bars(bars, metrics.dependence)
    yield style.Picture("factors", page.figure, _alt(study), _table(study, both))


def _both(study: Study) -> _BothGraphs:
    p, budget = study.p, study.section.edges
    rows, cols, rho = study.fit.plain_edges()
    order = np.argsort(-np.abs(rho), kind="stable")
    plain, values = pair_places(rows[order], cols[order], p), rho[order]
    latent = pair_places(study.edges.rows, study.edges.cols, p)
    pairs = np.union1d(plain[:budget], latent[:budget])
    neurons, ends = np.unique(np.stack(pairs_at(pairs, p)), return_inverse=True)
    first, second = ends.reshape(2, -1)
    places = layout(Edges(first, second, np.ones(len(first))), study.communities[neurons])
    layers = study.fit.layers[neurons]
    if len(np.unique(layers)) > 1:
        places = in_rows(places, layers)
    return _BothGraphs(
        neurons=neurons,
        places=fitted(places, _SIDE - 0.3),
        rows=first,
        cols=second,
        plain=_at(pairs, plain, values),
        latent=_at(pairs, latent, study.edges.rho),
        strengths=(edge_sums(p, rows, cols, np.abs(rho)), study.strength),
    )


def _at(pairs: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The ``values (K,)`` of ``pairs (E,)``, which ``known (K,)`` are those of; nan for others."""
    found = np.full(len(pairs), np.nan)
    _, mine, theirs = np.intersect1d(pairs, known, return_indices=True)
    found[mine] = values[theirs]
    return found


# -- words --------------------------------------------------------------------------------------------


def _headline(study: Study) -> str:
    return f"The graph without and with hidden factors: {carried_in_words(study.fit.metrics)}"


def _note(study: Study) -> str:
    budget = study.section.edges
    return (
        f"Both fits have the same text, α and rules for edges. Of each graph the strongest {budget:,} edges are shown, if it "
        "has so many; a pair is shown in both. Neurons have the same places in both, and the colours and numbers of their "
        "communities with factors. Shares: 1 less what is left given the factors, of the most likely model with these edges "
        "and as many factors, without penalty. Every pair shown is in factors.csv."
    )


def _alt(study: Study) -> str:
    metrics = study.fit.metrics
    plain = metrics.plain
    assert plain is not None
    return (
        f"Two networks over the same neurons ({study.title}), without and with hidden factors: {carried_in_words(metrics)}. "
        f"Without them there are {count(plain.edges, 'edge')}, with them {metrics.edges:,}: {plain.shared:,} in both, "
        f"{plain.lost:,} lost, {plain.gained:,} gained."
    )


def _table(study: Study, both: _BothGraphs) -> dict[str, Any]:
    ids = study.fit.neuron_ids[both.neurons]
    names = np.array(study.names.texts, dtype=object)[both.neurons]
    communities = [community_name(int(c)) for c in study.communities[both.neurons]]
    places = both.places.round(3)
    rows, cols = both.rows, both.cols
    return {
        "neuron_i": ids[rows],
        "neuron_j": ids[cols],
        "name_i": names[rows],
        "name_j": names[cols],
        "edge": np.select([both.lost, both.gained], ["lost", "gained"], "shared"),
        "without_factors": both.plain,
        "with_factors": both.latent,
        "community_i": [communities[place] for place in rows.tolist()],
        "community_j": [communities[place] for place in cols.tolist()],
        "x_i": places[rows, 0],
        "y_i": places[rows, 1],
        "x_j": places[cols, 0],
        "y_j": places[cols, 1],
    }


# -- graphs -------------------------------------------------------------------------------------------


def _draw_graph(axes: Axes, study: Study, both: _BothGraphs, side: int) -> None:
    """The graph without factors (``side`` 0) or with them (1)."""
    half = _SIDE * 36
    axes.set(xlim=(-half, half), ylim=(-half + 11, half - 11))
    axes.set_axis_off()
    edges = both.edges((both.plain, both.latent)[side])
    axes.set_title(_title(study, len(edges.rho), side), fontsize=10.5)
    if side:
        _mark(axes, both, both.lost, color=_LOST, linewidth=0.9)
        _mark(axes, both, both.gained, color=_GAINED, linewidth=5.0, alpha=0.35)
    if not len(edges.rho):
        style.empty(axes, "no edges at this α")
    else:
        magnitudes = np.abs(np.concatenate([both.plain, both.latent]))
        draw_edges(axes, both.places, edges, float(np.nanmax(magnitudes)))
    strength = both.strengths[side]
    shown = strength[both.neurons]
    sizes = radii(shown, np.concatenate(both.strengths))
    linked = shown > 0
    axes.scatter(*both.places[~linked].T, s=16, c="white", edgecolors=_HOLLOW, linewidths=0.7, zorder=3)
    draw_neurons(axes, both.places[linked], sizes[linked], study.communities[both.neurons][linked])
    draw_labels(axes, study, both.neurons, both.places, sizes, strength)


def _mark(axes: Axes, both: _BothGraphs, which: np.ndarray, **look: Any) -> None:
    """Lines below the edges, of the pairs ``which (E,)``."""
    from matplotlib.collections import LineCollection

    lines = np.stack([both.places[both.rows[which]], both.places[both.cols[which]]], axis=1)
    axes.add_collection(LineCollection(list(lines), zorder=1, **look))


def _title(study: Study, shown: int, side: int) -> str:
    metrics = study.fit.metrics
    plain = metrics.plain
    assert plain is not None
    edges = metrics.edges if side else plain.edges
    of = f"{count(edges, 'edge')}" + (f", {shown:,} shown" if shown < edges else "")
    if side:
        return (
            f"With {count(metrics.hidden_factors, 'hidden factor')}: {of}; {plain.lost:,} lost, {plain.gained:,} gained"
        )
    return f"Without hidden factors: {of}"


# -- legend and bars ------------------------------------------------------------------------------------


def _draw_legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    disc: dict[str, Any] = {"marker": "o", "linestyle": "", "color": "white", "markeredgewidth": 0.7}
    handles = [
        Line2D([], [], color=colours.POSITIVE, linewidth=2, label="positive partial correlation"),
        Line2D([], [], color=colours.NEGATIVE, linewidth=2, linestyle=DASH, label="negative partial correlation"),
        Line2D([], [], color=_LOST, linewidth=1.5, label="lost: an edge only without factors"),
        Line2D([], [], color=_GAINED, linewidth=5, alpha=0.35, label="gained: an edge only with factors"),
        Line2D([], [], markersize=10, markeredgecolor=style.INK, label="neuron; larger: more strength", **disc),
        Line2D([], [], markersize=4, markeredgecolor=_HOLLOW, label="neuron without edges in this graph", **disc),
    ]
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, handlelength=2.4,
        columnspacing=1.6, labelspacing=0.9,
    )  # fmt: skip


def _draw_bars(axes: Axes, dependence: Dependence) -> None:
    """What the factors carry, of three measures."""
    bars = {
        "total correlation": dependence.share,
        "squared correlations": dependence.share_of_squared_correlations,
        "variance": dependence.variance_explained,
    }
    for place, share in enumerate(bars.values()):
        axes.barh(place, 1, height=0.62, color=style.FAINT)
        axes.barh(place, np.clip(share or 0.0, 0, 1), height=0.62, color=style.ACCENT)
        text = "no dependence" if share is None else percent(share)
        axes.text(1.03, place, text, va="center", fontsize=8.5)
    axes.set_yticks(range(len(bars)), list(bars), fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1.22), xticks=[], ylim=(len(bars) - 0.5, -0.5))
    axes.spines[:].set_visible(False)
    axes.set_title("Carried by the factors", fontsize=8.5)
