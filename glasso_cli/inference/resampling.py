"""Which blocks of documents a resample holds: half-samples in complementary pairs, folds, bootstrap samples.

Documents are drawn, never tokens: tokens of one document depend on each other.
"""

from __future__ import annotations

import numpy as np

from glasso_cli.errors import InputError


def half_samples(blocks: np.ndarray, count: int, seed: int) -> list[tuple[int, ...]]:
    """``count`` halves of ``blocks``: 2k and 2k + 1 have none in common, and all of them together.

    Of an odd number of blocks one half has one more. (Complementary pairs: Shah and Samworth, 2013.)
    """
    if count < 0 or count % 2:
        raise InputError(f"{count} half-samples are not pairs of complementary halves.", "Give an even number.")
    random = np.random.default_rng([seed, 0x5A1F])
    halves = []
    for _ in range(count // 2):
        order = random.permutation(blocks)
        halves += [order[: len(order) // 2], order[len(order) // 2 :]]
    return [tuple(sorted(half.tolist())) for half in halves]


def folds(blocks: np.ndarray, count: int) -> list[tuple[int, ...]]:
    """``blocks`` dealt out to ``count`` folds, or to as many as there are blocks."""
    count = min(count, len(blocks))
    return [tuple(blocks[index::count].tolist()) for index in range(count)]


def bootstrap_samples(blocks: np.ndarray, count: int, seed: int) -> list[tuple[int, ...]]:
    """``count`` samples of as many blocks as there are, drawn with replacement."""
    random = np.random.default_rng([seed, 0xB007])
    return [tuple(sorted(random.choice(blocks, len(blocks)).tolist())) for _ in range(count)]
