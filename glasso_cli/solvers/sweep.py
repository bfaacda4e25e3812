"""One sweep of coordinate descent over the free entries: it predicts which of them end up zero, and all signs."""

from __future__ import annotations

import numpy as np
from numba import njit

_BLOCK = 16  # rows whose columns of B are gathered at once: one line of the cache


@njit(fastmath=True, cache=True)
def sweep(
    W: np.ndarray,
    starts: np.ndarray,
    cols: np.ndarray,
    gradient: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    step: np.ndarray,
    B: np.ndarray,
) -> None:
    """Minimise tr(G D) + tr(W D W D) / 2 + sum weights |Theta + D| once over each free entry of D, in order.

    W is ``(p, p)`` float32. ``step (m,)`` holds D on the free entries and ``B (p, p)`` float32 is D W; both start
    at zero and are changed in place. Keeping D W costs two rows of W a change; a coordinate then needs one dot product
    of a row of W and a column of it (Hsieh et al., 2014).
    """
    p = len(W)
    B[:] = 0
    local = np.zeros((_BLOCK, p), dtype=np.float32)  # columns of B, as rows
    for begin in range(0, p, _BLOCK):
        size = min(_BLOCK, p - begin)
        for k in range(p):
            for r in range(size):
                local[r, k] = B[k, begin + r]
        for i in range(begin, begin + size):
            column, wi, bi = local[i - begin], W[i], B[i]
            for e in range(starts[i], starts[i + 1]):
                j = cols[e]
                wj = W[j]
                s = np.float32(0)
                for k in range(p):
                    s += wj[k] * column[k]
                slope = gradient[e] + s
                if i == j:
                    change = -slope / (wi[i] * wi[i])
                else:
                    curvature = wi[j] * wi[j] + wi[i] * wj[j]
                    value = values[e] + step[e]
                    target = value - slope / curvature
                    limit = weights[e] / curvature
                    change = (target - limit if target > limit else target + limit if target < -limit else 0.0) - value
                if change == 0:
                    continue
                step[e] += change
                d = np.float32(change)
                for k in range(p):
                    bi[k] += d * wj[k]
                for r in range(size):
                    local[r, i] += d * wj[begin + r]
                if i != j:
                    bj = B[j]
                    for k in range(p):
                        bj[k] += d * wi[k]
                    for r in range(size):
                        local[r, j] += d * wi[begin + r]
