"""How large the correlations of many sparse neurons are: a histogram, from some of the neurons with all others."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.sparse.values import SparseValues

_ROWS = 1024  # neurons whose correlations are counted
_BINS = 2**16  # of equal width, for sizes from 0 to 1
_SHARES = 16  # neurons are dealt out to so many counts


def threshold_of(values: SparseValues, pairs: float) -> float:
    """A size above which about that many ``pairs`` of p standardised neurons are correlated; 0 if there are no more.

    It is estimated from up to 1,024 random neurons with all others: exact in units of 1 / 65,536 for at most as many neurons.
    """
    p = values.n_neurons
    every = p * (p - 1) / 2
    if pairs >= every:
        return 0.0
    rows = np.arange(p)
    if p > _ROWS:
        rows = np.sort(np.random.default_rng(0).choice(p, _ROWS, replace=False))
    counts = sizes_of(values, rows)
    above = np.cumsum(counts[::-1])[::-1]  # of each bin and those beyond it
    few = np.flatnonzero(above * (every / counts.sum()) <= pairs)
    return float(few[0] if len(few) else _BINS - 1) / _BINS


def sizes_of(values: SparseValues, rows: np.ndarray) -> np.ndarray:
    """How many correlations of the neurons ``rows`` with all others have which size, ``(65536,)``."""
    X, of_neurons = values.matrix, (values.column_starts, values.tokens, values.places)
    found = np.zeros((_SHARES, _BINS), dtype=np.int64)
    with numba_limited():
        _count((X.indptr, X.indices, X.data), of_neurons, values.mean, values.n_tokens, rows, found)
    return np.asarray(found.sum(axis=0))


@njit(parallel=True, cache=True)
def _count(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray],
    of_neurons: tuple[np.ndarray, np.ndarray, np.ndarray],
    mean: np.ndarray,
    count: float,
    rows: np.ndarray,
    found: np.ndarray,
) -> None:
    starts, columns, data = entries
    column_starts, tokens, places = of_neurons
    shares, bins = found.shape
    for part in prange(shares):
        row = np.empty(len(mean))
        for k in range(part, len(rows), shares):
            i = rows[k]
            row[:] = 0.0
            for e in range(column_starts[i], column_starts[i + 1]):
                x = np.float64(data[places[e]])
                for q in range(starts[tokens[e]], starts[tokens[e] + 1]):
                    row[columns[q]] += x * data[q]
            for j in range(len(mean)):
                if j != i:
                    size = abs(row[j] / count - mean[i] * mean[j])
                    found[part, min(int(size * bins), bins - 1)] += 1
