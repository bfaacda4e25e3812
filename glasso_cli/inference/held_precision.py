"""What every block of documents says about partial correlations with Theta held: one pass over the blocks for all pairs.

With Theta held, a partial correlation is the correlation of y_i and y_j, y = Theta z, with its sign turned: what a block says
about it needs one product of rows of Theta with the moments of the block, M = U + U' for an upper triangle U with half the
diagonal. So y_i y_j = (Theta_i U) Theta_j' + (Theta_j U) Theta_i', and only the triangle is ever unpacked and multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy.linalg.blas import sgemm, strmm
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.jackknife import PseudoValues

_COLUMNS = 128  # of a triangle at a time: they stay in a core's cache while all rows of Theta use them
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class HeldPairs:
    """E pairs of m sums y = Theta z of standardised values, as B blocks see them."""

    shares: np.ndarray  # (B,) of all tokens
    means: np.ndarray  # (B, m) of y
    squares: np.ndarray  # (B, m) mean squares of y
    i: np.ndarray  # (E,) places among the m
    j: np.ndarray
    products: np.ndarray  # (B, E) mean products of y_i and y_j

    @property
    def correlation(self) -> np.ndarray:
        """Of y_i and y_j over all tokens, ``(E,)``."""
        scale = np.sqrt(self.shares @ self.squares)
        return np.asarray(self.shares @ self.products / (scale[self.i] * scale[self.j]))

    @property
    def slope(self) -> np.ndarray:
        """By how much Fisher's z grows with the correlation, ``(E,)``."""
        return np.asarray(1 / (1 - np.minimum(self.correlation**2, 1 - 1e-12)))

    def moves(self) -> Iterator[tuple[np.ndarray, float]]:
        """How far the pseudo-value of every block is from the partial correlations ``(E,)``, and its share of the tokens."""
        square = self.shares @ self.squares
        scale = 1 / np.sqrt(square)
        whole = self.correlation
        with numba_limited():
            for share, mean, squares, products in zip(self.shares.tolist(), self.means, self.squares, self.products):
                weight = share / (1 - share)
                spread = (squares + weight * mean**2) / square - 1
                error = np.empty(len(whole))
                _moved(products, np.sqrt(weight) * mean, scale, spread, whole, self.i, self.j, error)
                yield error, share

    def variance(self) -> np.ndarray:
        """Of Fisher's z of the partial correlations, ``(E,)``, by the delete-one-block jackknife."""
        sums = PseudoValues(len(self.i))
        for error, share in self.moves():
            sums.add(error, share)
        return np.asarray(sums.variance() * self.slope**2)


def held_pairs(
    blocks: Blocks, theta: csr_array | np.ndarray, pairs: Pairs, groups: Sequence[np.ndarray] = ()
) -> tuple[HeldPairs, ...]:
    """Chosen ``pairs (E,)`` of neurons, and all pairs of each of ``groups (k,)``, i < j, by their order there.

    ``theta (p, p)`` is the precision that is held. Of every block one matrix is in memory at a time.
    """
    wanted = [*(np.asarray(group) for group in groups), *pairs]
    neurons, places = _in_order_of_need(wanted)
    ends: list[Pairs] = [(places[-2], places[-1])]
    for group in places[:-2]:
        i, j = np.triu_indices(len(group), 1)
        ends.append((group[i], group[j]))
    onto = blocks.onto_values(theta[neurons])
    rows = _Sparse(onto) if isinstance(onto, csr_array) else _Dense(onto)
    shares, every = blocks.shares, np.arange(len(neurons))
    apart, squares = np.empty((len(shares), len(blocks.neurons))), np.empty((len(shares), len(neurons)))
    products = [np.empty((len(shares), len(i)), dtype=rows.dtype) for i, _ in ends]
    triangle = np.empty((len(blocks.neurons), len(blocks.neurons)), dtype=rows.dtype)
    with numba_limited():
        for b, block in enumerate(blocks.filled.tolist()):
            apart[b] = blocks.upper_about_the_mean(block, triangle)
            triangle.ravel()[:: len(triangle) + 1] /= 2  # the diagonal
            rows.take(triangle)
            rows.pairs(every, every, squares[b])
            rows.pairs(*ends[0], products[0][b])
            for group, (i, j), out in zip(places, ends[1:], products[1:]):
                rows.group(group, i, j, out[b])
    means = np.ascontiguousarray((onto @ apart.T).T)
    return tuple(HeldPairs(shares, means, squares, *each, values) for each, values in zip(ends, products))


def _in_order_of_need(wanted: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The neurons that are in any list, those of the first list first, and where those of each list stand there."""
    every = np.concatenate(wanted).astype(np.int64)
    known, first, inverse = np.unique(every, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return known[order], np.split(rank[inverse], np.cumsum([len(part) for part in wanted])[:-1])


# -- products with one block --------------------------------------------------------------------------


class _Dense:
    """Dense rows A ``(m, p)`` and their product with the triangle of a block, both in float32."""

    dtype = np.float32

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = np.ascontiguousarray(rows)
        self._half = np.empty_like(self._rows)

    def take(self, triangle: np.ndarray) -> None:
        """Compute A U for the upper triangle U of ``triangle (p, p)``; what is below is never read."""
        self._half[:] = self._rows
        strmm(1.0, triangle.T, self._half.T, lower=1, overwrite_b=1)  # column-major: U' A'

    def pairs(self, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
        """The entries ``(E,)`` of A (U + U') A' at i and j."""
        _dots(self._half, self._rows, i, j, out)

    def group(self, places: np.ndarray, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
        """The same entries, of all pairs i, j of ``places (k,)``."""
        _entries(sgemm(1.0, _rows_at(self._rows, places).T, _rows_at(self._half, places).T, trans_a=1).T, out)


class _Sparse:
    """Sparse rows A ``(m, p)`` and their product with the triangle of a block, in float64."""

    dtype = np.float64

    def __init__(self, rows: csr_array) -> None:
        self._rows = csr_array(rows, dtype=np.float64)
        self._rows.sort_indices()
        self._half = np.empty(self._rows.shape)

    def take(self, triangle: np.ndarray) -> None:
        A = self._rows
        _times_triangle(A.indptr, A.indices, A.data, triangle, self._half)

    def pairs(self, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
        A = self._rows
        _sparse_dots(A.indptr, A.indices, A.data, self._half, i, j, out)

    def group(self, places: np.ndarray, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
        self.pairs(i, j, out)


def _rows_at(matrix: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows of a matrix, without a copy where they are the first ones."""
    k = len(places)
    return matrix[:k] if np.array_equal(places, np.arange(k)) else matrix[places]


@njit(parallel=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _dots(half: np.ndarray, rows: np.ndarray, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
    for e in prange(len(i)):
        total = 0.0
        for k in range(half.shape[1]):
            total += np.float64(half[i[e], k]) * rows[j[e], k] + np.float64(half[j[e], k]) * rows[i[e], k]
        out[e] = total


@njit(parallel=True, cache=True)
def _entries(product: np.ndarray, out: np.ndarray) -> None:
    """Of P + P' for ``product`` P ``(k, k)``, what is above the diagonal, row by row."""
    k = len(product)
    for turn in prange(k):
        row = np.int64(turn)
        start = row * (2 * k - row - 1) // 2 - row - 1
        for col in range(row + 1, k):
            out[start + col] = product[row, col] + product[col, row]


@njit(parallel=True, cache=True)
def _times_triangle(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, triangle: np.ndarray, out: np.ndarray
) -> None:
    p = triangle.shape[1]
    for panel in prange((p + _COLUMNS - 1) // _COLUMNS):
        start, stop = panel * _COLUMNS, min(p, panel * _COLUMNS + _COLUMNS)
        for i in range(len(indptr) - 1):
            out[i, start:stop] = 0.0
            for k in range(indptr[i], indptr[i + 1]):
                source = indices[k]
                for j in range(max(start, source), stop):
                    out[i, j] += data[k] * triangle[source, j]


@njit(parallel=True, cache=True)
def _sparse_dots(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    half: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    out: np.ndarray,
) -> None:
    for e in prange(len(i)):
        total = 0.0
        for k in range(indptr[j[e]], indptr[j[e] + 1]):
            total += data[k] * half[i[e], indices[k]]
        for k in range(indptr[i[e]], indptr[i[e] + 1]):
            total += data[k] * half[j[e], indices[k]]
        out[e] = total


@njit(parallel=True, cache=True)
def _moved(
    products: np.ndarray,
    means: np.ndarray,
    scale: np.ndarray,
    spread: np.ndarray,
    whole: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    error: np.ndarray,
) -> None:
    for e in prange(len(i)):
        a, b = i[e], j[e]
        moved = (products[e] + means[a] * means[b]) * scale[a] * scale[b] - whole[e]
        error[e] = moved - whole[e] / 2 * (spread[a] + spread[b])
