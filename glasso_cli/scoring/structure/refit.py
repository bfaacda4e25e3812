"""The scores of some of the documents, with a graph of their own: what the stability of a ranking is measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.fitting.tested_edges import fit_at
from glasso_cli.scoring.structure.centrality import Edges, centrality
from glasso_cli.scoring.structure.left_out import estimated
from glasso_cli.scoring.structure.predictability import in_sample, ridge


@dataclass(frozen=True, eq=False)
class Refit:
    """How the scores of a fit are computed again from another correlation matrix of its neurons.

    The graphical lasso is solved again at the selected alpha, and its pairs are estimated as the tests of the fit did. As many
    pairs as the fit draws are edges, those with the largest partial correlations: the tests of each are not repeated.
    Communities, layers and orientation are held.
    """

    fit: PrecisionPath
    section: FitSection
    edges: Edges
    penalty: float  # of the ridge regressions

    def scores(self, S: np.ndarray) -> dict[str, np.ndarray]:
        """The scores ``(p,)`` by name, of the correlation S ``(p, p)``."""
        alpha = float(self.fit.alphas[int(self.fit.selected)])
        point = fit_at(S, alpha, self.fit.precision(), self.section)
        rows, cols = point.rows.astype(np.int64), point.cols.astype(np.int64)
        rho, _ = estimated(S, self.fit, rows, cols)
        chosen = strongest(rho, len(self.edges.rows))
        graph = replace(self.edges, rows=rows[chosen], cols=cols[chosen])
        found = centrality(graph, rho[chosen]).by_name()
        return found | {"predictability": in_sample(ridge(S, self.penalty), S)}


def strongest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` largest absolute ``values (m,)``, increasing; all where there are fewer."""
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:count])
