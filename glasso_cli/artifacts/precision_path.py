"""Sparse precision matrices of one corpus along a path of alphas, as `fit` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact
from glasso_cli.graph import partial_correlation

if TYPE_CHECKING:
    import scipy.sparse as sp


@dataclass(frozen=True)
class PrecisionPath(Artifact):
    """Sparse precision matrices of p neurons at A alphas, from large to small, each with its certificate.

    Off-diagonal entries of all alphas stand one after the other: those of alpha k are at
    ``offsets[k]:offsets[k+1]``, each pair once, row < column.
    """

    kind: ClassVar[str] = "precision-path"
    schema: ClassVar[int] = 4

    neuron_ids: np.ndarray  # (p,) str
    layers: np.ndarray  # (p,) int32
    neurons: np.ndarray  # (p,) int32, index into the ActivationStats
    communities: np.ndarray  # (p,) int32 at the selected alpha, by size; -1 for isolated neurons
    alphas: np.ndarray  # (A,) float64, decreasing
    starts: np.ndarray  # (A,) float64, the alpha whose point each was started from; nan for none
    offsets: np.ndarray  # (A + 1,) int64
    rows: np.ndarray  # (nnz,) int32
    cols: np.ndarray  # (nnz,) int32
    values: np.ndarray  # (nnz,) float64, precision entries (sign opposite to the partial correlation)
    marginals: np.ndarray  # (nnz,) float32, correlation of the pair
    diagonals: np.ndarray  # (A, p) float64
    factors: np.ndarray  # (p, sum of ranks) float64, V of the low-rank parts V V' that the precisions are less of
    ranks: np.ndarray  # (A,) int32, hidden factors at every alpha; 0 in a plain fit
    objective: np.ndarray  # (A,) float64, nats
    duality_gap: np.ndarray  # (A,) float64, nats per neuron
    kkt_residual: np.ndarray  # (A,) float64
    n_iter: np.ndarray  # (A,) int32
    converged: np.ndarray  # (A,) bool
    log_likelihood: np.ndarray  # (A,) float64, nats per token, without constants
    n_components: np.ndarray  # (A,) int32, isolated neurons included
    criterion: np.ndarray  # (A,) float64, what the selection rule compared; nan if it has no curve
    criterion_error: np.ndarray  # (A,) float64, its standard error; nan if it has none
    selected: np.ndarray  # () int64
    # The E edges of the selected alpha, in the order of rows and cols:
    kept: np.ndarray  # (E,) bool, drawn and written: they pass fit.fdr and fit.min_effect
    debiased: np.ndarray  # (E,) float64, partial correlation without the penalty's bias
    standard_error: np.ndarray  # (E,) float64, of debiased
    z: np.ndarray  # (E,) float64, against no edge
    p_values: np.ndarray  # (E,) float64, two-sided
    q_values: np.ndarray  # (E,) float64, over all pairs
    frequencies: np.ndarray  # (E,) float64, share of half-samples with the edge and its sign; nan without any
    entry_alphas: np.ndarray  # (E,) float64, the largest alpha of the path with the edge
    # The fit that edges were tested on, without its bias; all of it is empty where that was the inverse:
    tested_alpha: np.ndarray  # (1,) float64
    tested_rows: np.ndarray  # (M,) int32
    tested_cols: np.ndarray  # (M,) int32
    tested_values: np.ndarray  # (M,) float64
    tested_diagonal: np.ndarray  # (p,) float64
    tested_factors: np.ndarray  # (p, r) float64

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    @cached_property
    def n_edges(self) -> np.ndarray:
        """Edges at every alpha, ``(A,)``."""
        return np.diff(self.offsets)

    def part(self, index: int | None = None) -> slice:
        """Where the edges of one alpha (the selected one by default) stand in ``rows``, ``cols`` and ``values``."""
        index = int(self.selected) if index is None else index
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def edges(self, index: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and partial correlations ``(E,)`` at one alpha (the selected one by default)."""
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
        return _symmetric(self.rows[part], self.cols[part], self.values[part], self.diagonals[index])

    def tested_precision(self) -> sp.csr_array | None:
        """The same of the fit that edges were tested on; None where that was the inverse correlation."""
        if len(self.tested_alpha) == 0:
            return None
        return _symmetric(self.tested_rows, self.tested_cols, self.tested_values, self.tested_diagonal)


def _symmetric(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, diagonal: np.ndarray) -> sp.csr_array:
    import scipy.sparse as sp

    upper = sp.coo_array((values, (rows, cols)), shape=(len(diagonal), len(diagonal)))
    return sp.csr_array(upper + upper.T + sp.diags_array(diagonal))


def places_of(ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each of ``ids (p,)`` stands in ``known``, ``(p,)``."""
    where = {name: place for place, name in enumerate(known.tolist())}
    return np.array([where[name] for name in ids.tolist()], dtype=np.int64)
