"""Names of neurons: the words that set each pole apart from the text and from the other pole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.report.names.naming import Kind, Name, Peaks, Sample, count_documents, count_peaks, name_groups
from glasso_cli.report.names.peaks import Material
from glasso_cli.report.words.labels import cut

LEAST_SCORE = 0.65  # AUC, about 30 % of the peaks beyond the rest; below it a pole has no name
_LEAST_GAIN = 0.1  # for a word, of the share of the peaks over that of the rest
_LONGEST = 44  # characters of the name of a neuron


@dataclass(frozen=True, eq=False)
class NeuronNames:
    """The names of p neurons: ``texts``, empty where there is none, and ``scores (p,)``, nan where there are too few documents.

    The score of a named neuron is the smallest of the poles in its name, that of another the largest of its poles.
    ``poles`` are all names that were found, with their scores, the pole that is heavier in this corpus first.
    """

    texts: list[str]
    scores: np.ndarray
    poles: Sequence[tuple[Name, Name]]

    def at(self, neurons: np.ndarray) -> NeuronNames:
        """The names of some neurons, given by index."""
        chosen = neurons.tolist()
        return NeuronNames([self.texts[n] for n in chosen], self.scores[neurons], [self.poles[n] for n in chosen])

    def better(self, other: NeuronNames) -> NeuronNames:
        """For every neuron the name with the larger score of two; that of ``self`` where they are equal."""
        mine, theirs = (
            np.array([score if text else -1.0 for text, score in zip(names.texts, names.scores.tolist())])
            for names in (self, other)
        )
        take = [other if take else self for take in (theirs > mine).tolist()]
        return NeuronNames(
            [names.texts[n] for n, names in enumerate(take)],
            np.array([names.scores[n] for n, names in enumerate(take)]),
            [names.poles[n] for n, names in enumerate(take)],
        )


def name_neurons(material: Material) -> NeuronNames:
    """The names of all neurons of a corpus."""
    found = pole_names(material)
    poles = list(zip(found[::2], found[1::2]))
    texts = [_text([name for name in pair if is_shown(name)]) for pair in poles]
    return NeuronNames(texts, np.array([_score(pair) for pair in poles], dtype=float), poles)


def is_shown(name: Name) -> bool:
    """Whether the score of a name is large enough."""
    return bool(name.words) and name.score >= LEAST_SCORE


def _text(names: list[Name]) -> str:
    return cut(" / ".join(name.text for name in names), _LONGEST)


def _score(pair: tuple[Name, Name]) -> float:
    shown = [name.score for name in pair if is_shown(name)]
    known = [name.score for name in pair if not np.isnan(name.score)]
    return min(shown) if shown else max(known, default=float("nan"))


def pole_names(material: Material) -> list[Name]:
    """What is found for the two poles of p neurons, ``2 p`` names with their scores; see :class:`Material` for the order."""
    peaks, shape = material.peaks, (2 * material.n_neurons, len(material.words))
    everything = np.ones(len(peaks.groups), bool)
    odd = peaks.documents % 2 == 1
    kinds = []
    for after, text in ((False, material.text), (True, material.text_before)):
        halves = [
            _sample(peaks.part(chosen), after, counts, shape)
            for chosen, counts in ((~odd, text[0]), (odd, text[1]), (everything, text.sum(axis=0)))
        ]
        kinds.append(Kind(after, (halves[0], halves[1]), halves[2]))
    return name_groups(kinds, material.words, count_documents(peaks, shape[0]), _LEAST_GAIN)


def _sample(peaks: Peaks, after: bool, text: np.ndarray, shape: tuple[int, int]) -> Sample:
    """Half of the rest is the text around all peaks; the other half is the other pole of the neuron, where it has one."""
    counted = count_peaks(peaks.groups, peaks.before if after else peaks.words, peaks.documents, shape)
    shares = text / max(float(text.sum()), 1.0)
    sizes, counts = counted.sizes, counted.counts

    def rest(groups: np.ndarray, words: np.ndarray) -> np.ndarray:
        other = groups ^ 1
        at_other = np.asarray(counts[other, words]).ravel() / np.maximum(sizes[other], 1) if len(groups) else 0.0
        return np.asarray(np.where(sizes[other] > 0, 0.5 * shares[words] + 0.5 * at_other, shares[words]))

    return Sample(counts, counted.documents, sizes, rest)
