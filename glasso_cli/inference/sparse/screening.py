"""Which pairs of many sparse neurons are correlated, and the correlations within groups of them.

All p (p - 1) / 2 correlations are computed, a row and a panel of columns at a time, and only those above a threshold are kept. Products come
from the tokens at which both neurons are not zero (Gustavson, 1978). What is subtracted for the means is there for every
pair: two neurons that are often active and never together are correlated too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numba import njit, prange

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.sparse.finished import Arrays, Finished, made
from glasso_cli.inference.sparse.values import SparseValues, reached
from glasso_cli.solvers.components import connected
from glasso_cli.solvers.parts import Part
from glasso_cli.solvers.screening import members_of

_PANEL = 16_384  # columns whose sums stay in a core's cache
_SHARES = 16  # rows are dealt out to so many threads at most
_ROOM = 2**16  # strong pairs of a panel and a share, until there are more


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

    def above(self, alpha: float) -> int:
        """How many pairs are correlated above ``alpha``, which is at least ``threshold``."""
        return int(np.count_nonzero(np.abs(self.values) > alpha))

    def largest(self, alpha: float) -> int:
        """How many neurons the largest component at ``alpha`` has."""
        return int(np.bincount(self.labels(alpha), minlength=1).max())

    def alpha_for(self, most: int) -> float:
        """An alpha, in two digits, at which no component has more than ``most`` neurons."""
        high = float(np.abs(self.values).max(initial=self.threshold))
        low = max(self.threshold, 1e-3 * high)
        for _ in range(12):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if self.largest(middle) <= most else (middle, high)
        digits = 10.0 ** (np.floor(np.log10(high)) - 1)
        return float(f"{np.ceil(high / digits) * digits:.2g}")


def strong_pairs(values: SparseValues, threshold: float, most: int, finished: Finished = made) -> StrongPairs | None:
    """The pairs above ``threshold``, of standardised ``values``; None if there are more than ``most``.

    Every panel of columns is a part that ``finished`` may have.
    """
    panels: list[Arrays] = []
    left = most
    try:
        for first in range(0, values.n_neurons, _PANEL):
            make = partial(_strong_in_panel, values, threshold, first, left)
            panels.append(finished(f"pairs above {threshold!r} from {first}", make))
            left -= len(panels[-1]["rows"])
    except _TooManyError:
        return None
    rows, cols, sizes = (np.concatenate([panel[name] for panel in panels]) for name in ("rows", "cols", "values"))
    order = np.lexsort((cols, rows))
    return StrongPairs(threshold, values.n_neurons, rows[order], cols[order], sizes[order])


class _TooManyError(Exception):
    """There are more strong pairs than may be kept."""


def _strong_in_panel(values: SparseValues, threshold: float, first: int, most: int) -> Arrays:
    """The strong pairs whose later neuron is among ``_PANEL`` from ``first`` on, in any order."""
    X, of_neurons = values.matrix, (values.column_starts, values.tokens, values.places)
    last = min(values.n_neurons, first + _PANEL)
    room = _ROOM
    with numba_limited():
        begins, ends = reached(X.indptr, X.indices, first), reached(X.indptr, X.indices, last)
        while True:
            pairs, counts = np.empty((_SHARES, room, 3)), np.zeros(_SHARES, dtype=np.int64)
            _above(
                (X.indices, X.data, begins, ends), of_neurons, values.mean, values.n_tokens, threshold, first, last,
                pairs, counts,
            )  # fmt: skip
            if counts.sum() > most:
                raise _TooManyError
            if counts.max() <= room:
                break
            room = int(counts.max())
    table = np.concatenate([part[:count] for part, count in zip(pairs, counts.tolist())])
    rows, cols = (table[:, k].astype(np.int32) for k in (0, 1))
    return {"rows": rows, "cols": cols, "values": table[:, 2].copy()}


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


@njit(parallel=True, cache=True)
def _above(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    of_neurons: tuple[np.ndarray, np.ndarray, np.ndarray],
    mean: np.ndarray,
    count: float,
    threshold: float,
    first: int,
    last: int,
    pairs: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Pairs of all rows with the later columns ``first`` … ``last``: how many, and those for which there is room."""
    columns, data, begins, ends = entries
    column_starts, tokens, places = of_neurons
    for part in prange(len(counts)):
        row = np.empty(last - first)
        found = 0
        for i in range(part, last, len(counts)):
            start = max(first, i + 1)
            row[start - first :] = 0.0
            for k in range(column_starts[i], column_starts[i + 1]):
                place = places[k]
                x = np.float64(data[place])
                for q in range(max(begins[tokens[k]], place + 1), ends[tokens[k]]):
                    row[columns[q] - first] += x * data[q]
            own, hits = mean[i], 0
            for j in range(start, last):
                row[j - first] = row[j - first] / count - own * mean[j]
                hits += abs(row[j - first]) > threshold
            if hits == 0:
                continue
            for j in range(start, last):
                r = row[j - first]
                if abs(r) > threshold:
                    if found < pairs.shape[1]:
                        pairs[part, found, 0], pairs[part, found, 1], pairs[part, found, 2] = i, j, r
                    found += 1
        counts[part] = found


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
