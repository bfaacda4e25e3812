"""Resampling: which blocks of documents a sample holds, and how often an edge comes back in samples.

Documents are drawn, never tokens: tokens of one document depend on each other. Edges of a graph are given as increasing
numbers, one per pair and sign, ``(E,)``.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def frequencies(edges: np.ndarray, samples: Sequence[np.ndarray]) -> np.ndarray:
    """The share of ``samples`` that hold each of ``edges (E,)``; nan if there are no samples."""
    if not samples:
        return np.full(len(edges), np.nan)
    distinct, counts = np.unique(np.concatenate(samples), return_counts=True)
    if len(distinct) == 0:
        return np.zeros(len(edges))
    place = np.minimum(np.searchsorted(distinct, edges), len(distinct) - 1)
    return np.where(distinct[place] == edges, counts[place], 0) / len(samples)


def replication(samples: Sequence[np.ndarray]) -> float:
    """The share of the edges of one half that the complementary half has too, over all pairs of halves.

    Samples 2k and 2k + 1 are complementary. nan where no half has an edge.
    """
    both = sum(len(np.intersect1d(a, b, assume_unique=True)) for a, b in zip(samples[::2], samples[1::2], strict=True))
    each = sum(len(sample) for sample in samples)
    return 2 * both / each if each else float("nan")


def instability(samples: Sequence[np.ndarray], pairs: int) -> float:
    """StARS: the mean over all pairs of 2 f (1 - f), f being the share of samples with that edge (Liu et al., 2010).

    Of two samples it is the share of pairs on which they differ, which estimates the same without bias.
    """
    n = len(samples)
    if n == 0 or pairs == 0:
        return float("nan")
    _, counts = np.unique(np.concatenate(samples), return_counts=True)
    share = counts / n
    unbiased = n / (n - 1) if n > 1 else 1.0
    return float((2 * share * (1 - share)).sum() * unbiased / pairs)
