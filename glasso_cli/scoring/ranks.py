"""How well one score of neurons ranks another, with intervals over documents and neurons, and what a random sample bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

DRAWS = 1_000  # bootstrap samples
_LEVEL = 0.95


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """The rank correlation of two scores ``(n,)``, ties averaged; nan where one of them is constant."""
    if len(first) < 2:
        return float("nan")
    ranks = [stats.rankdata(values) for values in (first, second)]
    apart = [rank - rank.mean() for rank in ranks]
    size = np.sqrt((apart[0] ** 2).sum() * (apart[1] ** 2).sum())
    return float((apart[0] * apart[1]).sum() / size) if size > 0 else float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def rank_correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray, seed: int) -> Estimate:
    """The rank correlation over n neurons of the means of two sums by document, each ``(n, D)``, with its interval.

    ``first`` can also be ``(n,)``: a score of other documents. Documents and neurons are both drawn with replacement.
    """
    rng = np.random.default_rng(seed)
    n, documents = second.shape
    drawn = []
    for _ in range(DRAWS):
        weights = rng.multinomial(documents, np.full(documents, 1 / documents))
        some = rng.integers(0, n, n)
        tokens = max(float(weights @ counts), 1.0)
        one, other = (values @ weights / tokens if values.ndim == 2 else values for values in (first, second))
        drawn.append(spearman(one[some], other[some]))
    low, high = _ends(np.array(drawn))
    whole = [values.sum(axis=1) / counts.sum() if values.ndim == 2 else values for values in (first, second)]
    return Estimate(spearman(*whole), low, high)


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def share_above(larger: int, drawn: int) -> float:
    """The upper end of the one-sided 95 % interval (Clopper and Pearson) of a share, of which ``larger`` of ``drawn`` were found."""
    return 1.0 if larger >= drawn else float(stats.beta.ppf(_LEVEL, larger + 1, drawn - larger))


def systematic(order: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` items at equal distances in ``order (n,)``, from a random start: each item is drawn with the same probability."""
    count = min(count, len(order))
    if not count:
        return order[:0]
    start = np.random.default_rng(seed).random()
    return order[((start + np.arange(count)) * len(order) / count).astype(np.int64)]
