"""Communities of a graph: neurons that depend on each other more than on the rest."""

from __future__ import annotations

import numpy as np

from glasso_cli.graph.sums import edge_sums

ISOLATED = -1  # the community of a neuron without edges
_TRIALS = 5  # independent runs of Leiden, of which the best is kept; one takes 0.4 s for 100,000 edges


def find_communities(p: int, rows: np.ndarray, cols: np.ndarray, strengths: np.ndarray, seed: int) -> np.ndarray:
    """The community ``(p,)`` of every neuron by Leiden on modularity (Traag, Waltman and van Eck, 2019).

    Numbered by size, then by the sum of the members' strengths; neurons without edges are ``ISOLATED``. ``strengths``
    ``(E,)`` are positive weights. The same input and seed give the same communities, in whatever order neurons are
    numbered: Leiden's answer depends on the order of its input, so neurons enter from strong to weak.
    """
    from graspologic_native import leiden

    communities = np.full(p, ISOLATED)
    if len(rows) == 0:
        return communities
    strength = edge_sums(p, rows, cols, strengths)
    by_strength = np.argsort(-strength, kind="stable")
    rank = np.empty(p, dtype=np.int64)
    rank[by_strength] = np.arange(p)
    ends = np.sort(np.stack([rank[rows], rank[cols]]), axis=0)
    order = np.lexsort((ends[1], ends[0]))
    edges = [(str(i), str(j), weight) for i, j, weight in zip(*ends[:, order].tolist(), strengths[order].tolist())]
    _, partition = leiden(edges, seed=seed, trials=_TRIALS)
    communities[by_strength[[int(name) for name in partition]]] = list(partition.values())
    return _numbered_by_size(communities, strength)


def _numbered_by_size(labels: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The same partition with 0 for the largest part; equal sizes by the sum of ``strength (p,)``, then by first neuron."""
    members = np.flatnonzero(labels != ISOLATED)
    _, first, inverse, sizes = np.unique(labels[members], return_index=True, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=strength[members])
    rank = np.empty(len(sizes), dtype=labels.dtype)
    rank[np.lexsort((first, -sums, -sizes))] = np.arange(len(sizes))
    numbered: np.ndarray = labels.copy()
    numbered[members] = rank[inverse]
    return numbered
