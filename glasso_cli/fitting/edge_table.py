"""The edges of the selected alpha with their error bars, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts.metrics.fit import DroppedEdges
from glasso_cli.inference.edges import EdgeTests
from glasso_cli.inference.ordered.edges import OrderedTests
from glasso_cli.inference.pairs import pair_places
from glasso_cli.solvers.path import PathPoint


@dataclass(frozen=True, eq=False)
class EdgeFilter:
    """Which of E edges pass every rule, and how many each rule dropped of those that the rules before it left."""

    mask: np.ndarray  # (E,) bool
    dropped: DroppedEdges


def filter_edges(tests: EdgeTests | OrderedTests, positive: np.ndarray, fdr: float) -> EdgeFilter:
    """The edges with a partial correlation beyond the minimum effect (q up to ``fdr``) and the sign of the sparse graph.

    ``positive (E,)`` is the sign of their partial correlations in the sparse graph.
    """
    nonzero = (tests.q_zero <= fdr) & ((tests.z > 0) == positive)
    kept = nonzero & (tests.q <= fdr)
    return EdgeFilter(
        kept,
        DroppedEdges(fdr=int(np.count_nonzero(~nonzero)), min_effect=int(np.count_nonzero(nonzero & ~kept))),
    )


def entry_alphas(points: Sequence[PathPoint], index: int) -> np.ndarray:
    """The largest alpha at which each edge of point ``index`` is in a graph of the path, ``(E,)``."""
    chosen = points[index]
    p = len(chosen.diagonal)
    wanted = pair_places(chosen.rows, chosen.cols, p)
    alphas = np.full(len(wanted), chosen.alpha)
    for point in sorted(points[:index], key=lambda point: point.alpha):
        alphas[np.isin(wanted, pair_places(point.rows, point.cols, p))] = point.alpha
    return alphas
