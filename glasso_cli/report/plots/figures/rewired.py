"""The neurons that change most: what changes, and where each is strongest in both corpora."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.contexts import Context, draw_contexts, height_of, read_pole
from glasso_cli.report.plots.parts.glyphs import UNDRAWABLE, drawable
from glasso_cli.report.words.labels import count, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PER_CORPUS = 3  # contexts of the heavier pole, and half as many of the other
_WIDTH = 9.2  # inches
_HEAD = 0.52  # inches, the two lines above the contexts of a neuron
_SPACE = 0.18
_EDGES = 3  # named for each neuron


def pictures(contrast: Contrast, wanted: int) -> Iterator[style.Picture]:
    """The ``wanted`` neurons with most change, if any differs."""
    comparison = contrast.comparison
    ranked = comparison.by_change()[:wanted]
    neurons = ranked[comparison.changes[ranked] > 0]
    if len(neurons) == 0:
        return
    yield style.Picture("rewired", _draw(contrast, neurons), _alt(contrast, neurons), _table(contrast, neurons))


def _contexts(contrast: Contrast, neuron: int) -> list[tuple[str, list[Context]]]:
    """Those of A and of B at both poles, the heavier one first."""
    comparison = contrast.comparison
    sources = ((contrast.first, comparison.neurons_a), (contrast.second, comparison.neurons_b))
    return [
        (f"{letter}, {pole.name.split()[0]}", read_pole(pole, stats.vocabulary)[1])
        for letter, (stats, rows) in zip("AB", sources)
        for pole in pole_contexts(stats, int(rows[neuron]), _PER_CORPUS)
    ]


def _edges_of(contrast: Contrast, neuron: int) -> np.ndarray:
    """The differential edges of a neuron, largest change first."""
    comparison = contrast.comparison
    mine = np.flatnonzero(comparison.differential & ((comparison.rows == neuron) | (comparison.cols == neuron)))
    return mine[np.argsort(-np.abs(comparison.rho_b[mine] - comparison.rho_a[mine]), kind="stable")]


def _in_words(contrast: Contrast, neuron: int) -> str:
    comparison = contrast.comparison
    edges = _edges_of(contrast, neuron)
    named = "; ".join(
        f"{contrast.labels[comparison.cols[e] if comparison.rows[e] == neuron else comparison.rows[e]]} "
        f"{signed(comparison.rho_a[e])} → {signed(comparison.rho_b[e])} ({CLASSES[comparison.classes[e]]})"
        for e in edges[:_EDGES]
    )
    more = f"; {len(edges) - _EDGES} more" if len(edges) > _EDGES else ""
    return f"edges {comparison.degree_a[neuron]} → {comparison.degree_b[neuron]}; {named}{more}"


def _draw(contrast: Contrast, neurons: np.ndarray) -> Figure:
    blocks = [(neuron, _contexts(contrast, neuron)) for neuron in neurons.tolist()]
    heights = [height_of(max(1, sum(len(contexts) for _, contexts in groups))) for _, groups in blocks]
    body = sum(heights) + len(blocks) * (_HEAD + _SPACE)
    note = (
        "Ranked by the sum of the changes of partial correlations. Below each neuron its strongest contexts in A and in B, at both poles: the "
        f"boxed token is the example's own, shading is the size of a token's value, orange for positive and violet for negative. ⏎ is a newline, {UNDRAWABLE} a character that no installed "
        f"font can draw. {contrast.doubt}"
    )
    headline = (
        f"The {count(len(blocks), 'neuron')} that rewire most from {contrast.names[0]} (A) to {contrast.names[1]} (B)"
    )
    page = style.page(contrast, headline, note, (_WIDTH + 0.6, body), auto=False, signs=True)
    w, h = page.figure.get_size_inches()
    top = page.top
    for (neuron, groups), height in zip(blocks, heights):
        name = f"{contrast.labels[neuron]}  ({contrast.comparison.neuron_ids[neuron]})"
        page.figure.text(0.3 / w, (top - 0.16) / h, drawable(name), fontsize=10, weight="bold", va="center")
        words = drawable(_in_words(contrast, neuron))
        page.figure.text(0.3 / w, (top - 0.36) / h, words, fontsize=8.5, color=style.MUTED, va="center")
        axes = page.figure.add_axes((0.3 / w, (top - _HEAD - height) / h, _WIDTH / w, height / h))
        strongest = max((abs(context.value) for _, contexts in groups for context in contexts), default=0.0)
        if any(contexts for _, contexts in groups):
            draw_contexts(axes, groups, strongest, _WIDTH)
        else:
            style.empty(axes, "No contexts were collected (collect.contexts: false).")
        top -= _HEAD + height + _SPACE
    return page.figure


def _alt(contrast: Contrast, neurons: np.ndarray) -> str:
    names = ", ".join(contrast.labels[neuron] for neuron in neurons[:5].tolist())
    return f"The {count(len(neurons), 'neuron')} that rewire most ({contrast.title}): {names}, with their contexts in both."


def _table(contrast: Contrast, neurons: np.ndarray) -> dict[str, Any]:
    rows = [
        (rank, str(contrast.comparison.neuron_ids[neuron]), contrast.names["AB".index(name[0])], name[3:], context.value,
         context.document, context.tokens[context.peak], context.text)
        for rank, neuron in enumerate(neurons.tolist(), start=1)
        for name, contexts in _contexts(contrast, neuron)
        for context in contexts
    ]  # fmt: skip
    names = ("rank", "neuron", "corpus", "pole", "value", "document", "token", "text")
    columns = zip(*rows) if rows else [()] * len(names)
    return {name: [str(item) for item in column] for name, column in zip(names, columns)}
