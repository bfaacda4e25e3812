"""Errors of any statistic over documents: the delete-one-block jackknife, for blocks of unequal size.

The estimator is that of Busing, Meijer and van der Leeden (1999). What is left out once and for all, such as which pairs are
edges and which neurons form a community, is held: the error does not know that other documents would give another graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glasso_cli.inference.jackknife import PseudoValues


def jackknife_error(
    whole: np.ndarray, without: np.ndarray | Sequence[np.ndarray], shares: np.ndarray, left: float = 1.0
) -> np.ndarray:
    """The standard error of a statistic ``whole (…)``.

    ``without`` holds it without each of B blocks, which have ``shares (B,)`` of the tokens. ``left`` is 1 - p / n for a
    statistic that is fitted without a penalty to p neurons on n effective tokens, and 1 for others: a left-out block
    deviates from such a fit by 1 / left too much (docs/inference.md).
    """
    sums = PseudoValues(*np.shape(whole))
    for one, share in zip(without, shares.tolist(), strict=True):
        sums.add((whole - one) * (1 / share - 1), share)
    return np.asarray(np.sqrt(np.maximum(sums.variance(), 0.0) * left))
