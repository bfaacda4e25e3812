"""Log determinant and inverse of a sparse symmetric positive definite matrix whose inverse is dense.

Variables with few neighbours are eliminated one after the other, the one with the fewest first (Tinney and Walker, 1967).
Each elimination links all neighbours of its variable, until what is left, the core, is nearly full. LAPACK factorises and
inverts only the core. With A = L D L' in the order of elimination, the other rows of W = A^-1 follow from L' W = D^-1 L^-1:
a row is a combination of the rows of its neighbours (Takahashi, Fagan and Chen, 1973).

A core of two thirds of the variables leaves 0.3 of the operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, njit, prange

from glasso_cli.linalg import cholesky, pages
from glasso_cli.linalg.cholesky import Factor, Inverse
from glasso_cli.linalg.lanes import combine

_WIDTH = 32  # columns of the inverse made at once: their rows stay in a core's cache
_TILE = 8  # their rows written together
_SMALLEST = 256  # variables from which it is worth it
_SLOWNESS = 4.0  # of an operation on sparse rows beside one of LAPACK
_WORTH = 0.8  # share of the operations of LAPACK up to which it is worth it
_ONE = np.uint64(1)


@dataclass(frozen=True, eq=False)
class Order:
    """Which variables are eliminated, and the neighbours that each has left then."""

    eliminated: np.ndarray  # (e,) int64, in this order
    core: np.ndarray  # (n,) int64, the others, increasing
    indptr: np.ndarray  # (e + 1,) int64
    neighbours: np.ndarray  # (nnz,) int64, increasing within a row


@dataclass(frozen=True, eq=False)
class Eliminated:
    """A factorisation, as :class:`glasso_cli.linalg.cholesky.Factor`: the inverse takes its place."""

    log_det: float  # of the matrix that was factorised
    order: Order
    links: np.ndarray  # (nnz,) of L
    pivots: np.ndarray  # (e,) of D
    room: np.ndarray  # (p, p), with the factor of the core in its last n * n entries

    def inverse(self) -> Inverse:
        """The inverse of the matrix, exactly symmetric; it can be asked for once."""
        order, W = self.order, self.room
        core = _core_of(W, len(order.core))
        if len(core):
            Factor(core.T, 0.0).inverse()
        known = np.concatenate([order.core, order.eliminated[::-1]])
        place = np.empty(len(W), dtype=np.int64)
        place[known] = np.arange(len(W))
        links = order.indptr, place[order.neighbours], -self.links
        threads = get_num_threads()
        panels = np.empty((threads, len(W), _WIDTH), dtype=W.dtype)
        for first in range(0, len(order.core), threads * _WIDTH):
            _take_core(core, first, panels)
            _core_columns(W, known, len(order.core), first, *links, panels)
        for first in range(len(order.core), len(W), _WIDTH):
            _other_columns(W, known, len(order.core), first, *links, self.pivots, panels[0])
        return Inverse(W, self.log_det)


def _core_of(room: np.ndarray, n: int) -> np.ndarray:
    """The last n * n entries of ``room (p, p)``, as ``(n, n)``."""
    return room.reshape(-1)[room.size - n * n :].reshape(n, n)


def order_of(matrix: np.ndarray) -> Order | None:
    """The order in which to eliminate; None where LAPACK is as fast for the whole symmetric ``matrix (p, p)``."""
    p = len(matrix)
    if p < _SMALLEST:
        return None
    eliminated, indptr, neighbours = _eliminated(_bits(matrix), _SLOWNESS)
    n = p - len(eliminated)
    if n**3 + 3 * _SLOWNESS * p * len(neighbours) > _WORTH * p**3:
        return None
    return Order(eliminated, np.setdiff1d(np.arange(p), eliminated), indptr, neighbours)


def factorise(matrix: np.ndarray, order: Order, dtype: type[np.floating]) -> Eliminated | None:
    """The factorisation of a symmetric ``matrix (p, p)`` in that precision; None if it is not positive definite."""
    room = pages.copy(matrix, dtype)
    links, pivots = np.empty(len(order.neighbours), dtype=dtype), np.empty(len(order.eliminated), dtype=dtype)
    if not _eliminate(room, order.eliminated, order.indptr, order.neighbours, links, pivots):
        return None
    n = len(order.core)
    _compact(room, order.core)
    core = _core_of(room, n)
    log_det = float(np.log(pivots, dtype=np.float64).sum())
    if n:
        factor = cholesky.factorise(core, dtype, overwrite=True)
        if factor is None:
            return None
        log_det += factor.log_det
    return Eliminated(log_det, order, links, pivots, room) if np.isfinite(log_det) else None


# -- which variables -----------------------------------------------------------------------------------


@njit(parallel=True, cache=True)
def _bits(matrix: np.ndarray) -> np.ndarray:
    """The neighbours of every variable, one bit each: ``(p, ceil(p / 64))`` uint64."""
    p = len(matrix)
    bits = np.zeros((p, (p + 63) // 64), dtype=np.uint64)
    for i in prange(p):
        for j in range(p):
            if matrix[i, j] != 0 and i != j:
                bits[i, j >> 6] |= _ONE << np.uint64(j & 63)
    return bits


@njit(cache=True)
def _count(word: np.uint64) -> np.int64:
    """The number of bits set."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    count: np.int64 = np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return count


@njit(cache=True)
def _eliminated(bits: np.ndarray, slowness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variables in the order of elimination, while that is cheaper than a larger core; ``bits`` are used up."""
    p, words = bits.shape
    degree = np.zeros(p, dtype=np.int64)
    for i in range(p):
        for w in range(words):
            degree[i] += _count(bits[i, w])
    alive = np.ones(p, dtype=np.bool_)
    order, indptr = np.empty(p, dtype=np.int64), np.zeros(p + 1, dtype=np.int64)
    neighbours = np.empty(16 * p, dtype=np.int64)
    done = used = 0
    while done < p:
        least = -1
        for i in range(p):
            if alive[i] and (least < 0 or degree[i] < degree[least]):
                least = i
        left = p - done
        if slowness * degree[least] * p > left * left:
            break
        if used + degree[least] > len(neighbours):
            more = np.empty(2 * len(neighbours) + degree[least], dtype=np.int64)
            more[:used] = neighbours[:used]
            neighbours = more
        row = bits[least]
        for w in range(words):
            word = row[w]
            while word:
                lowest = word & (~word + _ONE)
                neighbours[used] = 64 * w + _count(lowest - _ONE)
                used += 1
                word ^= lowest
        alive[least] = False
        order[done] = least
        done += 1
        indptr[done] = used
        mine = ~(_ONE << np.uint64(least & 63))
        for e in range(indptr[done - 1], used):
            a = neighbours[e]
            other = bits[a]
            count = 0
            for w in range(words):
                other[w] |= row[w]
                count += _count(other[w])
            other[least >> 6] &= mine
            other[a >> 6] &= ~(_ONE << np.uint64(a & 63))
            degree[a] = count - 2  # the eliminated variable and itself
    return order[:done], indptr[: done + 1], neighbours[:used]


# -- the factorisation ---------------------------------------------------------------------------------


@njit(cache=True)
def _eliminate(
    A: np.ndarray,
    eliminated: np.ndarray,
    indptr: np.ndarray,
    neighbours: np.ndarray,
    links: np.ndarray,
    pivots: np.ndarray,
) -> bool:
    """Eliminate in the upper triangle of A; false if a pivot is not positive."""
    for s in range(len(eliminated)):
        b = eliminated[s]
        pivot = A[b, b]
        if not pivot > 0:
            return False
        pivots[s] = pivot
        first, last = indptr[s], indptr[s + 1]
        for e in range(first, last):
            a = neighbours[e]
            links[e] = A[min(a, b), max(a, b)] / pivot
        for e in range(first, last):
            row, times = A[neighbours[e]], links[e] * pivot
            for f in range(e, last):
                row[neighbours[f]] -= times * links[f]
    return True


@njit(cache=True)
def _compact(A: np.ndarray, core: np.ndarray) -> None:
    """The upper triangle of the rows and columns ``core`` of A, as a matrix in the last entries of A's memory.

    Row after row from the last, each ends up behind all rows that are still to be read.
    """
    p, n = len(A), len(core)
    flat = A.reshape(-1)
    row = np.empty(p, dtype=A.dtype)
    for k in range(n - 1, -1, -1):
        for t in range(k, n):
            row[t] = A[core[k], core[t]]
        start = p * p - (n - k) * n
        flat[start + k : start + n] = row[k:n]


# -- the inverse ---------------------------------------------------------------------------------------


@njit(parallel=True, cache=True)
def _take_core(core: np.ndarray, first: int, panels: np.ndarray) -> None:
    """Columns of the core's inverse from ``first`` on, in every panel ``(p, _WIDTH)`` the next few."""
    n = len(core)
    for k in prange(len(panels)):
        panel, begin = panels[k], first + k * _WIDTH
        for c in range(min(_WIDTH, n - begin)):
            row = core[begin + c]
            for i in range(n):
                panel[i, c] = row[i]


@njit(parallel=True, cache=True)
def _core_columns(
    W: np.ndarray,
    known: np.ndarray,
    n: int,
    first: int,
    indptr: np.ndarray,
    neighbours: np.ndarray,
    links: np.ndarray,
    panels: np.ndarray,
) -> None:
    """Rows of W for the columns of the core in the panels.

    ``known`` has the core and then the others, the last first; ``neighbours`` are places in it, and ``links`` are those of -L.
    """
    for k in prange(len(panels)):
        panel, begin = panels[k], first + k * _WIDTH
        width = min(_WIDTH, n - begin)
        for r in range(n, len(known)):
            if width > 0:
                s = len(known) - 1 - r
                combine(panel[r], panel, neighbours, links, indptr[s], indptr[s + 1], _WIDTH)
        if width > 0:
            _write(W, known, begin, width, panel)


@njit(cache=True)
def _other_columns(
    W: np.ndarray,
    known: np.ndarray,
    n: int,
    first: int,
    indptr: np.ndarray,
    neighbours: np.ndarray,
    links: np.ndarray,
    pivots: np.ndarray,
    panel: np.ndarray,
) -> None:
    """Rows of W for the eliminated variables ``known[first:first + _WIDTH]``; those of all before them are there."""
    width = min(_WIDTH, len(known) - first)
    for r in range(first):
        row = W[known[r]]
        for c in range(width):
            panel[r, c] = row[known[first + c]]
    for r in range(first, len(known)):
        s = len(known) - 1 - r
        combine(panel[r], panel, neighbours, links, indptr[s], indptr[s + 1], _WIDTH)
        own = r - first
        if own < width:  # its own column starts here, and is known in the rows before from their columns
            total = W.dtype.type(1) / pivots[s]
            for e in range(indptr[s], indptr[s + 1]):
                k = neighbours[e]
                total += links[e] * (panel[k, own] if k < first else panel[r, k - first])
            panel[r, own] = total
            for c in range(own):
                panel[first + c, own] = panel[r, c]
    _write(W, known, first, width, panel)


@njit(cache=True)
def _write(W: np.ndarray, known: np.ndarray, first: int, width: int, panel: np.ndarray) -> None:
    """The columns of a panel as rows of W, in the order of the variables."""
    for begin in range(0, len(known), _TILE):
        end = min(begin + _TILE, len(known))
        for c in range(width):
            row = W[known[first + c]]
            for r in range(begin, end):
                row[known[r]] = panel[r, c]
