"""The error of the units of a path: standard deviations of its ends are estimated from the same documents.

The errors of edges take standard deviations as known. Between documents they vary by several percent, and strong edges have errors of
a fraction of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import ActivationStats, Influence, OrderedGraph
from glasso_cli.linalg.moments import diagonal_places
from glasso_cli.scoring.structure.jackknife import jackknife_error


@dataclass(frozen=True, eq=False)
class Units:
    """Logarithms of the standard deviations of p neurons: of all documents, and without each of B blocks."""

    whole: np.ndarray  # (p,)
    without: np.ndarray  # (B, p)
    shares: np.ndarray  # (B,) of the tokens
    blocks: np.ndarray  # (B,) their numbers

    @classmethod
    def of(cls, stats: ActivationStats, neurons: np.ndarray) -> Units:
        """Those of ``neurons (p,)``, indices into ``stats``, whose moments are of values that were not transformed."""
        filled = np.flatnonzero(stats.counts)
        counts, sums = stats.counts[filled].astype(float), stats.sums[filled][:, neurons]
        places = diagonal_places(stats.sums.shape[1])[neurons]
        squares = np.stack([np.asarray(stats.dense_moments[block][places], dtype=np.float64) for block in filled])
        total, mean, square = counts.sum(), sums.sum(axis=0), squares.sum(axis=0)
        rest = (total - counts)[:, None]
        return cls(
            _log_std(mean / total, square / total),
            _log_std((mean - sums) / rest, (square - squares) / rest),
            counts / total,
            filled,
        )

    def relative_error(self, first: int, last: int | None) -> float:
        """The standard error of the logarithm of sd(first) / sd(last), or of that of sd(first)."""
        whole, without = self._ratio(first, last)
        return float(jackknife_error(whole[None], without[:, None], self.shares)[0])

    def deviations(self, first: int, last: int | None, blocks: int) -> np.ndarray:
        """What each of ``blocks`` adds to that error, ``(blocks,)``: their squares add up to its square, about."""
        whole, without = self._ratio(first, last)
        return np.asarray(self._deviations(whole[None], without[:, None], blocks)[0])

    def of_neurons(self, blocks: int) -> np.ndarray:
        """What each of ``blocks`` adds to the error of the logarithm of the standard deviation of each neuron, ``(p, blocks)``."""
        return self._deviations(self.whole, self.without, blocks)

    def _deviations(self, whole: np.ndarray, without: np.ndarray, blocks: int) -> np.ndarray:
        found = np.zeros((len(whole), blocks))
        weight = self.shares / (1 - self.shares) / len(self.shares)
        found[:, self.blocks] = np.sqrt(weight) * (whole - without).T * (1 / self.shares - 1)
        return found

    def _ratio(self, first: int, last: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the ratio, of all documents and without each block ``(B,)``."""
        both = [self.whole[first], self.without[:, first]]
        if last is not None:
            both = [both[0] - self.whole[last], both[1] - self.without[:, last]]
        return both[0], both[1]


def units_of(graph: Influence | OrderedGraph, stats: ActivationStats, transform: str) -> Units | None:
    """Those of the neurons of ``graph``; None where ``transform`` leaves the moments of ``stats`` silent about them.

    Influence is in standard deviations of values that are not transformed.
    """
    known = isinstance(graph, OrderedGraph) or transform == "none"
    return Units.of(stats, graph.neurons.astype(np.int64)) if known else None


def _log_std(mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(square - mean**2, np.finfo(float).tiny)) / 2)
