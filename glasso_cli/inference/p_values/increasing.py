"""Statistics of millions of pairs in increasing order, compiled: three passes over them instead of a comparison sort."""

from __future__ import annotations

import numpy as np
from numba import njit

_FEW = 20_000  # of which NumPy's sort is as fast
_BITS, _PASSES = 10, 3  # of a float64: the passes go by its exponent and the first 20 bits of its fraction
_LOW = 63 - _BITS * _PASSES  # bits that they leave to the last step, below the sign
_SIGN = np.uint64(2**63 - 1)
_MOVES = 8  # of every number in the last step, on average; more than that, and they are too alike for it


def increasing(sizes: np.ndarray) -> np.ndarray:
    """The numbers ``sizes (m,)``, none below zero, in increasing order; float64, and ``sizes`` is used up.

    The same as NumPy's sort, in a sixth of its time for two million normal variables.
    """
    if len(sizes) < _FEW:
        sizes.sort()
        return sizes
    bits, ordered = _passes(sizes.view(np.uint64), np.empty(len(sizes), dtype=np.uint64))
    values = np.asarray(bits.view(np.float64))
    if not ordered:
        values.sort()
    return values


@njit(cache=True)
def _passes(values: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, bool]:
    """Bits of numbers ``(m,)`` in increasing order, in one of both arrays; False where they are too alike to finish."""
    m, width = len(values), 1 << _BITS
    mask = np.uint64(width - 1)
    counts = np.zeros((_PASSES, width), dtype=np.int64)
    for k in range(m):
        values[k] &= _SIGN  # minus zero is zero
        for turn in range(_PASSES):
            counts[turn, np.int64((values[k] >> np.uint64(_LOW + _BITS * turn)) & mask)] += 1
    for turn in range(_PASSES):
        places = counts[turn]
        total = 0
        for digit in range(width):
            many = places[digit]
            places[digit] = total
            total += many
        for k in range(m):
            digit = np.int64((values[k] >> np.uint64(_LOW + _BITS * turn)) & mask)
            other[places[digit]] = values[k]
            places[digit] += 1
        values, other = other, values
    moves = 0
    for k in range(1, m):
        value, place = values[k], k
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
        moves += k - place
        if moves > _MOVES * m:
            return values, False
    return values, True
