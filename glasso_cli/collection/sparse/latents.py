"""What is known of every one of many sparse neurons without a matrix of all pairs: its autocorrelation, and whether it can be fitted."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.collection.autocorrelation import autocorrelation
from glasso_cli.collection.block import REPEATED, originals
from glasso_cli.collection.sparse.active import Active
from glasso_cli.collection.sparse.autocorrelation import SparseAutocorrelation
from glasso_cli.errors import InputError
from glasso_cli.inference.sparse.screening import strong_pairs
from glasso_cli.inference.sparse.values import SparseValues

_REPEATS = 5_000_000  # pairs that may repeat each other


def unusable_of(values: SparseValues) -> tuple[np.ndarray, np.ndarray]:
    """Which of p neurons have no variance ``(p,) bool``, and which neuron each one repeats ``(p,) int32`` or -1.

    As :func:`glasso_cli.collection.block.unusable`. Raises :class:`InputError` where millions of pairs repeat each other.
    """
    second = values.squares.sum(axis=0) / values.n_tokens
    dead = values.std**2 <= 1e-6 * second
    pairs = strong_pairs(values.standardised(), REPEATED, _REPEATS)
    if pairs is None:
        raise InputError(
            f"More than {_REPEATS:,} pairs of neurons repeat each other.", "Leave out neurons that repeat others."
        )
    alive = ~dead[pairs.rows] & ~dead[pairs.cols]
    return dead, originals(pairs.rows[alive], pairs.cols[alive], values.n_neurons)


def autocorrelation_of(matrix: csr_array, document: np.ndarray, lags: int) -> np.ndarray:
    """The autocorrelation ``(p, L)`` float32 of the columns of ``matrix (n, p)`` within documents.

    ``document (n,)`` numbers that of each row, increasing; the tokens of a document follow each other.
    """
    lengths = np.bincount(document)
    position = np.arange(len(document)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    after = np.repeat(lengths, lengths) - position - 1
    lag = np.arange(1, lags + 1)
    counts = (position[:, None] >= lag).astype(np.float64)
    counts += after[:, None] >= lag
    rows = csr_array(matrix, copy=True)
    rows.sum_duplicates()
    active = Active(
        rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data.astype(np.float64), rows.shape[1]
    )
    sums = SparseAutocorrelation(rows.shape[1], lags)
    sums.add(active, document, position, counts)
    found = sums.finish(np.zeros(rows.shape[1]))
    mean = np.bincount(active.columns, active.values, active.width) / len(document)
    square = np.bincount(active.columns, active.values**2, active.width) / len(document)
    return autocorrelation(found["lag_pairs"], found["lag_ends"], found["lag_products"], mean, square - mean**2)
