"""Whether a ranking of neurons would come out of fewer documents: the correlation-stability coefficient.

It is the largest share of the documents that can be dropped so that, in 95 % of the subsets, the scores still correlate by
more than 0.7 with those of all documents (Epskamp, Borsboom and Fried 2018). Blocks of documents are dropped, never tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.stats import rankdata

from glasso_cli.inference.blocks import Blocks

DROPPED = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)  # shares of the blocks
SUBSETS = 100
CORRELATION = 0.7  # that a subset must exceed
SHARE = 0.95  # of the subsets that must

Scores = Mapping[str, np.ndarray]  # name → (p,)


@dataclass(frozen=True, eq=False)
class Level:
    """What was found with one number of blocks dropped."""

    dropped: float  # share of the blocks
    n_effective: float  # effective tokens that are left, in the smallest subset
    subsets: int  # 0 where the level was refused: fewer effective tokens are left than there are neurons
    pearson: dict[str, np.ndarray]  # of each score: correlation with that of all documents (subsets,)
    spearman: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Stability:
    """Correlations of the scores of subsets of the documents with those of all, level by level."""

    levels: tuple[Level, ...]

    def coefficient(self, name: str, *, ranks: bool = False) -> float:
        """The correlation-stability coefficient of one score, of its ranks (Spearman) or its values (Pearson).

        0 where no level passes, nan where all levels were refused or the score is the same for all neurons. Every smaller
        level has to pass as well.
        """
        judged = [level for level in self.levels if level.subsets]
        found = [(level.spearman if ranks else level.pearson)[name] for level in judged]
        if not judged or np.isnan(found[0]).all():
            return float("nan")
        largest = 0.0
        for level, correlations in zip(judged, found):
            if np.mean(correlations > CORRELATION) < SHARE:
                break
            largest = level.dropped
        return largest


@dataclass(frozen=True)
class Dropped:
    """Subsets of the blocks with one number of blocks dropped; none where too few effective tokens are left."""

    dropped: float  # share of the blocks
    n_effective: float  # effective tokens that are left, in the smallest subset
    kept: tuple[tuple[int, ...], ...]


def subsets_of(
    blocks: Blocks, n_effective: float, *, dropped: tuple[float, ...] = DROPPED, subsets: int = SUBSETS, seed: int = 0
) -> list[Dropped]:
    """The subsets that the stability is measured on; ``n_effective`` is that of all tokens."""
    random = np.random.default_rng([seed, 0x57AB])
    filled, p = blocks.filled, len(blocks.neurons)
    levels = []
    for drop in sorted({round(share * len(filled)) for share in dropped}):
        kept = kept_blocks(filled, len(filled) - drop, subsets, random)
        worth = n_effective * min(float(blocks.counts[list(part)].sum()) for part in kept) / blocks.n_tokens
        levels.append(Dropped(drop / len(filled), worth, tuple(kept) if worth >= p else ()))
    return levels


def stability(levels: Sequence[Dropped], reference: Scores, scored: Callable[[tuple[int, ...]], Scores]) -> Stability:
    """The correlations of ``reference``, the scores of all documents, with those of subsets; ``scored`` gives these for some blocks."""
    ranks = {name: rankdata(whole) for name, whole in reference.items()}
    found = []
    for level in levels:
        pearson, spearman = ({name: np.empty(len(level.kept)) for name in reference if level.kept} for _ in range(2))
        for place, part in enumerate(level.kept):
            scores = scored(part)
            for name, whole in reference.items():
                pearson[name][place] = correlation(whole, scores[name])
                spearman[name][place] = correlation(ranks[name], rankdata(scores[name]))
        found.append(Level(level.dropped, level.n_effective, len(level.kept), pearson, spearman))
    return Stability(tuple(found))


def kept_blocks(filled: np.ndarray, keep: int, most: int, random: np.random.Generator) -> list[tuple[int, ...]]:
    """Subsets of ``keep`` of the blocks: all where there are at most ``most``, else so many, each drawn at random."""
    if comb(len(filled), keep) <= most:
        return [tuple(part) for part in combinations(filled.tolist(), keep)]
    return [tuple(sorted(random.choice(filled, keep, replace=False).tolist())) for _ in range(most)]


def correlation(whole: np.ndarray, part: np.ndarray) -> float:
    """Pearson's correlation of two scores ``(p,)``: nan where ``whole`` is constant, 0 where ``part`` alone is."""
    one, other = (values - values.mean() for values in (whole, part))
    scales = [float(np.sqrt(values @ values)) for values in (one, other)]
    least = [1e-12 * max(1.0, float(np.abs(values).max())) * np.sqrt(len(values)) for values in (whole, part)]
    if scales[0] <= least[0]:
        return float("nan")
    if scales[1] <= least[1]:
        return 0.0
    return float(one @ other / (scales[0] * scales[1]))
