"""What a push of a neuron adds up to along all paths: (I - B)^-1 - I, by the number of edges on a path.

B has no circles, so the sum of its powers ends with the longest path. Signed sums let paths of opposite sign cancel. Absolute
sums count what passes along all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

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


def total_matrix(graph: LayeredGraph, *, absolute: bool = False) -> list[csr_array]:
    """The effects of all pairs: the powers of B ``(p, p)``, targets in rows, from the first to the last that is not zero."""
    B = abs(graph.matrix) if absolute else graph.matrix
    powers = []
    power = B
    while power.nnz:
        powers.append(power)
        power = csr_array(B @ power)
        power.eliminate_zeros()
    return powers


def path_effect(graph: LayeredGraph, path: list[int]) -> float:
    """The product of the weights along ``path``, a list of neurons."""
    B = graph.matrix
    return float(np.prod([B[target, source] for source, target in pairwise(path)]))


def _effects(B: csr_array, start: np.ndarray) -> Effects:
    signed, absolute = _powers(B, start), _powers(abs(B), np.abs(start))
    return Effects(np.pad(signed, ((0, len(absolute) - len(signed)), (0, 0))), absolute)


def _powers(B: csr_array, start: np.ndarray) -> np.ndarray:
    rows = []
    reached = B @ start.astype(float)
    while reached.any():
        rows.append(reached)
        reached = B @ reached
    return np.array(rows).reshape(-1, len(start))
