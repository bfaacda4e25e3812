"""Neurons with their strongest contexts in both corpora of a comparison, one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.contexts import (
    Context,
    draw_contexts,
    height_of,
    none_in_words,
    note_of,
    read_pole,
)
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.words.labels import titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PER_CORPUS = 3  # contexts of the heavier pole, and half as many of the other
_CROPS = 6  # in the place of these, where contexts are crops
_WIDTH = 9.2  # inches
_HEAD = 0.52  # inches, the two lines above the contexts of a neuron
_SPACE = 0.18


@dataclass(frozen=True, eq=False)
class Entry:
    """One neuron: its label and name, its id, what is said of it, and its contexts by corpus and pole."""

    label: str
    name: str
    neuron: str
    words: str
    contexts: list[tuple[str, list[Context]]]  # "A, positive" and so on


@dataclass(frozen=True, eq=False)
class Neurons:
    """The neurons of a comparison that an index counts: those whose edges are compared, or whose activation is."""

    labels: Sequence[str]
    names: Sequence[str]
    ids: np.ndarray  # str
    rows: tuple[np.ndarray, np.ndarray]  # into the statistics of A and of B


def picture(
    contrast: Contrast,
    neurons: Neurons,
    chosen: Sequence[int],
    in_words: Callable[[Contrast, int], str],
    *,
    kind: str,
    headline: str,
    note: str,
    alt: str,
) -> style.Picture:
    """The ``chosen`` neurons below each other, with what ``in_words`` says of each; ``alt`` begins the alternative text."""
    entries = [
        Entry(
            neurons.labels[neuron],
            neurons.names[neuron],
            str(neurons.ids[neuron]),
            in_words(contrast, neuron),
            _contexts(contrast, *(int(rows[neuron]) for rows in neurons.rows)),
        )
        for neuron in chosen
    ]
    has_contexts = any(contexts for each in entries for _, contexts in each.contexts)
    first = "; ".join(titled(each.label, each.name) for each in entries[:5])
    figure = _draw(contrast, entries, headline, note)
    return style.Picture(
        kind,
        figure,
        f"{alt}: {first}{', with their contexts in both' if has_contexts else ''}.",
        _table(contrast, entries),
    )


def _contexts(contrast: Contrast, *rows: int) -> list[tuple[str, list[Context]]]:
    """The contexts at ``rows`` of the statistics of A and of B; those of the heavier pole come first."""
    return [
        (f"{letter}, {pole.name.split()[0]}", read_pole(stats, row, pole)[1])
        for letter, stats, row in zip("AB", (contrast.first, contrast.second), rows)
        for pole in pole_contexts(stats, row, _PER_CORPUS if stats.crops is None else _CROPS)
    ]


def contexts_note(contrast: Contrast) -> str:
    """What is below each neuron, and how it is to be read; empty where no contexts were kept."""
    words = note_of(contrast.first)
    return words and f"Below each neuron its strongest contexts in A and in B, at both poles. {words}"


def _draw(contrast: Contrast, entries: Sequence[Entry], headline: str, note: str) -> Figure:
    """One page with all ``entries`` below each other."""
    heights = [height_of(each.contexts, _WIDTH) for each in entries]
    body = sum(heights) + len(entries) * (_HEAD + _SPACE)
    page = style.page(contrast, headline, note, (_WIDTH + 0.6, body), auto=False, signs=True)
    w, h = page.figure.get_size_inches()
    top = page.top
    for each, height in zip(entries, heights):
        title = drawable(f"{titled(each.label, each.name)}  ({each.neuron})")
        page.figure.text(0.3 / w, (top - 0.16) / h, title, fontsize=10, weight="bold", va="center")
        page.figure.text(0.3 / w, (top - 0.36) / h, drawable(each.words), fontsize=8.5, color=style.MUTED, va="center")
        axes = page.figure.add_axes((0.3 / w, (top - _HEAD - height) / h, _WIDTH / w, height / h))
        strongest = max((abs(context.value) for _, contexts in each.contexts for context in contexts), default=0.0)
        if any(contexts for _, contexts in each.contexts):
            draw_contexts(axes, each.contexts, strongest, _WIDTH)
        else:
            style.empty(axes, none_in_words(contrast.first))
        top -= _HEAD + height + _SPACE
    return page.figure


def _table(contrast: Contrast, entries: Sequence[Entry]) -> dict[str, Any]:
    """The contexts that are drawn, one per row."""
    rows = [
        (rank, each.neuron, each.name, contrast.names["AB".index(name[0])], name[3:], context.value, context.document,
         context.tokens[context.peak], context.text)
        for rank, each in enumerate(entries, start=1)
        for name, contexts in each.contexts
        for context in contexts
    ]  # fmt: skip
    names = ("rank", "neuron", "name", "corpus", "pole", "value", "document", "token", "text")
    columns = zip(*rows) if rows else [()] * len(names)
    return {name: [str(item) for item in column] for name, column in zip(names, columns)}
