"""One sweep of coordinate descent over the free entries: it predicts which of them end up zero, and all signs.

It minimises tr(G D) + tr(W D W D) / 2 + sum weights |Theta + D| over one entry of D after the other, row by row of the upper
triangle. The slope of entry ij is that of the smooth part, G_ij + W_j' (D W)_i: a dot product with a column of D W, which the
method's authors keep up to date in full (QUIC; Hsieh, Sustik, Dhillon and Ravikumar, 2014). Here only a strip of a few
columns is made when their rows are due, all threads at work, out of the D so far: a sparse matrix times a strip of W that
stays in the cache. A row then takes a dot product an entry; what its changes do to the row itself is four numbers an entry,
and what they do to the rest of the strip is one short row of W each. The order of the sums does not depend on the threads.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

from glasso_cli.solvers.newton.free_set import FreeSet, Symmetric, symmetric

_STRIP = 64  # columns of D W made at once
_TILE = 16  # their rows written together: one line of the cache
_MANY = 2**18  # products of numbers in the dot products of a row from which all threads share them
_ZERO = np.float32(0)


def sweep(W: np.ndarray, free: FreeSet, start: np.ndarray) -> np.ndarray:
    """D on the free entries ``(m,)`` after one sweep from ``start``; ``W (p, p)`` is float32, row-major."""
    p = len(W)
    pattern = symmetric(free.rows, free.cols, p)
    above, below = _places(pattern)
    D = start.astype(np.float32)[pattern.entry]
    step: np.ndarray = start.copy()
    strip, columns = np.empty((p, _STRIP), dtype=np.float32), np.empty((_STRIP, p + _TILE), dtype=np.float32)
    stops = (pattern.indptr[1:] if step.any() else pattern.indptr[:-1]).copy()  # of what is not zero in each row of D
    threads = get_num_threads()
    for begin in range(0, p, _STRIP):
        width = min(_STRIP, p - begin)
        _make(W, pattern.indptr, pattern.indices, D, stops, begin, width, strip, columns, threads)
        _descend(
            W, free.starts, free.cols, free.gradient, free.values, free.weights,
            begin, width, strip, columns, step, D, above, below, _MANY,
        )  # fmt: skip
    return step


def _places(pattern: Symmetric) -> tuple[np.ndarray, np.ndarray]:
    """Where each entry is in the rows of the symmetric pattern: in its own row, and in that of its column."""
    p = len(pattern.indptr) - 1
    is_above = pattern.indices >= np.repeat(np.arange(p), np.diff(pattern.indptr))
    above, below = np.flatnonzero(is_above), np.flatnonzero(~is_above)
    places = np.empty((2, len(above)), dtype=np.int64)
    places[0, pattern.entry[above]] = above
    places[1, pattern.entry[above]] = above  # on the diagonal both are one
    places[1, pattern.entry[below]] = below
    return places[0], places[1]


@njit(parallel=True, fastmath=True, cache=True)
def _make(
    W: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    D: np.ndarray,
    stops: np.ndarray,
    begin: int,
    width: int,
    strip: np.ndarray,
    columns: np.ndarray,
    threads: int,
) -> None:
    """``columns[r] = (D W)[:, begin + r]`` and ``strip = W[:, begin:begin + width]``, with the D so far."""
    p = len(W)
    for k in prange(p):
        for r in range(width):
            strip[k, r] = W[k, begin + r]
        while stops[k] < indptr[k + 1] and (k < begin or indices[stops[k]] < begin):
            stops[k] += 1  # past the entries of the rows done
    tiles = (p + _TILE - 1) // _TILE
    for thread in prange(threads):
        tile = np.empty((_TILE, _STRIP), dtype=np.float32)
        for t in range(thread, tiles, threads):
            first = t * _TILE
            size = min(_TILE, p - first)
            for k in range(size):
                row = tile[k]
                for r in range(_STRIP):
                    row[r] = _ZERO
                e, stop = indptr[first + k], stops[first + k]
                while e + 4 <= stop:  # four at a time: one pass over the row of sums for four of W
                    d0, d1, d2, d3 = D[e], D[e + 1], D[e + 2], D[e + 3]
                    w0, w1 = strip[indices[e]], strip[indices[e + 1]]
                    w2, w3 = strip[indices[e + 2]], strip[indices[e + 3]]
                    for r in range(_STRIP):
                        row[r] += d0 * w0[r] + d1 * w1[r] + d2 * w2[r] + d3 * w3[r]
                    e += 4
                while e < stop:
                    d0, w0 = D[e], strip[indices[e]]
                    for r in range(_STRIP):
                        row[r] += d0 * w0[r]
                    e += 1
            for r in range(width):
                for k in range(size):
                    columns[r, first + k] = tile[k, r]


@njit(fastmath=True, cache=True)
def _dot(row: np.ndarray, column: np.ndarray) -> np.float32:
    s: np.float32 = _ZERO
    for k in range(len(row)):
        s += row[k] * column[k]
    return s


@njit(parallel=True, fastmath=True, cache=True)
def _dots(W: np.ndarray, rows: np.ndarray, column: np.ndarray, out: np.ndarray) -> None:
    """Dot products of some rows of W with a column, on all threads."""
    for e in prange(len(rows)):
        out[e] = _dot(W[rows[e]], column)


@njit(fastmath=True, cache=True)
def _descend(
    W: np.ndarray,
    starts: np.ndarray,
    cols: np.ndarray,
    gradient: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    begin: int,
    width: int,
    strip: np.ndarray,
    columns: np.ndarray,
    step: np.ndarray,
    D: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    many: int,
) -> None:
    """The rows of a strip, one after the other; ``step`` and D get their changes."""
    p = len(W)
    for at in range(width):
        i = begin + at
        column, wi = columns[at], W[i]
        first, last = starts[i], starts[i + 1]
        slopes = np.empty(last - first, dtype=np.float32)
        if (last - first) * p < many:
            for e in range(first, last):
                slopes[e - first] = _dot(W[cols[e]], column)
        else:
            _dots(W, cols[first:last], column, slopes)
        for e in range(first, last):
            j = cols[e]
            wj = W[j]
            slope = gradient[e] + slopes[e - first]
            before = step[e]
            if i == j:
                step[e] = before - slope / (wi[i] * wi[i])
            else:
                curvature = wi[j] * wi[j] + wi[i] * wj[j]
                target = values[e] + before - slope / curvature
                limit = weights[e] / curvature
                end = target - limit if target > limit else target + limit if target < -limit else 0.0
                step[e] = end - values[e]  # exactly what makes it zero, where it ends there
            if step[e] == before:
                continue
            d = np.float32(step[e] - before)
            D[above[e]] = D[below[e]] = np.float32(step[e])
            across, along = d * wi[i], d * wi[j]
            if i == j:
                along = np.float32(0)
            for later in range(e + 1, last):
                c = cols[later]
                slopes[later - first] += across * wj[c] + along * wi[c]
            for r in range(at + 1, width):
                columns[r, i] += d * strip[j, r]
            if i != j:
                for r in range(at + 1, width):
                    columns[r, j] += d * strip[i, r]
