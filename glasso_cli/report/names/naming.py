"""Which words set the strongest contexts of a group apart from the rest, and how well they do so on other documents.

A group is a pole of a neuron, or a community. Its peaks are the tokens in the middle of its strongest contexts. A name is up
to three words. Its score is the area under the ROC curve (AUC) of the indicator "the token is one of these words", for
telling peaks of the group from the rest: ½ + ½ (share of the peaks − share of the rest). It is cross-fitted: the words are
found in the even documents and scored in the odd ones, the other way round, and the two scores are averaged. The name that
is shown is found in all documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.report.names.words import Words

MOST_WORDS = 3
LEAST_DOCUMENTS = 2  # with the word at a peak, in the documents where it is found
FEWEST_DOCUMENTS = 6  # with a peak, in all: a score of fewer is none
_MARGIN = 0.05  # by which "after X" must tell apart better than "X"

Rest = Callable[[np.ndarray, np.ndarray], np.ndarray]  # groups and words, each (n,), to shares of the rest (n,)


@dataclass(frozen=True)
class Name:
    """Up to three words, and how well they tell peaks from the rest on other documents.

    ``after``: the words before the token, and not its own. ``score`` is nan where there are too few documents.
    """

    words: tuple[str, ...] = ()
    after: bool = False
    score: float = float("nan")
    documents: int = 0

    @property
    def text(self) -> str:
        """``climate, warming`` or ``after of``."""
        words = ", ".join(self.words)
        return f"after {words}" if self.after and words else words


@dataclass(frozen=True, eq=False)
class Peaks:
    """N peaks: their ``groups``, ``words``, the words ``before`` them (-1 where unknown) and ``documents``, each ``(N,)``."""

    groups: np.ndarray
    words: np.ndarray
    before: np.ndarray
    documents: np.ndarray

    def part(self, chosen: np.ndarray) -> Peaks:
        return Peaks(self.groups[chosen], self.words[chosen], self.before[chosen], self.documents[chosen])


@dataclass(frozen=True, eq=False)
class Sample:
    """The peaks of G groups in some documents, counted by word.

    ``counts`` and ``documents (G, V)`` hold peaks and documents with the word, ``sizes (G,)`` all peaks; ``rest`` gives the
    share of the rest that has a word.
    """

    counts: csr_array
    documents: csr_array
    sizes: np.ndarray
    rest: Rest


def count_peaks(groups: np.ndarray, words: np.ndarray, documents: np.ndarray, shape: tuple[int, int]) -> Sample:
    """Peaks by group and word, without a rest."""
    known = words >= 0
    g, w, d = groups[known], words[known], documents[known]
    pairs = _once_each(g.astype(np.int64) * shape[1] + w, d)
    counts = coo_array((np.ones(len(g)), (g, w)), shape=shape)
    distinct = coo_array((np.ones(len(pairs)), np.divmod(pairs, shape[1])), shape=shape)
    return Sample(
        csr_array(counts), csr_array(distinct), np.bincount(groups, minlength=shape[0]), lambda g, w: np.zeros(len(g))
    )


def count_documents(peaks: Peaks, groups: int) -> np.ndarray:
    """How many documents have a peak of each group, ``(groups,)``."""
    return np.bincount(_once_each(peaks.groups, peaks.documents), minlength=groups)


def _once_each(numbers: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """``numbers (n,)``, in order, each once for every document that it occurs in."""
    size = int(documents.max(initial=0)) + 1
    return np.asarray(np.unique(numbers.astype(np.int64) * size + documents) // size)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The words of G groups, ``(G, MOST_WORDS)``, the best first and -1 where there are fewer; ``gain (G,)`` of all of them."""

    words: np.ndarray
    gain: np.ndarray


def choose(sample: Sample, usable: np.ndarray, least: float) -> _Chosen:
    """The words with the largest share of the peaks less share of the rest, at least ``least`` each."""
    table = sample.counts.tocoo()
    groups, words = table.coords
    shares = table.data / np.maximum(sample.sizes, 1)[groups]
    gain = np.round(shares - sample.rest(groups, words), 9)  # equal gains stay equal, and the alphabet decides
    enough = (gain >= least) & usable[words] & (_at(sample.documents, groups, words) >= LEAST_DOCUMENTS)
    groups, words, gain = groups[enough], words[enough], gain[enough]
    order = np.lexsort((words, -gain, groups))
    groups, words, gain = groups[order], words[order], gain[order]
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    best = rank < MOST_WORDS
    chosen = np.full((len(sample.sizes), MOST_WORDS), -1)
    chosen[groups[best], rank[best]] = words[best]
    return _Chosen(chosen, np.bincount(groups[best], gain[best], minlength=len(sample.sizes)))


def auc(sample: Sample, chosen: np.ndarray) -> np.ndarray:
    """AUC ``(G,)`` of the indicator of the words ``chosen (G, M)``; ½ for no words, nan for a group without peaks."""
    groups, places = np.nonzero(chosen >= 0)
    words = chosen[groups, places]
    gains = _at(sample.counts, groups, words) / np.maximum(sample.sizes, 1)[groups] - sample.rest(groups, words)
    score = 0.5 + 0.5 * np.bincount(groups, gains, minlength=len(sample.sizes))
    return np.where(sample.sizes > 0, score, np.nan)


def _at(table: csr_array, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Entries ``(n,)`` of a sparse table."""
    if len(rows) == 0:
        return np.zeros(0)
    return np.asarray(table[rows, cols]).ravel()


@dataclass(frozen=True, eq=False)
class Kind:
    """The samples of one kind of indicator (the word itself, or the word before): even documents, odd ones, all."""

    after: bool
    halves: tuple[Sample, Sample]
    both: Sample


def name_groups(kinds: Sequence[Kind], words: Words, documents: np.ndarray, least: float) -> list[Name]:
    """The name of every group with its score, whatever this is; ``documents (G,)`` have a peak of it.

    A word is in a name only if it adds ``least`` to the share of the peaks less that of the rest.
    The kind is part of what is found: the first one, unless another tells the peaks at hand apart clearly better.
    """
    groups = np.arange(len(documents))
    scores = np.full((2, len(documents)), np.nan)
    for half in (0, 1):
        best, found = _best([choose(kind.halves[half], words.usable, least) for kind in kinds])
        held_out = [auc(kind.halves[1 - half], found[index].words) for index, kind in enumerate(kinds)]
        scores[half] = np.stack(held_out)[best, groups]
    counted = np.isfinite(scores)
    score = np.where(counted.all(axis=0), np.where(counted, scores, 0).sum(axis=0) / 2, np.nan)
    score[documents < FEWEST_DOCUMENTS] = np.nan
    best, found = _best([choose(kind.both, words.usable, least) for kind in kinds])
    names = []
    for group, kind in enumerate(best.tolist()):
        chosen = tuple(words.shown[word] for word in found[kind].words[group].tolist() if word >= 0)
        names.append(Name(chosen, kinds[kind].after and bool(chosen), float(score[group]), int(documents[group])))
    return names


def _best(found: list[_Chosen]) -> tuple[np.ndarray, list[_Chosen]]:
    """Which kind each group takes, ``(G,)``."""
    gains = np.stack([chosen.gain for chosen in found]).astype(float)
    gains[1:] -= 2 * _MARGIN  # a gain is twice what the AUC exceeds a half by
    return np.argmax(gains, axis=0), found
