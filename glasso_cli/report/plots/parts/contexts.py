"""Example contexts of a neuron, one a line, with the token of interest in one column.

A concordance: the eye compares what stands left and right of the boxed token. Token texts come from the corpus and are
drawn as they are: no markup of any kind is read into them. Samples of images and sequences are drawn by
:mod:`glasso_cli.report.plots.parts.crops`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.orientation import Pole
from glasso_cli.report.plots.parts import crops, style
from glasso_cli.report.plots.parts.glyphs import MONO, SANS, UNDRAWABLE, cells, drawable, wide_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 7.4  # points
_CELL = 0.602 * SIZE  # the advance of DejaVu Sans Mono
_PREFIX = 17  # cells of the value and the document
_LEADING = 1.62
_NAMES = 14  # cells of the names of groups


@dataclass(frozen=True, eq=False)
class Context:
    """One example: its tokens as text, their values, which one it is about, and where it comes from.

    A sample of an image or a sequence has one token, which says where in its document it is, and a ``crop (rows, columns,
    1 or 3)`` with a ``box``: top, left, bottom and right. ``step`` says that the box is a single step.
    """

    tokens: tuple[str, ...]
    values: np.ndarray
    peak: int
    document: int
    crop: np.ndarray | None = None
    box: tuple[float, ...] | None = None
    step: bool = False

    @property
    def value(self) -> float:
        return float(self.values[self.peak])

    @property
    def text(self) -> str:
        return "".join(self.tokens)


@dataclass(frozen=True)
class Piece:
    """A token on its line: first cell, text that fits, value."""

    start: int
    text: str
    value: float
    peak: bool


def read_contexts(
    stats: ActivationStats, neuron: int, tokens: np.ndarray, values: np.ndarray, documents: np.ndarray
) -> list[Context]:
    """The examples of ``tokens (K, W)`` and ``values (K, W)`` that exist: those with a document."""
    contexts = []
    middle, crops = tokens.shape[1] // 2, stats.crops
    for row in np.flatnonzero(documents >= 0):
        inside = np.flatnonzero(tokens[row] >= 0)
        if middle in inside:
            texts = tuple(stats.vocabulary[tokens[row, inside]].tolist())
            peak = int(np.searchsorted(inside, middle))
            sample = int(tokens[row, middle])
            shown = crops is not None and crops.of[sample] >= 0
            contexts.append(
                Context(
                    texts,
                    values[row, inside],
                    peak,
                    int(documents[row]),
                    crops.picture(crops.of[sample]) if crops is not None and shown else None,
                    crops.box(sample, neuron) if crops is not None and shown else None,
                    crops is not None and crops.points_at_steps,
                )
            )
    return contexts


def read_pole(stats: ActivationStats, neuron: int, pole: Pole) -> tuple[str, list[Context]]:
    """The name of a pole of a neuron, given by index, and its examples."""
    return pole.name, read_contexts(stats, neuron, pole.tokens, pole.values, pole.documents)


def none_in_words(stats: ActivationStats) -> str:
    """Why a neuron has no contexts."""
    if stats.top_tokens.shape[1] == 0:
        return "No contexts were collected (collect.contexts)."
    return "At no pole is the neuron strong enough for contexts."


def note_of(stats: ActivationStats, strongest: float | None = None) -> str:
    """How contexts are to be read; empty where there are none. ``strongest`` is the value at the dark end of the shading."""
    if stats.top_tokens.shape[1] == 0:
        return ""
    if stats.crops is not None:
        below = (
            ""
            if stats.crops.kind == "row"
            else " Below a crop are the value of the neuron and the number of the document."
        )
        return f"{stats.crops.in_words}{below}"
    upto = "" if strongest is None else f", up to {strongest:.3g}"
    return (
        f"Contexts: the boxed token is the example's own. Shading is the size of a token's value{upto}: orange for positive, "
        f"violet for negative. ⏎ is a newline, {UNDRAWABLE} a character that no installed font can draw."
    )


def arrange(context: Context, room: int) -> list[Piece]:
    """The tokens on a line of ``room`` cells with the peak in the middle; what is too long ends in ``…``."""
    texts = [drawable(token) for token in context.tokens]
    peak = _cut(texts[context.peak], room // 3)
    middle = room // 2 - cells(peak) // 2
    pieces = [Piece(middle, peak, context.value, True)]
    stop = middle
    for place in range(context.peak - 1, -1, -1):
        text = texts[place]
        if cells(text) > stop:
            text = "…" if stop else ""
        stop -= cells(text)
        pieces.append(Piece(stop, text, float(context.values[place]), False))
        if text != texts[place]:
            break
    start = middle + cells(peak)
    for place in range(context.peak + 1, len(texts)):
        text = _cut(texts[place], room - start)
        pieces.append(Piece(start, text, float(context.values[place]), False))
        start += cells(text)
    return [piece for piece in pieces if piece.text]


def _cut(text: str, room: int) -> str:
    """``text`` in at most ``room`` cells."""
    if cells(text) <= room:
        return text
    while text and cells(text) > room - 1:
        text = text[:-1]
    return f"{text}…" if room > 0 else ""


# -- drawing ------------------------------------------------------------------------------------------


Groups = Sequence[tuple[str, Sequence[Context]]]


def height_of(groups: Groups, width: float) -> float:
    """Inches that :func:`draw_contexts` takes for ``groups`` in ``width`` inches."""
    if crops.has_crops(groups):
        return crops.height_of(groups, width)
    return (max(1, sum(len(contexts) for _, contexts in groups)) + 1) * SIZE * _LEADING / 72


def draw_contexts(axes: Axes, groups: Groups, strongest: float, width: float) -> None:
    """Lines of contexts, or crops, in ``axes``, ``width`` inches wide; ``groups`` are named where they begin.

    Tokens are shaded by the size of their value, up to ``strongest``, in one hue for each sign.
    """
    if crops.has_crops(groups):
        crops.draw_crops(axes, groups, width)
        return
    rows = sum(len(contexts) for _, contexts in groups)
    named = _NAMES if any(name for name, _ in groups) else 0
    room = int(width * 72 / _CELL) - _PREFIX - named
    axes.set(xlim=(0, width * 72 / _CELL), ylim=(rows, -1))
    axes.set_axis_off()
    for place, head in ((6.5, "value"), (15.5, "document")):
        axes.text(named + place, -0.5, head, fontsize=SIZE - 0.6, ha="right", va="center_baseline", color=style.MUTED)
    row = 0
    for name, contexts in groups:
        if row and contexts:
            axes.axhline(row, color=style.FAINT, linewidth=0.6)
        axes.text(0, row + 0.5, name, fontsize=SIZE, va="center_baseline", color=style.MUTED)
        for context in contexts:
            _draw_line(axes, context, row, named, room, strongest)
            row += 1


def _draw_line(axes: Axes, context: Context, row: int, left: int, room: int, strongest: float) -> None:
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"fontsize": SIZE, "va": "center_baseline", "color": style.MUTED}
    axes.text(left + 6.5, row + 0.5, f"{context.value:.3g}".replace("-", "−"), ha="right", **look)
    axes.text(left + 15.5, row + 0.5, f"{context.document:,}", ha="right", **look)
    families = [MONO, SANS, *wide_fonts()]
    pieces = arrange(context, room)
    for piece in pieces:
        shade = _shade(piece.value, strongest)
        if shade or piece.peak:
            axes.add_artist(  # unlike add_patch, this leaves the limits alone: half of the time
                Rectangle(
                    (left + _PREFIX + piece.start, row + 0.1), cells(piece.text), 0.8,
                    facecolor=shade or "none", edgecolor=style.INK if piece.peak else "none",
                    linewidth=0.9, zorder=2 if piece.peak else 1,
                )
            )  # fmt: skip
    for start, text, peak in _strings(pieces):
        axes.text(
            left + _PREFIX + start, row + 0.5, text, fontsize=SIZE, family=families, zorder=3,
            va="center_baseline", weight="bold" if peak else "normal",
        )  # fmt: skip


def _strings(pieces: list[Piece]) -> list[tuple[int, str, bool]]:
    """Where to draw which text: neighbours in one go while all their letters are one cell wide for certain."""
    strings: list[tuple[int, str, bool]] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        last = strings[-1] if strings else None
        if last and not (last[2] or piece.peak) and (last[1] + piece.text).isascii():
            strings[-1] = (last[0], last[1] + piece.text, False)
        else:
            strings.append((piece.start, piece.text, piece.peak))
    return [string for string in strings if string[1].strip()]


def _shade(value: float, strongest: float) -> Any:
    """A shade of orange for a positive value and of violet for a negative one, at most so dark that letters stay readable."""
    if not abs(value) > 0.02 * strongest:
        return None
    return _hue("YlOrBr" if value > 0 else "Purples")(0.08 + 0.42 * min(1.0, abs(value) / strongest))


@cache
def _hue(name: str) -> Any:
    """A colour map; matplotlib copies and computes it again whenever it is asked for."""
    import matplotlib as mpl

    return mpl.colormaps[name]
