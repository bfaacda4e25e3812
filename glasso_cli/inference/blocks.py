"""Correlations of any blocks of documents, out of the moments of each: what every resampling draws from.

Values are standardised by the mean and standard deviation of all tokens, x~ = (x - mean) / sd. ``factors (p, k)``, with
orthonormal columns, are directions taken out of them: x~ - U U' x~.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.errors import InputError
from glasso_cli.inference.factors import Factors
from glasso_cli.linalg import moments
from glasso_cli.linalg.packed import centred_upper, sum_of_blocks, symmetric_of, to_correlation, upper_without

_ROUNDING = 1e-5  # of a second moment in float32, relative
LEAST = 4  # blocks with tokens that any resampling needs


class CountedBlocks:
    """Blocks of documents by how many tokens they hold, ``counts (B,)``."""

    counts: np.ndarray

    @property
    def n_tokens(self) -> int:
        return int(self.counts.sum())

    @property
    def filled(self) -> np.ndarray:
        """Indices of the blocks that hold tokens."""
        return np.flatnonzero(self.counts > 0)

    @property
    def shares(self) -> np.ndarray:
        """Of all tokens, that each block with tokens holds, ``(B,)``."""
        return np.asarray(self.counts[self.filled] / self.n_tokens)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of what differs between blocks: one less than there are, fewer where some hold most tokens."""
        return freedom_between(self.shares)


@dataclass(frozen=True, eq=False)
class Blocks(CountedBlocks):
    """B blocks of documents, seen through p of the collected neurons."""

    counts: np.ndarray  # (B,) tokens
    sums: np.ndarray  # (B, P) of the values of all P collected neurons about their centre
    moments: np.ndarray  # (B, P(P+1)/2), packed
    neurons: np.ndarray  # (p,) indices into the collected ones
    mean: np.ndarray  # (p,) of all tokens, about the centre
    std: np.ndarray  # (p,)
    factors: np.ndarray  # (p, k) directions taken out of the standardised values
    residual_std: np.ndarray  # (p,) of what is left of them

    @classmethod
    def of(cls, counts: np.ndarray, sums: np.ndarray, packed: np.ndarray, neurons: np.ndarray) -> Blocks:
        """The blocks with nothing taken out."""
        n = int(counts.sum())
        mean = sums[:, neurons].sum(axis=0) / n
        places = moments.diagonal_places(sums.shape[1])[neurons]
        squares = np.zeros(len(neurons))
        for block in packed:
            squares += block[places]
        std = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
        return cls(counts, sums, packed, neurons, mean, std, np.zeros((len(neurons), 0)), np.ones(len(neurons)))

    def without(self, factors: Factors) -> Blocks:
        """The same with ``factors``, leading components of their correlation, taken out."""
        left = np.sqrt(1 - factors.vectors**2 @ factors.variances)
        return replace(self, factors=factors.vectors, residual_std=left)

    def part(self, blocks: np.ndarray) -> Blocks:
        """Some of the blocks by themselves, standardised by their own tokens, with nothing taken out."""
        steps = np.unique(np.diff(blocks))
        if len(steps) == 1:  # a view: nothing is copied
            rows = slice(int(blocks[0]), int(blocks[-1]) + 1, int(steps[0]))
            return Blocks.of(self.counts[rows], self.sums[rows], self.moments[rows], self.neurons)
        return Blocks.of(self.counts[blocks], self.sums[blocks], self.moments[blocks], self.neurons)

    def correlation(self, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The correlation matrix ``(p, p)`` of the tokens of ``blocks`` (all by default; repeats count again)."""
        return self._correlation_of(self._covariance(range(len(self.counts)) if blocks is None else blocks))

    def correlation_of(self, covariance: np.ndarray) -> np.ndarray:
        """The correlation matrix ``(p, p)`` of a covariance ``(P, P)`` of the collected neurons, factors taken out.

        A neuron that does not vary in the blocks of the covariance is correlated with no other.
        """
        return self._correlation_of(np.array(self._chosen(covariance)))

    def _correlation_of(self, spread: np.ndarray) -> np.ndarray:
        """Of a covariance ``(p, p)``, which is overwritten."""
        if self.factors.shape[1]:
            spread = self._reduced(spread)
        with numba_limited():
            return to_correlation(_isolated_where_constant(spread))

    def _covariance(self, blocks: Iterable[int]) -> np.ndarray:
        """The covariance ``(p, p)`` of the tokens of ``blocks``, which are added in the order of their index."""
        chosen = np.array(sorted(blocks), dtype=np.int64)
        count = int(self.counts[chosen].sum())
        if count == 0:
            raise ValueError("the blocks hold no tokens")
        mean = self.sums[chosen].sum(axis=0)[self.neurons] / count
        spread = np.empty((len(mean), len(mean)))
        with numba_limited():
            total = sum_of_blocks(self.moments, chosen)
            symmetric_of(total, self.neurons, count, mean, mean, np.zeros(len(mean)), spread)
        return spread

    def held_out(self, train: Iterable[int], test: Iterable[int]) -> np.ndarray:
        """Second moments ``(p, p)`` of the tokens of ``test``, standardised as those of ``train`` are."""
        train, test = sorted(train), sorted(test)
        unit = self._reduced(self._covariance(train))
        spread = self._covariance(test)
        apart = self._mean(test) - self._mean(train)
        spread += np.multiply.outer(apart, apart)
        spread = self._reduced(spread)
        varies = unit.diagonal() > 0
        scale = np.zeros(len(unit))
        scale[varies] = 1 / np.sqrt(unit.diagonal()[varies])
        spread *= np.multiply.outer(scale, scale)
        return _isolated_where_constant(spread)

    def _reduced(self, spread: np.ndarray) -> np.ndarray:
        """A covariance ``(p, p)`` in units of all tokens, the factors taken out; ``spread`` is overwritten."""
        spread /= np.multiply.outer(self.std, self.std)
        return taken_out(spread, self.factors) if self.factors.shape[1] else spread

    def _mean(self, blocks: list[int]) -> np.ndarray:
        return np.asarray(self.sums[blocks][:, self.neurons].sum(axis=0) / self.counts[blocks].sum())

    def projected(self, block: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``(m,)`` and second moments ``(m, m)`` of y = A z over the tokens of one block, for ``rows`` A ``(m, p)``.

        z are the standardised values with the factors taken out, scaled to unit variance over all tokens. In float32.
        """
        onto = rows / self.residual_std
        onto = (onto - (onto @ self.factors) @ self.factors.T) / self.std
        n, width = float(self.counts[block]), self.sums.shape[1]
        mean = onto @ (self.sums[block][self.neurons] / n - self.mean)
        upper = moments.upper_triangle(self.moments[block], width)
        every = np.zeros((len(rows), width), dtype=np.float32)
        every[:, self.neurons] = onto
        half = every @ upper
        half -= every * (upper.diagonal() / 2)
        second = (half @ every.T).astype(np.float64)
        second += second.T.copy()
        second /= n
        centre = onto @ self.mean  # of all tokens, which is what z is about
        second -= np.multiply.outer(mean, centre)
        second -= np.multiply.outer(centre, mean)
        second -= np.multiply.outer(centre, centre)
        return mean, second

    def onto_values(self, rows: csr_array | np.ndarray) -> csr_array | np.ndarray:
        """What ``rows`` A ``(m, p)`` of standardised values are of the collected ones of the p neurons, ``(m, p)``.

        Sparse if A is and no factors are taken out; else dense, in float32.
        """
        scale = 1 / (self.residual_std * self.std)
        if self.factors.shape[1] == 0:
            if isinstance(rows, csr_array):
                return csr_array(rows.multiply(scale[None]))
            return (rows * scale).astype(np.float32)
        dense = (rows if isinstance(rows, np.ndarray) else rows.toarray()) / self.residual_std
        return ((dense - (dense @ self.factors) @ self.factors.T) / self.std).astype(np.float32)

    def about_the_mean(self, block: int, dtype: type[np.floating]) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``(p,)`` and second moments ``(p, p)`` of the values in one block, about the mean of all tokens."""
        second = np.empty((len(self.neurons), len(self.neurons)), dtype=dtype)
        return self._into(symmetric_of, block, second), second

    def upper_about_the_mean(self, block: int, out: np.ndarray) -> np.ndarray:
        """The same mean; the upper triangle of the second moments goes into ``out (p, p)``, whose rest is left as it is."""
        return self._into(centred_upper, block, out)

    def _into(self, unpack: Callable[..., None], block: int, out: np.ndarray) -> np.ndarray:
        n = float(self.counts[block])
        own = self.sums[block][self.neurons] / n
        apart = np.asarray(own - self.mean)
        with numba_limited():
            unpack(self.moments[block], self.neurons, n, own, self.mean, apart, out)
        return apart

    def without_block(
        self, block: int, total: np.ndarray, order: np.ndarray, dtype: type[np.floating] = np.float64
    ) -> np.ndarray:
        """The covariance ``(p, p)`` of all blocks but one, upper triangle; ``total`` holds the packed moments of all.

        The neurons are in that ``order (p,)``. Nothing is standardised and no factor taken out.
        """
        count = self.n_tokens - int(self.counts[block])
        neurons = self.neurons[order]
        mean = (self.sums.sum(axis=0) - self.sums[block])[neurons] / count
        spread = np.empty((len(neurons), len(neurons)), dtype=dtype)
        with numba_limited():
            upper_without(self.moments, np.array([block]), total, neurons, float(count), mean, spread)
        return spread

    def total(self) -> np.ndarray:
        """The packed moments of all blocks, float64."""
        with numba_limited():
            return sum_of_blocks(self.moments, np.arange(len(self.counts)))

    def _chosen(self, matrix: np.ndarray) -> np.ndarray:
        if len(self.neurons) == len(matrix):  # neurons are in increasing order
            return matrix
        return np.asarray(matrix[np.ix_(self.neurons, self.neurons)])


def freedom_between(shares: np.ndarray) -> float:
    """Degrees of freedom of a variance between blocks that hold these ``shares (B,)`` of the tokens."""
    return max(1.0, 1 / float((shares**2).sum()) - 1)


def taken_out(matrix: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """P M P ``(p, p)`` for the symmetric M and P = I - U U', of ``factors`` U ``(p, k)``; exactly symmetric."""
    onto = matrix @ factors
    half = onto - factors @ (factors.T @ onto) / 2
    rest: np.ndarray = half @ factors.T
    rest += rest.T.copy()
    np.subtract(matrix, rest, out=rest)
    return rest


def check_blocks(filled: int, needed_by: str) -> None:
    """Raise :class:`InputError` when there are fewer blocks than any resampling needs."""
    if filled < LEAST:
        raise InputError(
            f"{needed_by} draws from blocks of documents and needs {LEAST} of them with tokens; there are {filled}.",
            "Collect more documents (collect.blocks says how many groups they form); or do without error bars: "
            "fit.variance: normal with fit.half_samples: 0 and the rule fixed, degree or ebic.",
        )


def _isolated_where_constant(spread: np.ndarray) -> np.ndarray:
    """``spread (p, p)``, in which neurons of no variance get a variance of one and covariances of zero."""
    constant = ~(spread.diagonal() > 0)
    if constant.any():
        spread = np.array(spread)
        spread[constant] = 0.0
        spread[:, constant] = 0.0
        spread[constant, constant] = 1.0
    return spread


def blocks_of_variation(counts: np.ndarray, sums: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """In how many blocks each of P neurons varies, ``(P,)``, from counts ``(B,)``, sums and packed moments by block."""
    diagonal = moments.diagonal_places(sums.shape[1])
    varying = np.zeros(sums.shape[1], dtype=np.int64)
    for count, total, second in zip(counts.tolist(), sums, packed):
        if count:
            mean_square = np.asarray(second[diagonal], dtype=np.float64) / count
            varying += mean_square - (total / count) ** 2 > _ROUNDING * mean_square
    return varying
