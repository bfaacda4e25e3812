"""Values of many neurons that are mostly zero, by token and by neuron, in blocks of documents.

Products of two neurons come from the tokens at which both are not zero. For that, an entry of a neuron has to be found in
its token: the entries stand in order of the tokens, and every neuron knows the places of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import CountedBlocks

_ROUNDING = 1e-5  # of a second moment in float32, relative
_MOST = 2**31 - 1  # entries that places can count


@dataclass(frozen=True, eq=False)
class SparseValues(CountedBlocks):
    """Values of n tokens by p neurons, block after block of whole documents."""

    matrix: csr_array  # (n, p) float32, sorted, without zeros
    counts: np.ndarray  # (B,) tokens
    column_starts: np.ndarray  # (p + 1,) int64, where each neuron begins in the next two
    tokens: np.ndarray  # (nnz,) int32, increasing for each neuron
    places: np.ndarray  # (nnz,) int32, in the entries of ``matrix``

    @classmethod
    def of(cls, matrix: csr_array, blocks: np.ndarray) -> SparseValues:
        """The values of ``matrix (n, p)``, whose token t is in block ``blocks[t]``, numbered from 0.

        Raises :class:`InputError` for values that are not finite.
        """
        blocks = np.asarray(blocks, dtype=np.int64)
        order = np.argsort(blocks, kind="stable")
        values = csr_array(matrix, dtype=np.float32)
        if (order != np.arange(len(order))).any():
            values = csr_array(values[order])
        elif np.shares_memory(values.data, matrix.data):
            values = values.copy()
        values.sum_duplicates()
        values.eliminate_zeros()
        if not np.isfinite(values.data).all():
            raise InputError("The values contain NaN or infinity.", "Give finite values.")
        return cls.sorted(values, np.bincount(blocks, minlength=int(blocks.max(initial=-1)) + 1))

    @classmethod
    def sorted(cls, matrix: csr_array, counts: np.ndarray) -> SparseValues:
        """The same of a ``matrix (n, p)`` whose tokens stand block after block, of ``counts (B,)`` tokens each."""
        if matrix.nnz > _MOST:
            raise InputError(
                f"There are {matrix.nnz:,} values that are not zero, more than {_MOST:,}.",
                "Give fewer tokens or neurons.",
            )
        p = matrix.shape[1]
        starts = np.zeros(p + 1, dtype=np.int64)
        np.cumsum(np.bincount(matrix.indices, minlength=p), out=starts[1:])
        tokens, places = np.empty(matrix.nnz, np.int32), np.empty(matrix.nnz, np.int32)
        _by_column(matrix.indptr, matrix.indices, starts[:-1].copy(), tokens, places)
        return cls(matrix, np.asarray(counts, dtype=np.int64), starts, tokens, places)

    @property
    def n_neurons(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each block ends, ``(B,)``, in tokens."""
        return np.cumsum(self.counts)

    @cached_property
    def sums(self) -> np.ndarray:
        """Of every neuron in every block, ``(B, p)``."""
        return self._sums(1)

    @cached_property
    def squares(self) -> np.ndarray:
        """Sums of squares of every neuron in every block, ``(B, p)``."""
        return self._sums(2)

    @cached_property
    def mean(self) -> np.ndarray:
        """Of all tokens, ``(p,)``."""
        return np.asarray(self.sums.sum(axis=0) / self.n_tokens)

    @cached_property
    def std(self) -> np.ndarray:
        """Of all tokens, ``(p,)``."""
        return np.asarray(np.sqrt(np.maximum(self.squares.sum(axis=0) / self.n_tokens - self.mean**2, 0.0)))

    @property
    def block_means(self) -> np.ndarray:
        """Of every neuron in every block that holds tokens, ``(B', p)``."""
        filled = self.filled
        return np.asarray(self.sums[filled] / self.counts[filled, None])

    def blocks_of_variation(self) -> np.ndarray:
        """In how many blocks each neuron varies, ``(p,)``."""
        filled = self.filled
        square = self.squares[filled] / self.counts[filled, None]
        return np.asarray(np.count_nonzero(square - self.block_means**2 > _ROUNDING * square, axis=0))

    def standardised(self) -> SparseValues:
        """The same values in standard deviations; they are not centred. Neurons that do not vary become zero."""
        std = self.std
        return self.times(np.divide(1.0, std, out=np.zeros_like(std), where=std > 0))

    def times(self, right: csr_array | np.ndarray) -> SparseValues:
        """The values X A of a sparse A ``(p, m)``, or each neuron times a number ``(p,)``."""
        if isinstance(right, np.ndarray):
            matrix = self.matrix.copy()
            matrix.data *= right.astype(np.float32)[matrix.indices]
            return SparseValues(matrix, self.counts, self.column_starts, self.tokens, self.places)
        product = csr_array(self.matrix @ csr_array(right, dtype=np.float32))
        product.sort_indices()
        return SparseValues.sorted(product, self.counts)

    def neurons(self, chosen: np.ndarray) -> SparseValues:
        """Some of the neurons, given by increasing indices."""
        if len(chosen) == self.n_neurons:
            return self
        return SparseValues.sorted(csr_array(self.matrix[:, chosen]), self.counts)

    def of_blocks(self, blocks: np.ndarray) -> SparseValues:
        """The tokens of some blocks, increasing; the others are empty."""
        chosen = np.isin(np.arange(len(self.counts)), blocks)
        return SparseValues.sorted(
            csr_array(self.matrix[np.repeat(chosen, self.counts)]), np.where(chosen, self.counts, 0)
        )

    def _sums(self, power: int) -> np.ndarray:
        total = np.zeros((len(self.counts), self.n_neurons))
        start = 0
        for block, end in enumerate(self.ends.tolist()):
            part = slice(self.matrix.indptr[start], self.matrix.indptr[end])
            values = self.matrix.data[part].astype(np.float64) ** power
            total[block] = np.bincount(self.matrix.indices[part], values, minlength=self.n_neurons)
            start = end
        return total


@njit(cache=True)
def _by_column(
    starts: np.ndarray, columns: np.ndarray, free: np.ndarray, tokens: np.ndarray, places: np.ndarray
) -> None:
    """Sort entries by column; ``free (p,)`` is where the next one of each column goes."""
    for token in range(len(starts) - 1):
        for place in range(starts[token], starts[token + 1]):
            column = columns[place]
            tokens[free[column]] = token
            places[free[column]] = place
            free[column] += 1


@njit(parallel=True, cache=True)
def reached(starts: np.ndarray, columns: np.ndarray, column: int) -> np.ndarray:
    """The place of the first entry of each token that is not before ``column``, ``(n,)``."""
    found = np.empty(len(starts) - 1, dtype=np.int64)
    for t in prange(len(found)):
        found[t] = starts[t] + np.searchsorted(columns[starts[t] : starts[t + 1]], column)
    return found
