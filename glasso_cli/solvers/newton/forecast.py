"""The duality gap that the certificate is likely to find: near the answer, for a tenth of what the certificate costs."""

from __future__ import annotations

import numpy as np

from glasso_cli.solvers.newton.free_set import FreeSet
from glasso_cli.solvers.newton.sandwich import sandwich


def likely_gap(free: FreeSet) -> float:
    """The gap in nats, to second order in E, by which the certificate's first dual point differs from W.

    That point meets the optimality conditions on the support and is clipped to the box elsewhere, so E is the smallest
    subgradient of the objective. Its log determinant is log det W + tr(Theta E) - tr(Theta E Theta E) / 2, and the first-order
    terms of the gap cancel. All of E is on the free entries.
    """
    excess = np.where(
        free.values != 0,
        free.gradient + free.weights * np.sign(free.values),
        np.sign(free.gradient) * np.maximum(np.abs(free.gradient) - free.weights, 0.0),
    )
    Theta = free.pattern_of(np.flatnonzero(free.values)).matrix(free.values)
    moving = np.flatnonzero(excess)
    rows, cols, moved = free.rows[moving], free.cols[moving], excess[moving]
    image = sandwich(Theta, free.pattern_of(moving), rows, cols, excess)
    return float((np.where(rows == cols, 0.5, 1.0) * moved * image).sum())
