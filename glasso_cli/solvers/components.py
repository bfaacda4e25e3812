"""The connected components of every threshold at once, from one pass over the covariance.

The pairs above a threshold connect the same neurons as those edges of a maximum spanning tree that are above it
(Gower and Ross, 1969: single linkage), so p - 1 pairs say the components of every alpha of a path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from glasso_cli.solvers.problem import Alpha

_APART = -1.0  # the excess of a pair that is never linked


@dataclass(frozen=True, eq=False)
class SpanningTree:
    """The p - 1 pairs of a maximum spanning tree, and how strong each is."""

    rows: np.ndarray  # (p - 1,)
    cols: np.ndarray  # (p - 1,)
    strength: np.ndarray  # (p - 1,) |S_ij|, or |S_ij| - alpha_ij for a matrix of weights

    @property
    def strongest(self) -> float:
        """The largest strength: from this alpha on every neuron is isolated."""
        return float(self.strength.max(initial=0.0))

    def labels(self, threshold: float) -> np.ndarray:
        """The component ``(p,)`` of each neuron when pairs above the threshold are linked, numbered from 0."""
        p = len(self.strength) + 1
        linked = self.strength > threshold
        return connected(self.rows[linked], self.cols[linked], p)

    def largest(self, threshold: float) -> int:
        """How many neurons the largest component has."""
        return int(np.bincount(self.labels(threshold)).max())


def connected(rows: np.ndarray, cols: np.ndarray, p: int) -> np.ndarray:
    """The connected component ``(p,)`` of each node of a graph with edges ``rows``, ``cols (E,)``, numbered from 0."""
    graph = coo_array((np.ones(len(rows)), (rows, cols)), shape=(p, p))
    return np.asarray(connected_components(graph, directed=False)[1])


def spanning_tree(covariance: np.ndarray, weights: np.ndarray | None = None) -> SpanningTree:
    """The tree of ``|covariance|``, or of what exceeds ``weights``; one row at a time (Prim, 1957)."""
    p = len(covariance)
    best, parent = np.full(p, 2 * _APART), np.zeros(p, dtype=np.int64)
    outside = np.ones(p, dtype=bool)
    joined = np.zeros(p, dtype=np.int64)
    for place in range(1, p):
        last = joined[place - 1]
        outside[last] = False
        strength = _strength(covariance, weights, last)
        closer = (strength > best) & outside
        best[closer], parent[closer] = strength[closer], last
        joined[place] = np.where(outside, best, 3 * _APART).argmax()
    cols = joined[1:]
    return SpanningTree(parent[cols], cols, best[cols])


def labels(covariance: np.ndarray, alpha: Alpha, tree: SpanningTree | None = None) -> np.ndarray:
    """The component ``(p,)`` that each neuron belongs to at ``alpha``; ``tree`` is that of the problem, if at hand."""
    if isinstance(alpha, np.ndarray):
        return spanning_tree(covariance, alpha).labels(0.0)
    return (tree or spanning_tree(covariance)).labels(alpha)


def _strength(covariance: np.ndarray, weights: np.ndarray | None, row: int) -> np.ndarray:
    size: np.ndarray = np.abs(covariance[row])
    return size if weights is None else np.maximum(size - weights[row], _APART)
