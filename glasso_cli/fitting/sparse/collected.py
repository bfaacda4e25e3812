"""What a fit of many sparse neurons reads: their values, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics import CollectMetrics
from glasso_cli.config import FitSection, neurons
from glasso_cli.errors import InputError
from glasso_cli.inference.sparse.values import SparseValues


@dataclass(frozen=True, eq=False)
class SparseCollected:
    """The values of p neurons that are mostly zero."""

    values: SparseValues  # as they are, neither centred nor scaled
    neuron_ids: np.ndarray  # (p,)
    layers: np.ndarray  # (p,) int32
    orientation: np.ndarray  # (p,) int8
    autocorrelation: np.ndarray  # (p, L)
    usable: np.ndarray  # indices of those that vary and repeat no other
    metrics: CollectMetrics

    @property
    def n_effective(self) -> float:
        """Independent tokens that those of the median pair of neurons are worth."""
        return self.metrics.n_effective.median


def sparse_collected(stats: ActivationStats) -> SparseCollected:
    """What ``stats`` hold that keep the values of sparse latents."""
    assert stats.active_counts is not None, "the statistics hold moments"
    starts = np.concatenate([[0], np.cumsum(stats.active_counts, dtype=np.int64)])
    shape = (stats.n_tokens, stats.n_neurons)
    matrix = csr_array((np.asarray(stats.active_values), np.asarray(stats.active_columns), starts), shape=shape)
    return SparseCollected(
        values=SparseValues.of(matrix, np.repeat(np.arange(len(stats.counts)), stats.counts)),
        neuron_ids=stats.neuron_ids,
        layers=stats.layers,
        orientation=stats.orientation,
        autocorrelation=stats.autocorrelation,
        usable=stats.usable(),
        metrics=stats.metrics,
    )


def chosen_neurons(collected: SparseCollected, section: FitSection) -> np.ndarray:
    """Indices of the neurons to fit, increasing: those of ``section`` that vary in two blocks of documents or more.

    Raises :class:`InputError` for ids that do not exist and where fewer than two neurons are left.
    """
    varying = collected.values.blocks_of_variation()
    usable = collected.usable[varying[collected.usable] >= min(2, len(collected.values.filled))]
    wanted = section.neurons
    if isinstance(wanted, int):
        usable = np.sort(usable[np.argsort(-collected.values.std[usable], kind="stable")[:wanted]])
    elif (ids := neurons.wanted_ids(wanted)) is not None:
        usable = np.intersect1d(usable, neurons.indices_of(ids, collected.neuron_ids.tolist()))
    if len(usable) < 2:
        raise InputError(
            "Fewer than two neurons are left to fit: the others are dead, repeat others, vary in one block of documents "
            "alone, or are not among fit.neurons.",
            "Give other fit.neurons, or collect more text.",
        )
    return np.asarray(usable)
