"""The graph of a fit without hidden factors beside that of a fit with them: which edges the factors account for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.fit import EstimateUsed, PlainGraph
from glasso_cli.config import FitSection
from glasso_cli.fitting import edge_table
from glasso_cli.fitting.tested_edges import fit_at, tested_anyhow
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.pairs import pair_places
from glasso_cli.solvers.path import PathPoint


@dataclass(frozen=True, eq=False)
class PlainFit:
    """A fit without hidden factors at one alpha, and which of its E edges are drawn."""

    point: PathPoint
    kept: np.ndarray  # (E,) bool
    estimate: EstimateUsed

    def against(self, point: PathPoint, kept: np.ndarray) -> PlainGraph:
        """What differs from the drawn edges ``kept (E,)`` of a fit with factors at the same alpha."""
        p = len(point.diagonal)
        mine = pair_places(self.point.rows, self.point.cols, p)[self.kept]
        others = pair_places(point.rows, point.cols, p)
        lost = np.setdiff1d(mine, others[kept])
        shared = len(mine) - len(lost)
        return PlainGraph(
            edges_at_alpha=self.point.n_edges,
            edges=len(mine),
            shared=shared,
            lost=len(lost),
            absent=len(np.setdiff1d(lost, others)),
            gained=int(np.count_nonzero(kept)) - shared,
            estimate=self.estimate,
            duality_gap=self.point.duality_gap,
            converged=bool(self.point.converged),
        )


def plain_fit(
    alpha: float, correlation: np.ndarray, stats: ActivationStats, blocks: Blocks, section: FitSection
) -> PlainFit:
    """The fit of ``correlation (p, p)``, the tokens of ``blocks``, that ``section`` gives with method plain at ``alpha``.

    Its edges are tested as those of such a fit are; by the lasso where the inverse correlation does not exist.
    """
    plain = section.model_copy(update={"method": "plain"})
    point = fit_at(correlation, alpha, None, plain)
    tested = tested_anyhow(point, correlation, stats, blocks, plain)
    kept = edge_table.filter_edges(tested.tests, point.values < 0, section.fdr).mask
    return PlainFit(point, kept, EstimateUsed(tested.estimate, tested.alpha))
