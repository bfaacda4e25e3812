"""Statistics of the neurons of one corpus, as `collect` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact
from glasso_cli.artifacts.metrics import CollectMetrics, metrics_of
from glasso_cli.linalg import moments


@dataclass(frozen=True, eq=False, repr=False)
class ActivationStats(Artifact):
    """Statistics of p neurons over B blocks of whole documents.

    Moments are those of the *transformed* values about ``centre``; ``mean``, ``std``, ``kurtosis`` and
    ``fraction_active`` describe the values as the model computes them.
    """

    kind: ClassVar[str] = "activation-stats"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray  # (p,) str, "layers.9.mlp[123]"
    layers: np.ndarray  # (p,) int32, -1 where the hook point has no layer
    counts: np.ndarray  # (B,) int64, tokens kept
    documents: np.ndarray  # (B,) int64
    centre: np.ndarray  # (p,) float64
    sums: np.ndarray  # (B, p) float64, of values minus centre
    moments: np.ndarray  # (B, p(p+1)/2) float32, of values minus centre, packed row by row
    null_moments: np.ndarray  # (p(p+1)/2,) float32, of circularly shifted neurons; empty without collect.null
    mean: np.ndarray  # (p,) float64
    std: np.ndarray  # (p,) float64
    kurtosis: np.ndarray  # (p,) float64, excess: 0 for a Gaussian
    fraction_active: np.ndarray  # (p,) float64, share of tokens above zero
    autocorrelation: np.ndarray  # (p, L) float32, lags 1 … L within documents
    dead: np.ndarray  # (p,) bool, zero variance
    duplicate_of: np.ndarray  # (p,) int32, the first neuron with |r| > 0.9999, or -1
    vocabulary: np.ndarray  # (V,) str, the tokens that contexts use
    top_tokens: np.ndarray  # (p, K, W) int32 into vocabulary, -1 outside the text
    top_values: np.ndarray  # (p, K, W) float32, nan outside the text; the peak is in the middle
    top_documents: np.ndarray  # (p, K) int32, -1 where there are fewer
    quantile_tokens: np.ndarray  # (p, 5, E, W) int32, groups from the lowest fifth to the highest
    quantile_values: np.ndarray  # (p, 5, E, W) float32
    quantile_documents: np.ndarray  # (p, 5, E) int32

    @cached_property
    def metrics(self) -> CollectMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(CollectMetrics, self.meta)

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        return f"{self.n_neurons:,} neurons, {self.n_tokens:,} tokens in {len(self.counts)} blocks"

    @property
    def n_tokens(self) -> int:
        """Tokens in the statistics, masked ones excluded."""
        return int(self.counts.sum())

    @property
    def n_effective(self) -> float:
        """Independent tokens that those of the median pair of neurons are worth."""
        return self.metrics.n_effective.median

    def usable(self) -> np.ndarray:
        """Indices of the neurons that can be fitted: neither dead nor a duplicate."""
        return np.flatnonzero(~self.dead & (self.duplicate_of < 0))

    def covariance(self, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The covariance ``(p, p)`` of the chosen blocks (all by default), float64, divided by n."""
        return moments.covariance(self.counts, self.sums, self.moments, blocks)

    def null_covariance(self) -> np.ndarray | None:
        """The covariance ``(p, p)`` of circularly shifted neurons, float64; None if it was not collected."""
        if len(self.null_moments) == 0:
            return None
        return moments.covariance_of(np.array([self.n_tokens]), self.sums.sum(axis=0)[None], [self.null_moments])

    def correlation(self, neurons: np.ndarray | None = None, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The correlation matrix of ``neurons`` (indices; the usable ones by default)."""
        chosen = self.usable() if neurons is None else neurons
        return moments.correlation(self.covariance(blocks)[np.ix_(chosen, chosen)])
