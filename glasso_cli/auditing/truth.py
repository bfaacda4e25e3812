"""Which pairs are true: those with the strongest effects, or with effects of more than a least size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["strongest", "beyond"]
_STRIDE = 16  # of the pairs from which the least size of the strongest ones is guessed


@dataclass(frozen=True)
class Truth:
    """One question: the ``statistic`` (mean or rms) of the effects of one ``change``, and which of them count as true.

    ``strongest`` takes the share ``level`` of all pairs, and ``beyond`` those that are larger than ``level``.
    """

    change: str
    statistic: str
    rule: Rule
    level: float

    def of(self, effects: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """The true pairs among ``effects (S, T)``, as indices into the flat array; every source counts ``weights (S,)`` times."""
        if self.rule == "beyond":
            return np.flatnonzero(np.abs(effects) > self.level)
        return strongest(effects, self.level, weights)

    def of_rows(self, effects: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """The same where every row is judged by itself: the strongest of each source that counts at least once."""
        drawn = np.ones(len(effects), bool) if weights is None else np.asarray(weights) > 0
        width = effects.shape[1]
        if self.rule == "beyond":
            true = self.of(effects)
            return np.asarray(true[drawn[true // width]])
        size = np.abs(effects[drawn])
        count = _count(self.level, width)
        least = np.partition(size, -count, axis=1)[:, -count, None]
        row, column = np.nonzero((size >= least) & (size > 0))
        return np.asarray(np.flatnonzero(drawn)[row] * width + column)


def strongest(effects: np.ndarray, share: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The ``share`` of pairs with the largest absolute ``effects (S, T)``, as indices into the flat array.

    At least one pair, and more where several are equal; effects of zero are never among them. Every source counts
    ``weights (S,)`` times.
    """
    width = effects.shape[1]
    weights = np.ones(len(effects), np.int64) if weights is None else weights
    size = np.abs(effects).ravel()
    count = _count(share, int(weights.sum()) * width)
    # 1. guess a size that enough pairs reach, by every 16th pair
    some = size[::_STRIDE]
    place = min(len(some), int(1.2 * share * len(some)) + 10)
    candidates = np.flatnonzero(size >= np.partition(some, -place)[-place])
    times = weights[candidates // width]
    if times.sum() < count:  # the guess was too large
        candidates, times = np.arange(size.size), np.repeat(weights, width)
    # 2. among these, the exact one
    counted = np.repeat(size[candidates], times)
    least = np.partition(counted, -count)[-count]
    return np.asarray(candidates[(size[candidates] >= least) & (size[candidates] > 0)])


def _count(share: float, pairs: int) -> int:
    return min(pairs, max(1, round(share * pairs)))
