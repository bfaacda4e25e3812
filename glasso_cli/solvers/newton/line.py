"""The objective along a Newton step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.solvers.newton.free_set import FreeSet
from glasso_cli.solvers.newton.problem import Point


@dataclass(frozen=True, eq=False)
class Line:
    """The objective along a step, but for the log determinant."""

    S: np.ndarray  # (m,) covariances of the free entries
    free: FreeSet
    step: np.ndarray
    times: np.ndarray  # (m,) 2 off the diagonal
    slope: float  # of the model at 0: smooth part plus change of the penalty over the whole step

    @classmethod
    def of(cls, S: np.ndarray, free: FreeSet, step: np.ndarray) -> Line:
        times = np.where(free.rows == free.cols, 1.0, 2.0)
        penalty = free.weights * (np.abs(free.values + step) - np.abs(free.values))
        slope = float((times * (free.gradient * step + penalty)).sum())
        return cls(S[free.rows, free.cols], free, step, times, slope)

    def value(self, length: float, log_det: float) -> float:
        values = self.free.values + length * self.step
        return float((self.times * (self.S * values + self.free.weights * np.abs(values))).sum()) - log_det

    def rounding(self, length: float, point: Point) -> float:
        """How far tr(Theta W) is from what it should be, relatively: an exact inverse gives 0."""
        values = self.free.values + length * self.step
        total = float((self.times * values * point.inverse.matrix[self.free.rows, self.free.cols]).sum())
        return abs(total / point.inverse.product_trace - 1)
