"""How well a ranking finds the true pairs. Pairs of one score are in random order: every number is the exact mean over it.

That makes scores that are mostly zero comparable with others, and a constant score gives what chance gives (McSherry and Najork,
"Computing information retrieval performance measures efficiently in the presence of tied scores", 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

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
        harmonic = digamma(self.before + self.size + 1) - digamma(self.before + 1)
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


class Ranking:
    """The S x T pairs of a score, the largest absolute value first."""

    def __init__(self, score: np.ndarray) -> None:
        size = np.abs(score).ravel()
        order = np.argsort(-size, kind="stable")
        ordered = size[order]
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._sources = (order // score.shape[1]).astype(np.int32)
        self._starts = first
        self._group = np.empty(len(order), np.int32)
        self._group[order] = np.repeat(np.arange(len(first)), np.diff([*first, len(order)]))
        self._width = score.shape[1]

    def counting(self, weights: np.ndarray) -> Weighted:
        """The same ranking where every source counts ``weights (S,)`` times."""
        ends = np.concatenate([[0], np.cumsum(weights[self._sources])])
        return Weighted(self._group, ends[np.append(self._starts, len(self._sources))], weights, self._width)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A ranking of S x T pairs in which every source counts several times, or never."""

    _group: np.ndarray  # (S T,) of tied pairs, from the largest score on
    _bounds: np.ndarray  # (G + 1,) how many pairs are ranked above each group
    _weights: np.ndarray  # (S,)
    _width: int

    def hits(self, true: np.ndarray) -> Hits:
        """The groups with a pair among ``true``, indices into the flat score."""
        times = self._weights[true // self._width]
        found, place = np.unique(self._group[true], return_inverse=True)
        counts = np.bincount(place, times, minlength=len(found))
        found, counts = found[counts > 0], counts[counts > 0]
        before, after = self._bounds[found], self._bounds[found + 1]
        return Hits.of(before, after - before, counts, np.zeros(len(found), np.int64), 1)


class RowRankings:
    """The T pairs of each of S sources by themselves, the largest absolute value first."""

    def __init__(self, score: np.ndarray) -> None:
        size = np.abs(score)
        ordered = np.sort(size, axis=1)[:, ::-1]
        self._before = np.empty(size.shape, np.int64)
        self._size = np.empty(size.shape, np.int64)
        for row, (values, whole) in enumerate(zip(ordered, size)):
            self._before[row] = np.searchsorted(-values, -whole, side="left")
            self._size[row] = np.searchsorted(-values, -whole, side="right") - self._before[row]

    def hits(self, true: np.ndarray) -> Hits:
        """The groups of every row with a pair among ``true``, indices into the flat score."""
        rows, width = self._before.shape
        before = self._before.ravel()[true]
        key, first, counts = np.unique(true // width * width + before, return_index=True, return_counts=True)
        return Hits.of(key % width, self._size.ravel()[true][first], counts, key // width, rows)


def average_precision(score: np.ndarray, true: np.ndarray) -> float:
    """The average precision of ``score (S, T)``, by absolute value, for the pairs in ``true (S, T)`` bool; nan without one."""
    ranking = Ranking(score).counting(np.ones(len(score), np.int64))
    return float(ranking.hits(np.flatnonzero(true)).average_precision()[0])
