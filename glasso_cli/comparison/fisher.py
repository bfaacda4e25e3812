"""Fisher's z of partial correlations, and its difference between two corpora: of some pairs, or compiled for all of them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

_MOST = 1 - 1e-12  # a partial correlation of one has no z
_SAME = 1e-9  # partial correlations no further apart have the slope of one of them


def fisher(rho: np.ndarray) -> np.ndarray:
    """Fisher's z, atanh(rho)."""
    return np.asarray(np.arctanh(np.clip(rho, -_MOST, _MOST)))


def slope(change: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The ``change (m,)`` of Fisher's z over that of the partial correlation."""
    apart = after - before
    same = np.abs(apart) < _SAME
    return np.where(same, 1 / (1 - after**2 + 1e-12), change / np.where(same, 1.0, apart))


@njit(parallel=True, cache=True)
def standardised(
    before: np.ndarray,
    after: np.ndarray,
    tau_before: np.ndarray,
    tau_after: np.ndarray,
    factor_before: float,
    factor_after: float,
    first: int,
    min_effect: float,
    z: np.ndarray,
    bar: np.ndarray,
) -> None:
    """Of the pairs of some rows from ``first`` on with every later neuron, z and the minimum effect, in standard errors.

    ``before`` and ``after (p, p)`` are partial correlations. The variances of their Fisher's z are ``tau (rows, p - first)``
    times a factor. ``z`` and ``bar`` are of all pairs, ``(p (p - 1) / 2,)``, of which those of the rows are written.
    """
    p = len(before)
    for turn in prange(len(tau_before)):
        row = np.int64(turn) + first
        start = row * (2 * p - row - 1) // 2 - row - 1
        for col in range(row + 1, p):
            one, other = before[row, col], after[row, col]
            error = math.sqrt(
                factor_before * tau_before[turn, col - first] + factor_after * tau_after[turn, col - first]
            )
            a, b = min(max(one, -_MOST), _MOST), min(max(other, -_MOST), _MOST)
            apart = (b - a) / (1 - a * b)
            apart = (b - a) / (1 - a * b)
            change = math.atanh(apart) if abs(apart) < 0.5 else math.atanh(b) - math.atanh(a)  # both are the same
            same = abs(other - one) < _SAME
            steepness = 1 / (1 - other * other + 1e-12) if same else change / (other - one)
            z[start + col] = change / error
            bar[start + col] = steepness * min_effect / error
