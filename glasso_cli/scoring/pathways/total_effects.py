"""What a push of a neuron adds up to along all paths: (I - B)^-1 - I, by the number of edges on a path.

B has no circles, so the sum of its powers ends with the longest path. Signed sums let paths of opposite sign cancel. Absolute
sums count what passes along all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg.path_sums import path_sums
from glasso_cli.scoring.pathways.graph import LayeredGraph


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects of or on p neurons, by the number of edges on a path: row k of L is that of paths of k + 1 edges."""

    signed: np.ndarray  # (L, p)
    absolute: np.ndarray  # (L, p) sum over paths of the absolute value of each

    @property
    def total(self) -> np.ndarray:
        """The signed effect along all paths, ``(p,)``."""
        return np.asarray(self.signed.sum(axis=0))

    @property
    def total_absolute(self) -> np.ndarray:
        return np.asarray(self.absolute.sum(axis=0))


def effects_of(graph: LayeredGraph, pushes: np.ndarray) -> Effects:
    """What ``pushes (p,)``, in standard deviations of each neuron, do to every neuron along paths of at least one edge."""
    return _effects(graph.matrix, pushes)


def effects_on(graph: LayeredGraph, exits: np.ndarray) -> Effects:
    """What a push of each neuron by a standard deviation does to a sum of neurons along paths of at least one edge.

    The sum is ``exits @ a`` with ``exits (p,)`` per standard deviation of each neuron a: a set of targets, or the slope of a
    scalar in every neuron. The part of a neuron that is in the sum itself is not counted.
    """
    return _effects(csr_array(graph.matrix.T), exits)


def _effects(B: csr_array, start: np.ndarray) -> Effects:
    sums = np.array(list(path_sums(B, start))).reshape(-1, 2, len(start))
    return Effects(sums[:, 0], sums[:, 1])
