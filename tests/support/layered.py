"""Small graphs across layers with random weights, and all their paths written out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from glasso_cli.scoring.pathways.graph import LayeredGraph


def layered(
    sizes: tuple[int, ...] = (4, 5, 3, 4), density: float = 0.6, seed: int = 0, skip: bool = True
) -> LayeredGraph:
    """Neurons in layers of ``sizes``, in random order; edges to any later layer, or to the next one alone."""
    random = np.random.default_rng(seed)
    layers = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    later = layers[None] > layers[:, None] if skip else layers[None] == layers[:, None] + 1
    sources, targets = np.nonzero(later & (random.random((len(layers), len(layers))) < density))
    weights = random.standard_normal(len(sources)) * 0.5
    return of(layers, sources, targets, weights, np.full(len(sources), 0.1))


def of(layers: Any, sources: Any, targets: Any, weights: Any, errors: Any) -> LayeredGraph:
    ids = np.array([f"layers.{layer}.mlp[{n}]" for n, layer in enumerate(layers)])
    numbers = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
    return LayeredGraph(ids, np.asarray(layers), *numbers, np.asarray(weights), np.asarray(errors))


def paths(graph: LayeredGraph) -> Iterator[tuple[list[int], float]]:
    """All paths of at least one edge, and the product of the weights of each."""
    out: dict[int, list[tuple[int, float]]] = {}
    for source, target, weight in zip(graph.sources.tolist(), graph.targets.tolist(), graph.weights.tolist()):
        out.setdefault(source, []).append((target, weight))

    def onwards(path: list[int], effect: float) -> Iterator[tuple[list[int], float]]:
        for target, weight in out.get(path[-1], []):
            longer = [*path, target], effect * weight
            yield longer
            yield from onwards(*longer)

    for start in range(graph.n_neurons):
        yield from onwards([start], 1.0)
