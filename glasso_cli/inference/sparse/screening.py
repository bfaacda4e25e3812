"""Which pairs of many sparse neurons are correlated, and the correlations within groups of them.

All p (p - 1) / 2 correlations are computed, some rows at a time, and only those above a threshold are kept. Products come
from the tokens at which both neurons are not zero (Gustavson, 1978). What is subtracted for the means is there for every
pair: two neurons that are often active and never together are correlated too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.sparse.values import SparseValues
from glasso_cli.solvers.components import connected
from glasso_cli.solvers.parts import Part
from glasso_cli.solvers.screening import members_of

_VALUES = 2**22  # correlations that are computed at once


@dataclass(frozen=True, eq=False)
class StrongPairs:
    """All pairs ``rows < cols (E,)`` of p neurons with a correlation above ``threshold`` in absolute value, row by row."""

    threshold: float
    neurons: int
    rows: np.ndarray  # (E,) int32
    cols: np.ndarray  # (E,) int32
    values: np.ndarray  # (E,) float64, correlations

    def labels(self, alpha: float) -> np.ndarray:
        """The component ``(p,)`` of each neuron at ``alpha``, numbered from 0; alpha is at least ``threshold``."""
        above = np.abs(self.values) > alpha
        return connected(self.rows[above], self.cols[above], self.neurons)

    def largest(self, alpha: float) -> int:
        """How many neurons the largest component at ``alpha`` has."""
        return int(np.bincount(self.labels(alpha), minlength=1).max())

    def alpha_for(self, most: int) -> float:
        """An alpha, in two digits, at which no component has more than ``most`` neurons."""
        low, high = self.threshold, float(np.abs(self.values).max(initial=self.threshold))
        for _ in range(12):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if self.largest(middle) <= most else (middle, high)
        digits = 10.0 ** (np.floor(np.log10(high)) - 1)
        return float(f"{np.ceil(high / digits) * digits:.2g}")


def strong_pairs(values: SparseValues, threshold: float, most: int) -> StrongPairs | None:
    """The pairs above ``threshold``, of standardised ``values``; None if there are more than ``most``."""
    p = values.n_neurons
    size = max(1, _VALUES // p)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    kept = 0
    table = np.empty((size, p))
    X, of_neurons = values.matrix, (values.column_starts, values.tokens, values.places)
    entries = (X.indptr, X.indices, X.data)
    with numba_limited():
        for first in range(0, p, size):
            tile = table[: min(size, p - first)]
            counts = np.zeros(len(tile), dtype=np.int64)
            _correlations(entries, of_neurons, first, values.mean, values.n_tokens, threshold, tile, counts)
            kept += int(counts.sum())
            if kept > most:
                return None
            ends = np.cumsum(counts)
            part = _empty(int(ends[-1]))
            _kept(tile, first, threshold, ends - counts, *part)
            found.append(part)
    rows, cols, strength = (np.concatenate(parts) for parts in zip(_empty(0), *found))
    return StrongPairs(threshold, p, rows, cols, strength)


def parts_of(values: SparseValues, labels: np.ndarray) -> list[Part]:
    """The correlations within every group of two neurons or more, of standardised ``values``.

    ``labels (p,)`` name the groups from 0. Raises :class:`InputError` for a matrix that is none of correlations.
    """
    groups = members_of(labels)
    sizes = np.array([len(members) for members in groups], dtype=np.int64)
    ends = np.cumsum(sizes**2)
    group, place = np.full(values.n_neurons, -1, np.int64), np.zeros(values.n_neurons, np.int64)
    for number, members in enumerate(groups):
        group[members], place[members] = number, np.arange(len(members))
    table = np.zeros(int(ends[-1]) if len(ends) else 0)
    X, of_neurons = values.matrix, (values.column_starts, values.tokens, values.places)
    with numba_limited():
        _within((X.indptr, X.indices, X.data), of_neurons, group, place, ends - sizes**2, sizes, table)
    parts = []
    for members, size, end in zip(groups, sizes.tolist(), ends.tolist()):
        S = table[end - size**2 : end].reshape(size, size)
        S /= values.n_tokens
        mean = values.mean[members]
        S -= np.triu(np.multiply.outer(mean, mean), 1)
        S += S.T.copy()
        np.fill_diagonal(S, 1.0)
        parts.append(Part.of(members, np.clip(S, -1.0, 1.0, out=S)))
    return parts


def _empty(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.empty(length, np.int32), np.empty(length, np.int32), np.empty(length)


@njit(parallel=True, cache=True)
def _correlations(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray],
    of_neurons: tuple[np.ndarray, np.ndarray, np.ndarray],
    first: int,
    mean: np.ndarray,
    count: float,
    threshold: float,
    out: np.ndarray,
    above: np.ndarray,
) -> None:
    """Correlations of rows ``first`` … with all later neurons, into ``out (R, p)``, and how many are above the threshold."""
    starts, columns, data = entries
    column_starts, tokens, places = of_neurons
    p = out.shape[1]
    for r in prange(len(out)):
        i = first + r
        row = out[r]
        row[:] = 0.0
        for k in range(column_starts[i], column_starts[i + 1]):
            place = places[k]
            x = np.float64(data[place])
            for q in range(place + 1, starts[tokens[k] + 1]):
                row[columns[q]] += x * data[q]
        hits = 0
        for j in range(i + 1, p):
            row[j] = row[j] / count - mean[i] * mean[j]
            hits += abs(row[j]) > threshold
        above[r] = hits


@njit(parallel=True, cache=True)
def _kept(
    tile: np.ndarray,
    first: int,
    threshold: float,
    begins: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    values: np.ndarray,
) -> None:
    for r in prange(len(tile)):
        k = begins[r]
        for j in range(first + r + 1, tile.shape[1]):
            if abs(tile[r, j]) > threshold:
                rows[k], cols[k], values[k] = first + r, j, tile[r, j]
                k += 1


@njit(parallel=True, cache=True)
def _within(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray],
    of_neurons: tuple[np.ndarray, np.ndarray, np.ndarray],
    group: np.ndarray,
    place_of: np.ndarray,
    begins: np.ndarray,
    sizes: np.ndarray,
    out: np.ndarray,
) -> None:
    """Sums of products above the diagonal of each group's matrix, which stand one after the other in ``out``."""
    starts, columns, data = entries
    column_starts, tokens, places = of_neurons
    for i in prange(len(group)):
        own = group[i]
        if own >= 0:
            begin = begins[own] + place_of[i] * sizes[own]
            for k in range(column_starts[i], column_starts[i + 1]):
                place = places[k]
                x = np.float64(data[place])
                for q in range(place + 1, starts[tokens[k] + 1]):
                    j = columns[q]
                    if group[j] == own:
                        out[begin + place_of[j]] += x * data[q]
