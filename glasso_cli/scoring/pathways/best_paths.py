"""The strongest paths from a set of neurons to another set, or to a scalar, by dynamic programming over layers.

The strength of a path is the product of its absolute weights. The k strongest paths to a neuron go through the k strongest
to one of its sources, so each edge is looked at once: O(k E log k) in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.graph import LayeredGraph


@dataclass(frozen=True, eq=False)
class Path:
    """Neurons from first to last, and the edges between them."""

    neurons: tuple[int, ...]  # at least two
    edges: tuple[int, ...]  # into those of the graph, one less than there are neurons
    effect: float  # product of the weights, and of what the end gets of the last neuron


def best_paths(graph: LayeredGraph, k: int, starts: np.ndarray, exits: np.ndarray) -> list[Path]:
    """The ``k`` paths with the largest absolute effects, the largest first; fewer where there are fewer.

    ``starts (p,)`` bool are the neurons at which a path may begin. ``exits (p,)`` are what the last neuron is worth, 0 where
    no path may end: 1 for a set of targets, or the slope of a scalar per standard deviation. Raises :class:`InputError` for no
    start or no end.
    """
    if k < 1 or not starts.any() or not exits.any():
        raise InputError(
            "There is no path: no neuron to begin at, none to end at, or none is asked for.",
            "Name neurons that are in the graph across layers.",
        )
    ends = exits != 0
    found = _Search(graph, k, starts)
    candidates = [
        (size * abs(exits[neuron]), neuron, rank)
        for neuron in np.flatnonzero(ends).tolist()
        for rank, size in enumerate(found.sizes[neuron].tolist())
        if found.edges[neuron][rank] >= 0  # a path has an edge
    ]
    candidates.sort(key=lambda item: (-item[0], item[1], item[2]))
    return [_path(graph, found, neuron, rank, exits) for _, neuron, rank in candidates[:k]]


class _Search:
    """Of every neuron the k strongest paths that end there: their sizes, last edges, and ranks at the source of that edge."""

    def __init__(self, graph: LayeredGraph, k: int, starts: np.ndarray) -> None:
        p = graph.n_neurons
        # One more than asked for: the path of no edge, at a start, is not a path in the end.
        self.sizes = [np.ones(1) if start else np.zeros(0) for start in starts.tolist()]
        self.edges = [np.full(len(size), -1) for size in self.sizes]
        self.ranks = [np.full(len(size), -1) for size in self.sizes]
        order = np.argsort(graph.targets, kind="stable")
        borders = np.searchsorted(graph.targets[order], np.arange(p + 1))
        size = np.abs(graph.weights)
        for target in np.argsort(graph.layers, kind="stable").tolist():
            into = order[borders[target] : borders[target + 1]]
            into = into[size[into] > 0]
            if len(into) == 0:
                continue
            before = [self.sizes[source] for source in graph.sources[into].tolist()]
            counts = [len(part) for part in before]
            every = np.concatenate([self.sizes[target], *(size[edge] * part for edge, part in zip(into, before))])
            edges = np.concatenate([self.edges[target], np.repeat(into, counts)])
            ranks = np.concatenate([self.ranks[target], *(np.arange(count) for count in counts)])
            best = np.argsort(-every, kind="stable")[: k + 1]
            self.sizes[target], self.edges[target], self.ranks[target] = every[best], edges[best], ranks[best]


def _path(graph: LayeredGraph, found: _Search, neuron: int, rank: int, exits: np.ndarray) -> Path:
    last, neurons, edges = neuron, [neuron], []
    while (edge := int(found.edges[neuron][rank])) >= 0:
        rank, neuron = int(found.ranks[neuron][rank]), int(graph.sources[edge])
        neurons.append(neuron)
        edges.append(edge)
    edges.reverse()
    return Path(tuple(reversed(neurons)), tuple(edges), float(graph.weights[edges].prod() * exits[last]))
