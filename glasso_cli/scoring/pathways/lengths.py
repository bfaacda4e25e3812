"""Sums of effects along all paths, by the layer where paths begin and the number of edges, with standard errors over documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.linalg.path_sums import path_sums
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.errors import jackknife_errors
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.units import Units

_AT_ONCE = 256  # targets


@dataclass(frozen=True, eq=False)
class Lengths:
    """Sums for S pairs of a layer and a number of edges, in rows as :data:`glasso_cli.artifacts.score.pathways.LENGTH_SUMS`."""

    layers: np.ndarray  # (S,)
    edges: np.ndarray  # (S,) the slope of a scalar at the end of a path is one of them
    sums: np.ndarray  # (5, S)
    errors: np.ndarray  # (5, S) standard errors; nan where they are not known


def lengths(graph: LayeredGraph, end: End, orientation: np.ndarray, units: Units | None) -> Lengths:
    """For each layer and number of edges with a path to ``end``: sums over pairs of a neuron of the layer and a target.

    A scalar is the one target. ``positive`` and ``negative`` sum the pairs' effects by sign, ``signed`` is the sum of both, ``net``
    sums the sizes of the pairs' effects, and ``absolute`` sums the sizes of all paths. Signs are of heavier poles, by ``orientation
    (p,)``. Errors are as in :func:`glasso_cli.scoring.pathways.errors.jackknife_errors`.
    """
    occupied = np.unique(graph.layers)

    def sums(graph: LayeredGraph, exits: np.ndarray) -> np.ndarray:
        return _sums(graph, exits, orientation, end.is_scalar)

    found, errors = sums(graph, end.slopes), jackknife_errors(sums, graph, end, units)
    rows, steps = np.nonzero(found[-1])
    shortest = 2 if end.is_scalar else 1
    return Lengths(occupied[rows], steps + shortest, found[:, rows, steps], errors[:, rows, steps])


def _sums(graph: LayeredGraph, exits: np.ndarray, orientation: np.ndarray, is_scalar: bool) -> np.ndarray:
    """``(5, layers, steps)``, with as many steps along edges of the graph as its layers allow."""
    signs = pair_signs(orientation, graph.sources, graph.targets)
    p = graph.n_neurons
    backwards = csr_array((graph.weights * signs, (graph.sources, graph.targets)), shape=(p, p))
    layers, of_layer = np.unique(graph.layers, return_inverse=True)
    found = np.zeros((3, len(layers), len(layers) - 1))
    for ends in [(exits * orientation)[:, None]] if is_scalar else _targets(exits):
        for step, (signed, absolute) in enumerate(path_sums(backwards, ends)):
            for kind, values in enumerate((np.maximum(signed, 0), np.minimum(signed, 0), absolute)):
                found[kind, :, step] += np.bincount(of_layer, values.sum(axis=1), len(layers))
    positive, negative, absolute = found
    return np.stack([positive, negative, positive + negative, positive - negative, absolute])


def _targets(exits: np.ndarray) -> Iterator[np.ndarray]:
    """What each target gets of each neuron, ``(p, n)`` for some of the targets."""
    targets = np.flatnonzero(exits)
    for start in range(0, len(targets), _AT_ONCE):
        chosen = targets[start : start + _AT_ONCE]
        ends = np.zeros((len(exits), len(chosen)))
        ends[chosen, np.arange(len(chosen))] = 1.0
        yield ends
