"""Functions of one number out of a table at even steps, compiled: for very many values of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, prange


@dataclass(frozen=True, eq=False)
class Table:
    """A function between two ends, linear between its knots; beyond the ends it is what it is there."""

    first: float
    step: float
    values: np.ndarray  # (K,) at the knots

    @classmethod
    def of(cls, function: Callable[[np.ndarray], np.ndarray], first: float, last: float, knots: int) -> Table:
        """The table of ``function`` at that many ``knots`` from ``first`` to ``last``."""
        at = np.linspace(first, last, knots)
        return cls(float(first), float(last - first) / (knots - 1), np.asarray(function(at)))

    def at(self, x: np.ndarray) -> np.ndarray:
        """The values at ``x``, of its shape."""
        flat = np.ascontiguousarray(x).reshape(-1)
        out = np.empty(len(flat))
        _look_up(flat, self.first, self.step, self.values, out)
        return out.reshape(x.shape)


@njit(parallel=True, cache=True)
def _look_up(x: np.ndarray, first: float, step: float, values: np.ndarray, out: np.ndarray) -> None:
    for k in prange(len(x)):
        out[k] = looked_up(x[k], first, step, values)


@njit(cache=True)
def looked_up(x: Any, first: float, step: float, values: np.ndarray) -> Any:
    """The value at a number ``x`` of a :class:`Table` with these members."""
    if math.isnan(x):
        return x
    place = (x - first) / step
    if place <= 0.0:
        return values[0]
    last = len(values) - 1
    if place >= last:
        return values[last]
    k = int(place)
    return values[k] + (place - k) * (values[k + 1] - values[k])
