"""Names of communities: the words that set the strongest contexts of their neurons apart from those of all others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glasso_cli.report.names.naming import Kind, Name, Peaks, Sample, count_documents, count_peaks, name_groups
from glasso_cli.report.names.peaks import Material

_LEAST_GAIN = 0.05  # for a word, of the share of the peaks over that of the rest


def least_score(size: int) -> float:
    """The AUC below which a community of ``size`` neurons has no name.

    Chance alone gives a few neurons larger scores than many: among communities of neurons drawn at random, a few percent reach
    this (benchmarks/names.py).
    """
    return 0.5 + 0.25 / float(np.sqrt(max(size, 1)))


def name_communities(material: Material, neurons: np.ndarray, communities: np.ndarray) -> list[Name]:
    """The name of every community, without words where its score is too small.

    ``neurons (p,)`` are indices into the neurons collected; ``communities (p,)`` are -1 for isolated neurons.
    """
    found = communities_from(material, neurons, communities)
    sizes = np.bincount(communities[communities >= 0], minlength=len(found)).tolist()
    return [
        name if name.score >= least_score(size) else replace(name, words=(), after=False)
        for name, size in zip(found, sizes)
    ]


def communities_from(material: Material, neurons: np.ndarray, communities: np.ndarray) -> list[Name]:
    """What is found for every community, with its score, whatever this is."""
    size = int(communities.max(initial=-1)) + 1
    if size == 0:
        return []
    of_neuron = np.full(len(material.signs), -1)
    of_neuron[neurons] = communities
    of_peak = of_neuron[material.peaks.groups // 2]
    inside = np.flatnonzero(of_peak >= 0)
    peaks = replace(material.peaks.part(inside), groups=of_peak[inside])
    odd = peaks.documents % 2 == 1
    shape = (size, len(material.words))
    samples = [_sample(peaks.part(chosen), shape) for chosen in (~odd, odd, np.ones(len(odd), bool))]
    documents = count_documents(peaks, size)
    kind = Kind(False, (samples[0], samples[1]), samples[2])
    return name_groups([kind], material.words, documents, _LEAST_GAIN)


def _sample(peaks: Peaks, shape: tuple[int, int]) -> Sample:
    """The rest is the peaks of all other communities."""
    counted = count_peaks(peaks.groups, peaks.words, peaks.documents, shape)
    counts, sizes = counted.counts, counted.sizes
    total, everything = np.asarray(counts.sum(axis=0)).ravel(), int(sizes.sum())

    def rest(groups: np.ndarray, words: np.ndarray) -> np.ndarray:
        here = np.asarray(counts[groups, words]).ravel() if len(groups) else np.zeros(0)
        return np.asarray((total[words] - here) / np.maximum(everything - sizes[groups], 1))

    return Sample(counts, counted.documents, sizes, rest)
