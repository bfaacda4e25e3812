"""The words at the peaks of all contexts of a corpus, and the words of its text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.orientation import poles_of
from glasso_cli.report.names.naming import Peaks
from glasso_cli.report.names.words import Words, read_words, words_before


@dataclass(frozen=True, eq=False)
class Material:
    """What names are made from: the peaks of p neurons, and the words of the text around them.

    Group 2 i of ``peaks`` is the pole of neuron i that is heavier in this corpus, group 2 i + 1 the other. ``text (2, V)``
    and ``text_before (2, V)`` count the tokens of these windows but their peaks by word and by the word before, in the even
    and in the odd documents.
    """

    words: Words
    peaks: Peaks
    text: np.ndarray
    text_before: np.ndarray
    signs: np.ndarray  # (p, 2) of the poles, 1 or -1; 0 for a pole that is none

    @property
    def n_neurons(self) -> int:
        return len(self.signs)


def read_material(stats: ActivationStats) -> Material:
    """The peaks and the text of the strongest contexts at both poles, with oriented signs.

    The examples of fifths are left out: they come from the few documents of the pilot pass, and where ranks are rounded they
    depend on the sign of the neuron. Places in images and sequences are no words, and give none.
    """
    if not stats.has_words:
        nothing = {
            f"{pole}_{name}": getattr(stats, f"{pole}_{name}")[:, :0]
            for pole in ("top", "bottom")
            for name in ("tokens", "values", "documents")
        }
        stats = replace(stats, vocabulary=stats.vocabulary[:0], **nothing)
    windows = (stats.top_tokens, stats.bottom_tokens)
    documents = (stats.top_documents, stats.bottom_documents)
    words, indices = read_words(stats.vocabulary, *windows)
    before = [words_before(part) for part in indices]
    size, middle = len(words), stats.top_tokens.shape[-1] // 2
    text, text_before = np.zeros((2, size)), np.zeros((2, size))
    for own, previous, numbers in zip(indices, before, documents):
        around = np.broadcast_to((numbers >= 0)[..., None], own.shape).copy()
        around[..., middle] = False
        odd = np.broadcast_to((numbers % 2 == 1)[..., None], own.shape)
        for counts, values in ((text, own), (text_before, previous)):
            used = around & (values >= 0)
            for half in (0, 1):
                counts[half] += np.bincount(values[used & (odd == half)], minlength=size)
    signs = pole_signs(stats)
    return Material(words, _peaks(stats, indices, before, signs), text, text_before, signs)


def pole_signs(stats: ActivationStats) -> np.ndarray:
    """The oriented signs of the poles that each neuron has, ``(p, 2)``, the heavier one in this corpus first; 0 for none."""
    signs = np.zeros((stats.n_neurons, 2), dtype=np.int8)
    for neuron in range(stats.n_neurons if stats.top_tokens.shape[1] else 0):
        for place, pole in enumerate(poles_of(stats, neuron)):
            signs[neuron, place] = pole.sign
    return signs


def _peaks(stats: ActivationStats, indices: list[np.ndarray], before: list[np.ndarray], signs: np.ndarray) -> Peaks:
    middle = stats.top_tokens.shape[-1] // 2
    turned = np.ones(stats.n_neurons, int) if stats.meta.get("oriented") else stats.orientation
    parts = []
    for place in (0, 1):
        high = signs[:, place] == turned  # the values at this pole are the model's (or the copy's) highest
        there = signs[:, place] != 0
        own, previous, documents = (
            np.where(high[:, None], top, bottom)
            for top, bottom in (
                (indices[0][:, :, middle], indices[1][:, :, middle]),
                (before[0][:, :, middle], before[1][:, :, middle]),
                (stats.top_documents, stats.bottom_documents),
            )
        )
        neurons, ranks = np.nonzero((documents >= 0) & there[:, None])
        parts.append((2 * neurons + place, own[neurons, ranks], previous[neurons, ranks], documents[neurons, ranks]))
    return Peaks(*(np.concatenate(columns) for columns in zip(*parts)))
