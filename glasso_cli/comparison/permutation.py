"""Is the largest difference between two corpora larger than chance makes it? Documents change sides, and it is seen.

If corpora did not matter, any division of all blocks of documents into two groups as large would do as well as the one that
there is. Theta, of both corpora together, is held: the precision of a group is T = 2 Theta - Theta S Theta, whose S is a sum
of blocks. The difference of each pair is taken in units of its own standard deviation over the divisions, and the largest of
all pairs in one division is compared with each pair (max-T: Westfall and Young, 1993). So a pair with a p-value up to 0.05
is a false one with that chance at most, over *all* pairs, whatever the tails of the values and however tokens depend on each
other inside a block. The test assumes that the corpora are otherwise exchangeable. If they differ everywhere,
permutations cannot isolate one pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.linalg.precision import to_partial_correlations

Fit = Callable[[np.ndarray], np.ndarray]  # a correlation (p, p) to a precision (p, p)
_ROWS = 256


@dataclass(frozen=True, eq=False)
class PermutationResult:
    """The pairs asked for against the largest difference of all pairs under ``count`` divisions of the documents."""

    p: np.ndarray  # (m,) adjusted for all pairs
    whole: float  # of the largest difference of all: that the corpora are alike
    smallest: float  # the least p-value that there can be
    count: int


@dataclass(frozen=True, eq=False)
class PooledCorpora:
    """All blocks of two corpora through one Theta of both: moments of y = Theta z, z standardised over all tokens."""

    theta: np.ndarray  # (p, p)
    counts: np.ndarray  # (B,) tokens
    means: np.ndarray  # (B, p) of y
    seconds: np.ndarray  # (B, p, p) float32, of y about the mean of all
    first: np.ndarray  # (B,) bool, of the first corpus

    def difference(self, group: np.ndarray) -> np.ndarray:
        """Partial correlations ``(p, p)`` of the blocks not in ``group (B,)`` less those in it."""
        weights = np.stack([np.where(side, self.counts, 0) for side in (group, ~group)]).astype(np.float64)
        weights /= weights.sum(axis=1, keepdims=True)
        sums = weights.astype(np.float32) @ self.seconds.reshape(len(self.seconds), -1)  # both groups in one pass
        inside, outside = (
            self._partial(each.reshape(self.theta.shape), mean) for each, mean in zip(sums, weights @ self.means)
        )
        outside -= inside
        return outside

    def _partial(self, second: np.ndarray, mean: np.ndarray) -> np.ndarray:
        T = second.astype(np.float64)
        T -= np.multiply.outer(mean, mean)
        np.subtract(2 * self.theta, T, out=T)
        return to_partial_correlations(T)


def pool(first: Blocks, second: Blocks, centres: tuple[np.ndarray, np.ndarray], fit: Fit) -> PooledCorpora:
    """Both corpora together; ``centres (p,)`` are what the values of each are about, ``fit`` makes a Theta of their S."""
    corpora = (first, second)
    counts = np.concatenate([blocks.counts[blocks.filled] for blocks in corpora])
    mine = [centre + blocks.mean for centre, blocks in zip(centres, corpora)]
    tokens = [blocks.n_tokens for blocks in corpora]
    middle = (mine[0] * tokens[0] + mine[1] * tokens[1]) / sum(tokens)
    apart = [own - middle for own in mine]

    def every() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for blocks, d in zip(corpora, apart):
            for block in blocks.filled.tolist():
                mean, moments = blocks.about_the_mean(block, np.float64)
                moments += np.multiply.outer(mean + d, d)
                moments += np.multiply.outer(d, mean)
                yield mean + d, moments

    S = np.zeros((len(middle), len(middle)))
    for share, (_, moments) in zip(counts / counts.sum(), every()):
        moments *= share
        S += moments
    scale = 1 / np.sqrt(S.diagonal())
    S *= np.multiply.outer(scale, scale)
    theta = fit(S)
    onto = (theta * scale).astype(np.float32)
    means, seconds = [], []
    for mean, moments in every():
        means.append(onto @ mean)
        seconds.append(onto @ moments.astype(np.float32) @ onto.T)
    sides = np.repeat([True, False], [len(blocks.filled) for blocks in corpora])
    return PooledCorpora(theta, counts, np.stack(means).astype(np.float64), np.stack(seconds), sides)


def smallest_p(first: int, second: int, count: int) -> float:
    """The least p-value that ``count`` divisions of the blocks can give."""
    return 1 / min(count + 1, math.comb(first + second, first))


def check_permutations(first: int, second: int, count: int, rate: float) -> None:
    """Raise :class:`InputError` where no p-value can be as small as ``rate``."""
    least = smallest_p(first, second, count)
    if least > rate:
        raise InputError(
            f"{count} divisions of {first} + {second} blocks of documents give no p-value below {least:.2g}, and {rate:g} is "
            "asked for.",
            f"Set compare.permutations to {math.ceil(1 / rate)} or more, and collect.blocks higher if there are few.",
        )


def permutation_tests(
    both: PooledCorpora,
    rows: np.ndarray,
    cols: np.ndarray,
    count: int,
    seed: int,
    advance: Callable[[float], None] = lambda amount: None,
) -> PermutationResult:
    """Test pairs ``rows (m,)`` < ``cols (m,)`` against ``count`` random divisions, which ``seed`` determines; ``advance`` counts twice as many."""
    random = np.random.default_rng([seed, 0x9E27])
    divisions = [random.permutation(both.first) for _ in range(count)]
    observed = both.difference(both.first)
    squares = observed**2
    for division in divisions:
        difference = both.difference(division)
        difference *= difference
        squares += difference
        advance(1)
    deviation = np.sqrt(squares / (count + 1))
    deviation[deviation == 0] = np.inf
    largest = np.empty(count)
    for done, division in enumerate(divisions):
        difference = both.difference(division)
        largest[done] = _largest(difference, deviation)
        advance(1)
    sizes = np.abs(observed[rows, cols]) / deviation[rows, cols]
    above = (largest[None] >= sizes[:, None]).sum(axis=1)
    whole = (1 + np.count_nonzero(largest >= _largest(observed, deviation))) / (count + 1)
    n = int(np.count_nonzero(both.first))
    return PermutationResult((1 + above) / (count + 1), float(whole), smallest_p(n, len(both.first) - n, count), count)


def _largest(difference: np.ndarray, deviation: np.ndarray) -> float:
    """The largest of all pairs in units of its deviation."""
    best = 0.0
    for start in range(0, len(difference), _ROWS):
        part = np.abs(difference[start : start + _ROWS])
        part /= deviation[start : start + _ROWS]
        best = max(best, float(part.max(initial=0.0)))
    return best
