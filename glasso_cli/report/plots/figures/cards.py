"""One card per strong neuron: what it is, where it is active, which neurons depend on it.

A card is a picture of its own, so that the letters stay readable at the width of a page and a card can be sent alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.graph import colours
from glasso_cli.report.names import NeuronNames
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.contexts import (
    Context,
    draw_contexts,
    height_of,
    none_in_words,
    note_of,
    read_contexts,
    read_pole,
)
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import community_name, count, cut, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOP = 8  # strongest contexts of the heavier pole, and half as many of the other
_LONGEST = 22  # characters of a neighbour's name
_PER_GROUP = 2  # examples of every fifth
_NEIGHBOURS = 9  # of each sign
_GROUPS = ("lowest fifth", "2nd fifth", "3rd fifth", "4th fifth", "highest fifth")
_TEXT, _GAP, _NAMED = 8.7, 0.45, 2.55  # inches: contexts, space, names of neighbours
_SIDE = _NAMED + 2.35  # with their bars
_FACTS, _TITLE = 0.72, 0.32  # inches: the row of figures, a title above a block


@dataclass(frozen=True)
class _Neighbour:
    neuron: int
    rho: float
    correlation: float


@dataclass(frozen=True, eq=False)
class _Card:
    """All that a card says about one neuron of the path."""

    rank: int
    neuron: int
    poles: list[tuple[str, list[Context]]]  # the heavier one first
    groups: list[tuple[str, list[Context]]]  # from the highest fifth to the lowest
    neighbours: list[_Neighbour]  # from strong to weak

    @property
    def strongest(self) -> float:
        """The largest size of a value at hand, the dark end of the shading."""
        contexts = [context for _, group in [*self.poles, *self.groups] for context in group]
        return max([abs(context.value) for context in contexts], default=0.0)


def pictures(study: Study, *ranks: int) -> Iterator[style.Picture]:
    """The cards of the ``section.cards`` neurons of greatest strength, or of those at these ``ranks``, 1 for the strongest."""
    for rank in ranks or range(1, min(study.section.cards, study.p) + 1):
        neuron = int(study.by_strength[rank - 1])
        card = _card(study, rank, neuron)
        yield style.Picture(
            f"card-{rank:02d}-{_slug(study.labels[neuron])}",
            _draw(study, card),
            _alt(study, card),
            _table(study, card),
        )


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")[:40] or "neuron"


def _card(study: Study, rank: int, neuron: int) -> _Card:
    stats, row = study.stats, int(study.fit.neurons[neuron])
    poles = [read_pole(stats, row, pole) for pole in pole_contexts(stats, row, _TOP)]
    groups = []
    for group in reversed(range(stats.quantile_tokens.shape[1])):
        tokens, values = stats.quantile_tokens[row, group], stats.quantile_values[row, group]
        contexts = read_contexts(stats, row, tokens, values, stats.quantile_documents[row, group])
        groups.append((_GROUPS[group], _spread(contexts, _PER_GROUP)))
    return _Card(rank, neuron, poles, groups, _neighbours(study, neuron))


def _spread(items: list[Context], amount: int) -> list[Context]:
    """``amount`` of ``items``, evenly over their range."""
    if len(items) <= amount:
        return items
    return [items[int((k + 0.5) * len(items) / amount)] for k in range(amount)]


def _neighbours(study: Study, neuron: int) -> list[_Neighbour]:
    rows, cols, rho = study.edges
    return [
        _Neighbour(int(cols[e] if rows[e] == neuron else rows[e]), float(rho[e]), float(study.correlation[e]))
        for e in study.edges_of(neuron)
    ]


# -- words and numbers --------------------------------------------------------------------------------


def _facts(study: Study, neuron: int) -> list[tuple[str, str]]:
    stats, row = study.stats, int(study.fit.neurons[neuron])
    community = int(study.communities[neuron])
    size = f", {np.count_nonzero(study.communities == community):,} neurons" if community >= 0 else ""
    return [
        ("mean", f"{stats.mean[row]:.3g}"),
        ("standard deviation", f"{stats.std[row]:.3g}"),
        ("skewness", f"{stats.skewness[row]:+.3g}".replace("-", "−")),
        ("excess kurtosis", f"{stats.kurtosis[row]:.3g}"),
        ("variance in top 1 %", f"{100 * stats.top_share[row]:.0f} %"),
        ("edges (degree)", f"{study.degree[neuron]:,}"),
        ("strength", f"{study.strength[neuron]:.2f}"),
        ("expected influence", f"{study.expected_influence[neuron]:+.2f}"),
        (f"community{size}", community_name(community)),
        *([("score of the name", _score(study.names, neuron))] if study.has_words else []),
    ]


def _score(names: NeuronNames, neuron: int) -> str:
    return f"{names.scores[neuron]:.2f}" if names.texts[neuron] else "no name"


def _note(study: Study, card: _Card) -> str:
    words = []
    if card.poles:
        words.append(f"{note_of(study.stats, card.strongest)} The pole that is heavier in this corpus is first.")
    words.append("Neighbours: partial correlation (bar and number), and r, the plain correlation of the pair.")
    if study.has_words:
        words.append(
            "Names: words at the strongest contexts, the heavier pole first. Score: how well they tell the pole apart on other "
            "documents (AUC)."
        )
    return " ".join(words)


def _alt(study: Study, card: _Card) -> str:
    label, near = study.titles[card.neuron], card.neighbours
    text = (
        f"Card of neuron {label} ({study.fit.neuron_ids[card.neuron]}), number {card.rank} by strength "
        f"({study.title}): {count(len(near), 'edge')}, strength {study.strength[card.neuron]:.2f}"
    )
    if near:
        text += f"; strongest neighbour {study.titles[near[0].neuron]} at {signed(near[0].rho)}"
    for name, contexts in card.poles:
        if study.has_words:
            peaks = dict.fromkeys(drawable(c.tokens[c.peak]).strip() for c in contexts[:5])
            text += f"; {name} on the tokens {', '.join(peaks)}"
        else:
            text += f"; {name} in the documents {', '.join(str(c.document) for c in contexts[:5])}"
    return text + "."


def _table(study: Study, card: _Card) -> dict[str, Any]:
    """One row per context and per neighbour, those included that the card has no room for."""
    blocks = [*card.poles, *card.groups]
    rows: list[tuple[Any, ...]] = [
        ("context", name, rank, context.value, "", context.document, context.tokens[context.peak],
         "", context.text, " ".join(f"{value:.4g}" for value in context.values))
        for name, contexts in blocks
        for rank, context in enumerate(contexts, start=1)
    ]  # fmt: skip
    rows += [
        ("neighbour", "positive" if near.rho > 0 else "negative", rank, near.rho, near.correlation, "",
         "", study.names.texts[near.neuron], str(study.fit.neuron_ids[near.neuron]), "")
        for rank, near in enumerate(card.neighbours, start=1)
    ]  # fmt: skip
    names = (
        "kind", "group", "rank", "value", "correlation", "document", "token", "name", "text", "values",
    )  # fmt: skip
    columns = zip(*rows) if rows else [()] * len(names)
    return {name: [str(item) for item in column] for name, column in zip(names, columns)}


# -- drawing ------------------------------------------------------------------------------------------


def _draw(study: Study, card: _Card) -> Figure:
    upper = max(height_of(card.poles, _TEXT), 0.5)
    lower = max(height_of(card.groups, _TEXT), 0.5)
    body = max(_FACTS + 2 * _TITLE + upper + lower + 0.2, 4.6)
    name = drawable(str(study.fit.neuron_ids[card.neuron]))
    headline = f"Neuron {drawable(study.titles[card.neuron])}  ({name}): number {card.rank} by strength"
    width = _TEXT + _GAP + _SIDE + 0.6
    page = style.page(study, headline, _note(study, card), (width, body), auto=False, signs=True)
    paper = _Paper(page.figure, page.top)
    _draw_facts(paper.axes(0.3, 0.0, width - 0.6, _FACTS), _facts(study, card.neuron))
    top = paper.axes(0.3, _FACTS + _TITLE, _TEXT, upper)
    none = none_in_words(study.stats)
    _draw_block(top, "Where it is strongest, at both poles", card.poles, card.strongest, none)
    below = paper.axes(0.3, _FACTS + 2 * _TITLE + upper + 0.1, _TEXT, lower)
    fifths = f"From high to low: examples of every fifth of the {study.stats.metrics.sample}s"
    _draw_block(below, fifths, card.groups, card.strongest, none)
    side = paper.axes(0.3 + _TEXT + _GAP + _NAMED, _FACTS + _TITLE, _SIDE - _NAMED, body - _FACTS - _TITLE - 0.1)
    _draw_neighbours(side, study, card)
    return page.figure


@dataclass(frozen=True)
class _Paper:
    """A figure whose axes are placed in inches from the left and from ``top`` downwards."""

    figure: Figure
    top: float

    def axes(self, left: float, down: float, width: float, height: float) -> Axes:
        w, h = self.figure.get_size_inches()
        return self.figure.add_axes((left / w, (self.top - down - height) / h, width / w, height / h))


def _draw_facts(axes: Axes, facts: list[tuple[str, str]]) -> None:
    axes.set(xlim=(0, len(facts)), ylim=(0, 1))
    axes.set_axis_off()
    for place, (name, value) in enumerate(facts):
        axes.text(place, 0.62, value, fontsize=12.5, weight="bold", va="center")
        axes.text(place, 0.26, name, fontsize=8, color=style.MUTED, va="center")


def _draw_block(axes: Axes, title: str, groups: list[tuple[str, list[Context]]], strongest: float, none: str) -> None:
    axes.set_title(title)
    if any(contexts for _, contexts in groups):
        draw_contexts(axes, groups, strongest, _TEXT)
    else:
        axes.set_axis_off()
        axes.text(0, 0.7, none, transform=axes.transAxes, color=style.MUTED)


def _draw_neighbours(axes: Axes, study: Study, card: _Card) -> None:
    """Positive neighbours above, negative below, each from strong to weak, bars on one scale."""
    positive = [near for near in card.neighbours if near.rho > 0]
    negative = [near for near in card.neighbours if near.rho < 0]
    longest = max([abs(near.rho) for near in card.neighbours], default=1.0)
    axes.set(xlim=(0, longest * 1.75), ylim=(2 * (_NEIGHBOURS + 1.6), -0.4))
    axes.set_axis_off()
    axes.set_title("Neighbours", x=-_NAMED / (_SIDE - _NAMED))
    _draw_sign(axes, study, positive, 0.6, longest, "positive")
    _draw_sign(axes, study, negative, _NEIGHBOURS + 2.6, longest, "negative")


def _draw_sign(axes: Axes, study: Study, neighbours: list[_Neighbour], first: float, longest: float, sign: str) -> None:
    shown = neighbours[:_NEIGHBOURS]
    more = f", the {len(shown)} strongest" if len(neighbours) > len(shown) else ""
    colour = colours.POSITIVE if sign == "positive" else colours.NEGATIVE
    left = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    heading = f"{len(neighbours):,} {sign}{more}"
    axes.annotate(heading, (0, first - 0.75), (-72 * _NAMED, 0), fontsize=9, color=colour, va="center", **left)
    for row, near in enumerate(shown):
        y = first + row + 0.3
        name = drawable(cut(study.names.texts[near.neuron], _LONGEST))
        label = f"{drawable(study.labels[near.neuron])} {community_name(int(study.communities[near.neuron]))}"
        axes.annotate(label, (0, y), (-72 * _NAMED, 0), fontsize=8, va="center", color=style.MUTED, **left)
        axes.annotate(name, (0, y), (-4, 0), fontsize=8, ha="right", va="center", **left)
        axes.barh(y, abs(near.rho), height=0.7, color=colour, linewidth=0, edgecolor="white",
                  hatch="" if sign == "positive" else "////")  # fmt: skip
        axes.annotate(
            signed(near.rho), (abs(near.rho), y), (4, 0), textcoords="offset points",
            fontsize=8, va="center", weight="bold",
        )  # fmt: skip
        axes.annotate(
            f"r {near.correlation:+.2f}".replace("-", "−"), (abs(near.rho), y), (43, 0),
            textcoords="offset points", fontsize=8, va="center", color=style.MUTED,
        )  # fmt: skip
