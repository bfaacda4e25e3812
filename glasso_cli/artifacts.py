"""What the stages hand to each other: frozen dataclasses of arrays with ``meta``, saved as ``.npz``.

``meta`` names the kind, the schema version, the cache key and what went into it, and the metrics of the run.
Nothing in an artifact depends on the time, the host or the path of the run.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import glasso_cli
from glasso_cli.errors import InputError
from glasso_cli.graph import partial_correlation
from glasso_cli.linalg import moments
from glasso_cli.npz import Chunked, read_meta, read_npz, write_npz

if TYPE_CHECKING:
    import scipy.sparse as sp


@dataclass(frozen=True)
class Artifact:
    """Arrays and ``meta``; every dataclass field but ``meta`` is one member of the file."""

    kind: ClassVar[str]
    schema: ClassVar[int]

    meta: dict[str, Any]

    def save(self, path: Path, **streamed: Chunked) -> str:
        """The content digest, after writing to ``path``; ``streamed`` members replace fields of that name."""
        names = [item.name for item in fields(self) if item.name != "meta"]
        arrays: dict[str, np.ndarray | Chunked] = {name: getattr(self, name) for name in names}
        return write_npz(path, {**arrays, **streamed}, self.described())

    def described(self) -> dict[str, Any]:
        """``meta`` with the kind, the schema version and the versions that wrote it."""
        versions = {
            "glasso": glasso_cli.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        merged = {**versions, **self.meta.get("versions", {})}
        return {**self.meta, "kind": self.kind, "schema": self.schema, "versions": merged}

    @classmethod
    def load(cls, path: Path) -> Any:
        """The artifact at ``path``; raises :class:`InputError` if it is of another kind or a newer schema."""
        check_kind(path, read_meta(path), cls.kind, cls.schema)
        arrays, meta = read_npz(path)
        names = {item.name for item in fields(cls)} - {"meta"}
        missing = sorted(names - set(arrays))
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}.", "Delete it and run its stage again.")
        return cls(meta=meta, **{name: arrays[name] for name in names})


def check_kind(path: Path, meta: dict[str, Any], kind: str, schema: int) -> None:
    """Raise :class:`InputError` unless ``meta`` is of ``kind`` in a schema version this glasso reads."""
    if meta["kind"] != kind:
        raise InputError(
            f"{path} holds '{meta['kind']}', not '{kind}'.",
            "Give the artifact of the right stage; `glasso show` tells what a file is.",
        )
    if meta["schema"] > schema:
        writer = meta.get("versions", {}).get("glasso", "a newer version")
        raise InputError(
            f"{path} was written by glasso {writer} (schema {kind}/{meta['schema']}; this one reads up to {schema}).",
            "Upgrade glasso, or run the stage again with this one.",
        )
    if meta["schema"] < schema:
        raise InputError(
            f"{path} was written by an older glasso (schema {kind}/{meta['schema']}; this one reads {schema}).",
            "Run the stage again.",
        )


# -- collect --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ActivationStats(Artifact):
    """Statistics of p neurons over B blocks of whole documents.

    Moments are those of the *transformed* values about ``centre``; ``mean``, ``std``, ``kurtosis`` and
    ``fraction_active`` describe the values as the model computes them.
    """

    kind: ClassVar[str] = "activation-stats"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray  # (p,) str, "layers.9.mlp[123]"
    layers: np.ndarray  # (p,) int32, -1 where the hook point has no layer
    counts: np.ndarray  # (B,) int64, tokens kept
    documents: np.ndarray  # (B,) int64
    centre: np.ndarray  # (p,) float64
    sums: np.ndarray  # (B, p) float64, of values minus centre
    moments: np.ndarray  # (B, p(p+1)/2) float32, of values minus centre, packed row by row
    null_moments: np.ndarray  # (p(p+1)/2,) float32, of circularly shifted neurons; empty without collect.null
    mean: np.ndarray  # (p,) float64
    std: np.ndarray  # (p,) float64
    kurtosis: np.ndarray  # (p,) float64, excess: 0 for a Gaussian
    fraction_active: np.ndarray  # (p,) float64, share of tokens above zero
    autocorrelation: np.ndarray  # (p, L) float32, lags 1 … L within documents
    dead: np.ndarray  # (p,) bool, zero variance
    duplicate_of: np.ndarray  # (p,) int32, the first neuron with |r| > 0.9999, or -1
    vocabulary: np.ndarray  # (V,) str, the tokens that contexts use
    top_tokens: np.ndarray  # (p, K, W) int32 into vocabulary, -1 outside the text
    top_values: np.ndarray  # (p, K, W) float32, nan outside the text; the peak is in the middle
    top_documents: np.ndarray  # (p, K) int32, -1 where there are fewer
    quantile_tokens: np.ndarray  # (p, 5, E, W) int32, groups from the lowest fifth to the highest
    quantile_values: np.ndarray  # (p, 5, E, W) float32
    quantile_documents: np.ndarray  # (p, 5, E) int32

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    @property
    def n_tokens(self) -> int:
        """Tokens in the statistics, masked ones excluded."""
        return int(self.counts.sum())

    @property
    def n_effective(self) -> float:
        """Independent tokens that those of the median pair of neurons are worth."""
        return float(self.meta["metrics"]["n_effective"]["median"])

    def usable(self) -> np.ndarray:
        """Indices of the neurons that can be fitted: neither dead nor a duplicate."""
        return np.flatnonzero(~self.dead & (self.duplicate_of < 0))

    def covariance(self, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The covariance ``(p, p)`` of the chosen blocks (all by default), float64, divided by n."""
        return moments.covariance(self.counts, self.sums, self.moments, blocks)

    def null_covariance(self) -> np.ndarray | None:
        """The covariance ``(p, p)`` of circularly shifted neurons, float64; None if it was not collected."""
        if len(self.null_moments) == 0:
            return None
        return moments.covariance_of(np.array([self.n_tokens]), self.sums.sum(axis=0)[None], [self.null_moments])

    def correlation(self, neurons: np.ndarray | None = None, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The correlation matrix of ``neurons`` (indices; the usable ones by default)."""
        chosen = self.usable() if neurons is None else neurons
        return moments.correlation(self.covariance(blocks)[np.ix_(chosen, chosen)])


# -- fit ------------------------------------------------------------------------------------------


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
        return np.flatnonzero(self.kept) + self.part().start

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


# -- compare --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison(Artifact):
    """The dependencies of p neurons in two corpora, A and B, and which of them differ.

    The E pairs are those that differ and the edges drawn in either graph, each once, row < column.
    """

    kind: ClassVar[str] = "comparison"
    schema: ClassVar[int] = 1

    neuron_ids: np.ndarray  # (p,) str
    layers: np.ndarray  # (p,) int32
    neurons_a: np.ndarray  # (p,) int32, index into the ActivationStats of A
    neurons_b: np.ndarray  # (p,) int32
    communities_a: np.ndarray  # (p,) int32 of the graph of A, by size; -1 for isolated neurons
    communities_b: np.ndarray  # (p,) int32
    rows: np.ndarray  # (E,) int32
    cols: np.ndarray  # (E,) int32
    rho_a: np.ndarray  # (E,) float64, partial correlation in A, not shrunken
    rho_b: np.ndarray  # (E,) float64
    error_a: np.ndarray  # (E,) float64, standard error of rho_a
    error_b: np.ndarray  # (E,) float64
    z: np.ndarray  # (E,) float64, B less A in Fisher's z over its standard error
    p_values: np.ndarray  # (E,) float64, two-sided
    q_values: np.ndarray  # (E,) float64, over all pairs
    permutation_p: np.ndarray  # (E,) float64, against the largest difference of all pairs by chance; nan without any
    classes: np.ndarray  # (E,) int8, what B does to the pair: index into differential.CLASSES, -1 where nothing differs
    drawn_a: np.ndarray  # (E,) bool, an edge of the graph of A
    drawn_b: np.ndarray  # (E,) bool
    degree_a: np.ndarray  # (p,) int32, edges in the graph of A
    degree_b: np.ndarray  # (p,) int32
    jaccard: np.ndarray  # (p,) float64, neighbours in both graphs over those in either; nan without any
    changes: np.ndarray  # (p,) int32, differential edges
    change: np.ndarray  # (p,) float64, sum of |rho_b - rho_a| over them

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    @property
    def differential(self) -> np.ndarray:
        """Which of the pairs differ, ``(E,)``."""
        return self.classes >= 0

    def by_change(self) -> np.ndarray:
        """All neurons, those that change most first, ``(p,)``."""
        return np.lexsort((-self.changes, -self.change))


@dataclass(frozen=True)
class JointPrecision(Artifact):
    """Sparse precision matrices of p neurons in K corpora, fitted at once; E pairs, those with an entry in any of them."""

    kind: ClassVar[str] = "joint-precision"
    schema: ClassVar[int] = 1

    neuron_ids: np.ndarray  # (p,) str
    layers: np.ndarray  # (p,) int32
    corpora: np.ndarray  # (K,) str
    rows: np.ndarray  # (E,) int32, row < column
    cols: np.ndarray  # (E,) int32
    values: np.ndarray  # (K, E) float64, precision entries
    partial_correlations: np.ndarray  # (K, E) float64
    diagonals: np.ndarray  # (K, p) float64

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)
