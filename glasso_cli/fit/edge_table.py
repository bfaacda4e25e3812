"""The edges of the selected alpha with their error bars, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.artifacts.metrics.fit import DroppedEdges
from glasso_cli.inference.edges import EdgeTests
from glasso_cli.inference.pairs import pair_places
from glasso_cli.solvers.path import PathPoint

# column of the table → field of PrecisionPath
_TESTED = {
    "debiased": "debiased",
    "standard_error": "standard_error",
    "z": "z",
    "p_value": "p_values",
    "q_value": "q_values",
    "frequency": "frequencies",
    "entry_alpha": "entry_alphas",
}


@dataclass(frozen=True, eq=False)
class Kept:
    """Which of E edges pass every rule, and how many each rule dropped of those that the rules before it left."""

    mask: np.ndarray  # (E,) bool
    dropped: DroppedEdges


def keep(tests: EdgeTests, positive: np.ndarray, fdr: float, min_effect: float) -> Kept:
    """The edges whose partial correlation is not zero (q up to ``fdr``), has their sign, and is at least ``min_effect``.

    ``positive (E,)`` is the sign of their partial correlations in the sparse graph.
    """
    believed = (tests.q <= fdr) & ((tests.z > 0) == positive)
    large = np.abs(tests.partial_correlation) >= min_effect
    unbelieved, small = np.count_nonzero(~believed), np.count_nonzero(believed & ~large)
    return Kept(believed & large, DroppedEdges(fdr=int(unbelieved), min_effect=int(small)))


def entry_alphas(points: Sequence[PathPoint], index: int) -> np.ndarray:
    """The largest alpha at which each edge of point ``index`` is in a graph of the path, ``(E,)``."""
    chosen = points[index]
    p = len(chosen.diagonal)
    wanted = pair_places(chosen.rows, chosen.cols, p)
    found = np.full(len(wanted), chosen.alpha)
    for point in sorted(points[:index], key=lambda point: point.alpha):
        found[np.isin(wanted, pair_places(point.rows, point.cols, p))] = point.alpha
    return found


def columns(path: PrecisionPath) -> dict[str, Any]:
    """The table of all edges of the selected alpha, those that are drawn first, each kind from strong to weak."""
    rows, cols, rho = path.edges()
    order = np.lexsort((-np.abs(rho), ~path.kept))
    part = path.part()
    ids = path.neuron_ids
    table: dict[str, Any] = {
        "neuron_a": ids[rows[order]],
        "neuron_b": ids[cols[order]],
        "partial_correlation": rho[order],
    }
    table |= {name: getattr(path, field)[order] for name, field in _TESTED.items()}
    table["correlation"] = path.marginals[part][order]
    table["drawn"] = path.kept[order].astype(int)
    return table
