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
from functools import partial

import numpy as np

from glasso_cli.console import Advance
from glasso_cli.engine.shares import end_of_share
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.linalg.precision import to_partial_correlations
from glasso_cli.pipeline.units import Pieces, PieceUnit

Fit = Callable[[np.ndarray], np.ndarray]  # a correlation (p, p) to a precision (p, p)
_ROWS = 256
_PARTS = 16  # into which the divisions are divided, whatever the number of processes


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


def permuted(both: PooledCorpora, count: int, seed: int, pieces: Pieces, label: str) -> Permuted:
    """What ``count`` random divisions of the blocks give, which ``seed`` determines; parts of them are kept in ``pieces``.

    Raises :class:`ShareDone` where other processes make parts too, and this one does not merge.
    """
    random = np.random.default_rng([seed, 0x9E27])
    divisions = [random.permutation(both.first) for _ in range(count)]
    size = -(-count // _PARTS)
    parts = {first: divisions[first : first + size] for first in range(0, count, size)}

    def units(what: str, make: Callable[[list[np.ndarray], Advance], dict[str, np.ndarray]]) -> list[PieceUnit]:
        return [
            PieceUnit(
                f"{what}-{first:06d}",
                f"{what} of divisions {first + 1} to {first + len(some)}",
                len(some),
                partial(make, some),
            )
            for first, some in parts.items()
        ]

    def squares_of(some: list[np.ndarray], advance: Advance) -> dict[str, np.ndarray]:
        sums = np.zeros_like(both.theta)
        for division in some:
            difference = both.difference(division)
            difference *= difference
            sums += difference
            advance(1)
        return {"sums": sums}

    observed = both.difference(both.first)
    summed = units("squares", squares_of)
    pieces.make(summed, label, "divisions")
    squares = observed**2
    for unit in summed:
        squares += pieces.read(unit.file)["sums"]
    deviation = np.sqrt(squares / (count + 1))
    deviation[deviation == 0] = np.inf

    def largest_of(some: list[np.ndarray], advance: Advance) -> dict[str, np.ndarray]:
        found = np.empty(len(some))
        for place, division in enumerate(some):
            found[place] = _largest(both.difference(division), deviation)
            advance(1)
        return {"largest": found}

    compared = units("largest", largest_of)
    pieces.make(compared, label, "divisions")
    end_of_share()
    largest = np.concatenate([pieces.read(unit.file)["largest"] for unit in compared])
    n = int(np.count_nonzero(both.first))
    return Permuted(observed, deviation, largest, smallest_p(n, len(both.first) - n, count))


@dataclass(frozen=True, eq=False)
class Permuted:
    """The differences that there are, their deviations over divisions of the blocks, and the largest one of each division."""

    observed: np.ndarray  # (p, p)
    deviation: np.ndarray  # (p, p)
    largest: np.ndarray  # (count,) in units of the deviation of the pair
    smallest: float  # the least p-value that there can be

    def tests(self, rows: np.ndarray, cols: np.ndarray) -> PermutationResult:
        """The p-values of pairs ``rows (m,)`` < ``cols (m,)``."""
        sizes = np.abs(self.observed[rows, cols]) / self.deviation[rows, cols]
        count = len(self.largest)
        above = (self.largest[None] >= sizes[:, None]).sum(axis=1)
        whole = (1 + np.count_nonzero(self.largest >= _largest(self.observed, self.deviation))) / (count + 1)
        return PermutationResult((1 + above) / (count + 1), float(whole), self.smallest, count)


def _largest(difference: np.ndarray, deviation: np.ndarray) -> float:
    """The largest of all pairs in units of its deviation."""
    best = 0.0
    for start in range(0, len(difference), _ROWS):
        part = np.abs(difference[start : start + _ROWS])
        part /= deviation[start : start + _ROWS]
        best = max(best, float(part.max(initial=0.0)))
    return best
