"""How well a ranking finds the true pairs. Pairs of one score are in random order: every number is the exact mean over it.

That makes scores that are mostly zero comparable with others, and a constant score gives what chance gives (McSherry and Najork,
"Computing information retrieval performance measures efficiently in the presence of tied scores", 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import digamma


@dataclass(frozen=True, eq=False)
class Hits:
    """The G groups of tied pairs that hold a true one, from the largest score on: of one ranking, or of several rows.

    ``before`` are the pairs ranked above a group, ``size`` its pairs, ``true`` the true ones among them, and ``above`` the true
    ones ranked above it, all ``(G,)``. ``row (G,)`` says which of ``rows`` rankings a group belongs to.
    """

    before: np.ndarray
    size: np.ndarray
    true: np.ndarray
    above: np.ndarray
    row: np.ndarray
    rows: int

    @classmethod
    def of(cls, before: np.ndarray, size: np.ndarray, true: np.ndarray, row: np.ndarray, rows: int) -> Hits:
        """The groups in the order of their rows, and in each row from the largest score on."""
        above = np.cumsum(true) - true
        in_row = np.bincount(row, true, minlength=rows)
        return cls(before, size, true, above - (np.cumsum(in_row) - in_row)[row], row, rows)

    def average_precision(self) -> np.ndarray:
        """The mean over the true pairs of the precision down to each, ``(rows,)``; nan for a row without one."""
        between = np.where(self.size > 1, (self.true - 1) / np.maximum(self.size - 1, 1), 0.0)
        harmonic = _harmonic(self.before, self.before + self.size)
        # sum over places i = 1 … n in a group of (above + 1 + (i - 1) between) / (before + i)
        places = (self.above + 1 - between * (self.before + 1)) * harmonic + between * self.size
        return self._mean(self.true / self.size * places)

    def precision_at(self, k: int) -> np.ndarray:
        """The share of true pairs among the ``k`` with the largest scores, ``(rows,)``; nan for a row without a true pair."""
        found = self.true * np.clip((k - self.before) / self.size, 0.0, 1.0)
        total = np.bincount(self.row, self.true, minlength=self.rows)
        return np.where(total > 0, np.bincount(self.row, found, minlength=self.rows) / k, np.nan)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        total = np.bincount(self.row, self.true, minlength=self.rows)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.bincount(self.row, values, minlength=self.rows) / np.where(total > 0, total, np.nan))


def _harmonic(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The sums of 1 / i over i = first + 1 … last, for integers ``(G,)``."""
    most = int(last.max(initial=0))
    table = _digamma(1 << most.bit_length())
    return np.asarray(table[last] - table[first])


@lru_cache(maxsize=32)  # counts are powers of two
def _digamma(count: int) -> np.ndarray:
    """The digamma function at 1 … ``count``."""
    return np.asarray(digamma(np.arange(1, count + 1)))


class Ranking:
    """The S x T pairs of a score, the largest absolute value first."""

    def __init__(self, score: np.ndarray) -> None:
        size = np.abs(score).ravel()
        order = np.argsort(-size)  # ties in any order: only the bounds of their groups are used
        is_first = _first_of_groups(size[order])
        self._sources = (order // score.shape[1]).astype(np.int32)
        self._starts = np.append(np.flatnonzero(is_first), len(order)).astype(np.int32)
        self._group = np.empty(len(order), np.int32)
        self._group[order] = np.cumsum(is_first, dtype=np.int32) - 1
        self._width = score.shape[1]

    def counting(self, weights: np.ndarray) -> Weighted:
        """The same ranking where every source counts ``weights (S,)`` times."""
        above = np.zeros(len(self._sources) + 1, np.int64)
        np.cumsum(weights[self._sources], out=above[1:])
        return Weighted(self._group, self._starts, above, weights, self._width)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A ranking of S x T pairs in which every source counts several times, or never."""

    _group: np.ndarray  # (S T,) of tied pairs, from the largest score on
    _starts: np.ndarray  # (G + 1,) where each group begins, and where the last one ends
    _above: np.ndarray  # (S T + 1,) how many pairs are ranked above each place
    _weights: np.ndarray  # (S,)
    _width: int

    def hits(self, true: np.ndarray) -> Hits:
        """The groups with a pair among ``true``, indices into the flat score."""
        times = self._weights[true // self._width]
        counted = times > 0
        # one number for each pair, so that a plain sort brings the pairs of a group together: its group, then its weight
        pairs = np.sort(self._group[true[counted]].astype(np.int64) << 32 | times[counted])
        groups = pairs >> 32
        first = np.flatnonzero(_first_of_groups(groups))
        found = groups[first]
        counts = np.add.reduceat(pairs & 0xFFFFFFFF, first).astype(float) if len(first) else np.zeros(0)
        before, after = self._above[self._starts[found]], self._above[self._starts[found + 1]]
        return Hits.of(before, after - before, counts, np.zeros(len(found), np.int64), 1)


class RowRankings:
    """The T pairs of each of S sources by themselves, the largest absolute value first."""

    def __init__(self, score: np.ndarray) -> None:
        size = np.abs(score)
        order = np.argsort(-size, axis=1)
        is_first = _first_of_groups(np.take_along_axis(size, order, axis=1))
        place = np.arange(score.shape[1], dtype=np.int32)
        self._before = np.empty(size.shape, np.int32)
        before = np.maximum.accumulate(np.where(is_first, place, 0), axis=1, dtype=np.int32)
        np.put_along_axis(self._before, order, before, axis=1)
        starts = np.flatnonzero(is_first)
        self._size = np.zeros(
            size.size, np.int32
        )  # of the group that begins at each place of each row, one row after the other
        self._size[starts] = np.diff(starts, append=size.size)

    def hits(self, true: np.ndarray) -> Hits:
        """The groups of every row with a pair among ``true``, indices into the flat score."""
        rows, width = self._before.shape
        column = true % width
        places = np.sort((true - column + self._before.ravel()[true]).astype(np.int32))
        first = np.flatnonzero(_first_of_groups(places))
        found, counts = places[first], np.diff(first, append=len(places))
        return Hits.of(found % width, self._size[found], counts, found // width, rows)


def _first_of_groups(ordered: np.ndarray) -> np.ndarray:
    """Whether each value differs from the one before it, along the last axis of sorted values; the first one does."""
    first = np.ones(ordered.shape, bool)
    np.not_equal(ordered[..., 1:], ordered[..., :-1], out=first[..., 1:])
    return first


def average_precision(score: np.ndarray, true: np.ndarray) -> float:
    """The average precision of ``score (S, T)``, by absolute value, for the pairs in ``true (S, T)`` bool; nan without one."""
    ranking = Ranking(score).counting(np.ones(len(score), np.int64))
    return float(ranking.hits(np.flatnonzero(true)).average_precision()[0])
