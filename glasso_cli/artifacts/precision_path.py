"""Sparse precision matrices of one corpus along a path of alphas, as `fit` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import FitMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented, pair_signs
from glasso_cli.graph.sums import degrees, edge_sums
from glasso_cli.linalg.precision import partial_correlation, symmetric

if TYPE_CHECKING:
    import scipy.sparse as sp

    from glasso_cli.solvers.path import PathPoint


# column of the table → field of PrecisionPath
_TESTED = {
    "debiased": "debiased",
    "standard_error": "standard_error",
    "z": "z",
    "p_value_zero": "p_zero",
    "q_value_zero": "q_zero",
    "p_value": "p_values",
    "q_value": "q_values",
    "frequency": "frequencies",
    "entry_alpha": "entry_alphas",
}


@dataclass(frozen=True, eq=False, repr=False)
class PrecisionPath(Artifact):
    """Sparse precision matrices of p neurons at A alphas, from large to small, each with its certificate.

    Off-diagonal entries of all alphas stand one after the other: those of alpha k are at
    ``offsets[k]:offsets[k+1]``, each pair once, row < column.
    """

    kind: ClassVar[str] = "precision-path"
    schema: ClassVar[int] = 6

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    neurons: np.ndarray = array("p", dtype="int32")  # index into the ActivationStats
    orientation: np.ndarray = array(
        "p", dtype="int8"
    )  # -1 where the heavier pole has negative values; see orientation.py
    communities: np.ndarray = array("p", dtype="int32")  # at the selected alpha, by size; -1 for isolated neurons
    alphas: np.ndarray = array("A", dtype="float64")  # decreasing
    starts: np.ndarray = array("A", dtype="float64")  # the alpha whose point each was started from; nan for none
    offsets: np.ndarray = array("A + 1", dtype="int64")
    rows: np.ndarray = array("nnz", dtype="int32")
    cols: np.ndarray = array("nnz", dtype="int32")
    values: np.ndarray = array("nnz", dtype="float64")  # precision entries (sign opposite to the partial correlation)
    marginals: np.ndarray = array("nnz", dtype="float32")  # correlation of the pair
    diagonals: np.ndarray = array("A", "p", dtype="float64")
    factors: np.ndarray = array("p", "sum of ranks", dtype="float64")  # V: precision = sparse part - V V'
    ranks: np.ndarray = array("A", dtype="int32")  # hidden factors at every alpha; 0 in a plain fit
    objective: np.ndarray = array("A", dtype="float64")  # nats
    duality_gap: np.ndarray = array("A", dtype="float64")  # nats per neuron
    kkt_residual: np.ndarray = array("A", dtype="float64")
    n_iter: np.ndarray = array("A", dtype="int32")
    converged: np.ndarray = array("A", dtype="bool")
    log_likelihood: np.ndarray = array("A", dtype="float64")  # nats per token, without constants
    n_components: np.ndarray = array("A", dtype="int32")  # isolated neurons included
    criterion: np.ndarray = array("A", dtype="float64")  # what the selection rule compared; nan if it has no curve
    criterion_error: np.ndarray = array("A", dtype="float64")  # its standard error; nan if it has none
    selected: np.ndarray = array(dtype="int64")
    # The E edges of the selected alpha, in the order of rows and cols:
    kept: np.ndarray = array("E", dtype="bool")  # drawn and written: beyond fit.min_effect at the rate fit.fdr
    debiased: np.ndarray = array("E", dtype="float64")  # partial correlation without the penalty's bias
    standard_error: np.ndarray = array("E", dtype="float64")  # of debiased
    z: np.ndarray = array("E", dtype="float64")  # against no edge
    p_zero: np.ndarray = array("E", dtype="float64")  # two-sided, of H0: the partial correlation is zero
    q_zero: np.ndarray = array("E", dtype="float64")  # over all pairs
    p_values: np.ndarray = array("E", dtype="float64")  # of H0: it is at most fit.min_effect in size
    q_values: np.ndarray = array("E", dtype="float64")  # over all pairs
    # share of half-samples with the edge and its sign; nan without any:
    frequencies: np.ndarray = array("E", dtype="float64")
    entry_alphas: np.ndarray = array("E", dtype="float64")  # the largest alpha of the path with the edge
    # The fit that edges were tested on, without its bias; all of it is empty where that was the inverse:
    tested_alpha: np.ndarray = array("1", dtype="float64", may_be_empty=True)
    tested_rows: np.ndarray = array("M", dtype="int32", may_be_empty=True)
    tested_cols: np.ndarray = array("M", dtype="int32", may_be_empty=True)
    tested_values: np.ndarray = array("M", dtype="float64", may_be_empty=True)
    tested_diagonal: np.ndarray = array("p", dtype="float64", may_be_empty=True)
    tested_factors: np.ndarray = array("p", "r", dtype="float64", may_be_empty=True)
    # For a fit with hidden factors, the fit without them at the selected alpha; all of it is empty for another:
    plain_rows: np.ndarray = array("P", dtype="int32", may_be_empty=True)
    plain_cols: np.ndarray = array("P", dtype="int32", may_be_empty=True)
    plain_values: np.ndarray = array("P", dtype="float64", may_be_empty=True)
    plain_kept: np.ndarray = array("P", dtype="bool", may_be_empty=True)  # by the rules of ``kept``
    plain_diagonal: np.ndarray = array("p", dtype="float64", may_be_empty=True)

    @classmethod
    def of_points(cls, points: Sequence[PathPoint], **more: Any) -> PrecisionPath:
        """The path of ``points``, which are in decreasing order of alpha; ``more`` are all fields that are not theirs."""
        from glasso_cli.solvers.path import stacked

        p = len(points[0].diagonal)
        edges = stacked(points)
        return cls(
            alphas=np.array([point.alpha for point in points]),
            starts=np.array([point.ancestors[-1] if point.ancestors else np.nan for point in points]),
            offsets=edges["offsets"],
            rows=edges["rows"].astype(np.int32),
            cols=edges["cols"].astype(np.int32),
            values=edges["values"],
            diagonals=np.stack([point.diagonal for point in points]),
            factors=np.concatenate([point.factors.reshape(p, -1) for point in points], axis=1),
            ranks=np.array([point.factors.shape[1] for point in points], dtype=np.int32),
            objective=np.array([point.objective for point in points]),
            duality_gap=np.array([point.duality_gap for point in points]),
            kkt_residual=np.array([point.kkt_residual for point in points]),
            n_iter=np.array([point.n_iter for point in points], dtype=np.int32),
            converged=np.array([point.converged for point in points], dtype=bool),
            log_likelihood=np.array([point.log_likelihood for point in points]),
            n_components=np.array([point.n_components for point in points], dtype=np.int32),
            **more,
        )

    def points(self) -> list[PathPoint]:
        """The points of :meth:`of_points`, copied out of the file."""
        from glasso_cli.solvers.path import PathPoint

        points: list[PathPoint] = []
        chains: dict[float, tuple[float, ...]] = {}
        ends = np.cumsum([0, *self.ranks.tolist()]).tolist()
        for index, alpha in enumerate(self.alphas.tolist()):
            part = self.part(index)
            point = PathPoint(
                alpha=alpha,
                rows=np.array(self.rows[part]),
                cols=np.array(self.cols[part]),
                values=np.array(self.values[part]),
                diagonal=np.array(self.diagonals[index]),
                objective=float(self.objective[index]),
                duality_gap=float(self.duality_gap[index]),
                kkt_residual=float(self.kkt_residual[index]),
                n_iter=int(self.n_iter[index]),
                converged=bool(self.converged[index]),
                log_likelihood=float(self.log_likelihood[index]),
                factors=np.array(self.factors[:, ends[index] : ends[index + 1]]),
                ancestors=chains.get(float(self.starts[index]), ()),
            )
            chains[alpha] = point.chain
            points.append(point)
        return points

    @cached_property
    def metrics(self) -> FitMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(FitMetrics, self.meta)

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        alpha = float(self.alphas[int(self.selected)])
        edges = f"{np.count_nonzero(self.kept):,} edges at alpha {alpha:.4g}"
        return f"{self.n_neurons:,} neurons, {len(self.alphas)} alphas, {edges}"

    @cached_property
    def n_edges(self) -> np.ndarray:
        """Edges at every alpha, ``(A,)``."""
        return np.diff(self.offsets)

    def part(self, index: int | None = None) -> slice:
        """Where the edges of one alpha (the selected one by default) stand in ``rows``, ``cols`` and ``values``."""
        index = int(self.selected) if index is None else index
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def edges(self, index: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and partial correlations ``(E,)``, not oriented, at one alpha (the selected one by default)."""
        index = int(self.selected) if index is None else index
        part = self.part(index)
        rows, cols, values = (np.asarray(array[part]) for array in (self.rows, self.cols, self.values))
        return rows, cols, partial_correlation(rows, cols, values, self.diagonals[index])

    def drawn(self) -> np.ndarray:
        """Where the edges that are drawn stand in ``rows``, ``cols`` and ``values``, ``(E',)``."""
        return np.asarray(np.flatnonzero(self.kept) + self.part().start)

    def precision(self, index: int | None = None) -> sp.csr_array:
        """The precision matrix ``(p, p)`` at one alpha, sparse and exactly symmetric; without its low-rank part."""
        index = int(self.selected) if index is None else index
        part = self.part(index)
        return symmetric(self.rows[part], self.cols[part], self.values[part], self.diagonals[index])

    def tested_precision(self) -> sp.csr_array | None:
        """The same of the fit that edges were tested on; None where that was the inverse correlation."""
        if len(self.tested_alpha) == 0:
            return None
        return symmetric(self.tested_rows, self.tested_cols, self.tested_values, self.tested_diagonal)

    def plain_edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and partial correlations ``(E',)`` that are drawn of the fit without hidden factors, if it has some."""
        kept = self.plain_kept
        rows, cols, values = (np.asarray(part[kept]) for part in (self.plain_rows, self.plain_cols, self.plain_values))
        return rows, cols, partial_correlation(rows, cols, values, self.plain_diagonal)

    def edge_columns(self) -> dict[str, Any]:
        """The table of all edges of the selected alpha, those that are drawn first, each kind from strong to weak.

        Signed numbers are relative to the heavier poles; times ``orientation``, they have the model's own signs.
        """
        fit = oriented(self)
        rows, cols, rho = fit.edges()
        order = np.lexsort((-np.abs(rho), ~self.kept))
        part = self.part()
        ids = self.neuron_ids
        table: dict[str, Any] = {
            "neuron_i": ids[rows[order]],
            "neuron_j": ids[cols[order]],
            "partial_correlation": rho[order],
        }
        table |= {name: getattr(fit, field)[order] for name, field in _TESTED.items()}
        table["correlation"] = fit.marginals[part][order]
        table["orientation"] = pair_signs(self.orientation, rows, cols)[order]
        table["drawn"] = self.kept[order].astype(int)
        return table

    def neuron_columns(self) -> dict[str, Any]:
        """The table of all neurons: community, degree and strength in the drawn graph, the strongest first."""
        part = self.drawn()
        rows, cols = np.asarray(self.rows[part]), np.asarray(self.cols[part])
        rho = self.edges()[2][self.kept]
        strength = edge_sums(self.n_neurons, rows, cols, np.abs(rho))
        order = np.argsort(-strength, kind="stable")
        return {
            "neuron": self.neuron_ids[order],
            "layer": self.layers[order],
            "orientation": self.orientation[order],
            "community": self.communities[order],
            "degree": degrees(self.n_neurons, rows, cols)[order],
            "strength": strength[order],
        }


def places_of(ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each of ``ids (p,)`` stands in ``known``, ``(p,)``."""
    where = {name: place for place, name in enumerate(known.tolist())}
    return np.array([where[name] for name in ids.tolist()], dtype=np.int64)
