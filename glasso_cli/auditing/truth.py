"""Which pairs are true: those with the strongest effects, or with effects of more than a least size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["strongest", "beyond"]


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

    def of_rows(self, effects: np.ndarray) -> np.ndarray:
        """The same where every row is judged by itself: the strongest of each source."""
        if self.rule == "beyond":
            return self.of(effects)
        size = np.abs(effects)
        count = _count(self.level, size.shape[1])
        least = np.partition(size, -count, axis=1)[:, -count, None]
        return np.flatnonzero((size >= least) & (size > 0))


def strongest(effects: np.ndarray, share: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The ``share`` of pairs with the largest absolute ``effects (S, T)``, as indices into the flat array.

    At least one pair, and more where several are equal; effects of zero are never among them. Every source counts
    ``weights (S,)`` times.
    """
    size = np.abs(effects)
    counted = size if weights is None else np.repeat(size, weights, axis=0)
    count = _count(share, counted.size)
    least = np.partition(counted, -count, axis=None)[-count]
    return np.flatnonzero((size >= least) & (size > 0))


def _count(share: float, pairs: int) -> int:
    return min(pairs, max(1, round(share * pairs)))
