"""The part of a graph across layers that carries most of the influence on a set of neurons or a scalar.

As in circuit tracing (Ameisen et al. 2025): the absolute weights into each neuron are scaled to a sum of one, influence is
passed backwards from the end, and the strongest nodes and edges are kept until their cumulative influence reaches a share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.graph import LayeredGraph

NODES, EDGES = 0.8, 0.98  # shares of the influence


@dataclass(frozen=True, eq=False)
class PrunedView:
    """What is kept of a graph of p neurons and E edges."""

    influence: np.ndarray  # (p,) of each neuron on the end, of all of it; not signed
    neurons: np.ndarray  # (p,) bool
    edges: np.ndarray  # (E,) bool
    ends: np.ndarray  # (p,) bool: neurons whose own way to the end is kept


def pruned_view(graph: LayeredGraph, exits: np.ndarray, nodes: float = NODES, edges: float = EDGES) -> PrunedView:
    """The neurons that together have ``nodes`` of the influence, and the edges between them that have ``edges`` of it.

    ``exits (p,)`` are what the end gets of each neuron, as in :func:`glasso_cli.scoring.pathways.best_paths.best_paths`.
    Neurons from which no kept edge leads on, and those that lost all edges into them, are left out. Raises
    :class:`InputError` where ``exits`` are all zero.
    """
    if not exits.any():
        raise InputError("No neuron leads to the end.", "Name neurons that are in the graph across layers.")
    into_end = _into_end(exits)
    every = np.ones(len(graph.weights), bool)
    influence = influence_on(graph, exits)
    kept = _strongest(influence, nodes)
    inside = kept[graph.sources] & kept[graph.targets]
    shares = _shares(graph, inside)
    passed = _influence(graph, inside, into_end * kept)
    scores = np.concatenate([np.where(inside, shares * passed[graph.targets], 0.0), into_end * kept])
    strong = _strongest(scores, edges)
    chosen, onto_end = strong[: len(every)], strong[len(every) :]
    fed = _ends(graph.targets, every, graph.n_neurons)
    while True:  # until no neuron hangs loose
        out = _ends(graph.sources, chosen, graph.n_neurons) | onto_end
        reached = ~fed | _ends(graph.targets, chosen, graph.n_neurons)
        left = kept & out & reached
        if (left == kept).all():
            return PrunedView(influence, kept, chosen, onto_end)
        kept = left
        chosen = chosen & kept[graph.sources] & kept[graph.targets]
        onto_end = onto_end & kept


def influence_on(graph: LayeredGraph, exits: np.ndarray) -> np.ndarray:
    """The influence ``(p,)`` of each neuron on the end along all edges; ``exits`` are as in :func:`pruned_view`."""
    return _influence(graph, np.ones(len(graph.weights), bool), _into_end(exits))


def _into_end(exits: np.ndarray) -> np.ndarray:
    size = np.abs(exits)
    return np.asarray(size / size.sum())


def _shares(graph: LayeredGraph, chosen: np.ndarray) -> np.ndarray:
    """Absolute weights ``(E,)``, scaled to a sum of one over the ``chosen`` edges into each neuron."""
    size = np.where(chosen, np.abs(graph.weights), 0.0)
    total = np.bincount(graph.targets, size, graph.n_neurons)
    return np.asarray(size / np.where(total > 0, total, 1.0)[graph.targets])


def _influence(graph: LayeredGraph, chosen: np.ndarray, into_end: np.ndarray) -> np.ndarray:
    """Of each neuron on the end along the ``chosen`` edges, ``(p,)``."""
    p = graph.n_neurons
    backwards = csr_array(coo_array((_shares(graph, chosen), (graph.sources, graph.targets)), shape=(p, p)))
    total, reached = into_end.copy(), into_end
    while (reached := backwards @ reached).any():
        total += reached
    return np.asarray(total)


def _strongest(scores: np.ndarray, share: float) -> np.ndarray:
    """The fewest items ``(m,)`` bool whose ``scores`` add up to ``share`` of all."""
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(scores[order])
    count = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-12))) + 1
    kept = np.zeros(len(scores), bool)
    kept[order[:count]] = True
    return kept & (scores > 0)


def _ends(ends: np.ndarray, chosen: np.ndarray, p: int) -> np.ndarray:
    found = np.zeros(p, bool)
    found[ends[chosen]] = True
    return found
