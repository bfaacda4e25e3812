"""What a push of a neuron adds up to along all paths: (I - B)^-1 - I, by the number of edges on a path.

B has no circles, so the sum of its powers ends with the longest path. Signed sums let paths of opposite sign cancel. Absolute
sums count what passes along all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg.path_sums import path_sums
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.errors import jackknife_errors
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.pruned import influence_on
from glasso_cli.scoring.pathways.units import Units


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


@dataclass(frozen=True, eq=False)
class TotalErrors:
    """Standard errors of effects along all paths; nan, or None, where it is not known how blocks of documents differ."""

    influence: np.ndarray  # (p,) of each neuron on the end, as in the pruned view
    reached: np.ndarray  # (p,) of the absolute effect of the sources on each neuron
    passed: np.ndarray  # (p,) of the absolute effect of each neuron on the end
    passed_signed: np.ndarray  # (p,)
    signed: float | None  # of the effect of all sources on the end
    absolute: float | None


def effects_of(graph: LayeredGraph, pushes: np.ndarray) -> Effects:
    """What ``pushes (p,)``, in standard deviations of each neuron, do to every neuron along paths of at least one edge."""
    return _effects(graph.matrix, pushes)


def effects_on(graph: LayeredGraph, exits: np.ndarray) -> Effects:
    """What a push of each neuron by a standard deviation does to a sum of neurons along paths of at least one edge.

    The sum is ``exits @ a`` with ``exits (p,)`` per standard deviation of each neuron a: a set of targets, or the slope of a
    scalar in every neuron. The part of a neuron that is in the sum itself is not counted.
    """
    return _effects(csr_array(graph.matrix.T), exits)


def oriented_exits(exits: np.ndarray, end: End, orientation: np.ndarray) -> np.ndarray:
    """``exits (p,)`` for signed sums over neurons.

    Targets are taken by their heavier poles, since the signs of gated neurons are arbitrary. A scalar has a sign of its own.
    """
    return exits if end.is_scalar else exits * orientation


def total_errors(
    graph: LayeredGraph, end: End, pushes: np.ndarray, orientation: np.ndarray, units: Units | None
) -> TotalErrors:
    """The errors of the sums over all paths that lead to ``end``, or that begin with ``pushes (p,)`` of the sources.

    Errors are as in :func:`glasso_cli.scoring.pathways.errors.jackknife_errors`.
    """

    def totals(graph: LayeredGraph, exits: np.ndarray) -> np.ndarray:
        ends = oriented_exits(exits, end, orientation)
        reached, passed = effects_of(graph, pushes), effects_on(graph, ends)
        absolute = reached.total_absolute
        of_neurons = (influence_on(graph, exits), absolute, passed.total_absolute, passed.total)
        return np.concatenate([*of_neurons, [reached.total @ ends, absolute @ np.abs(exits)]])

    errors = jackknife_errors(totals, graph, end, units)
    signed, absolute = (float(error) if np.isfinite(error) else None for error in errors[-2:])
    influence, reached, passed, passed_signed = errors[:-2].reshape(4, -1)
    return TotalErrors(influence, reached, passed, passed_signed, signed, absolute)


def _effects(B: csr_array, start: np.ndarray) -> Effects:
    sums = np.array(list(path_sums(B, start))).reshape(-1, 2, len(start))
    return Effects(sums[:, 0], sums[:, 1])
