"""The problem of Theta alone, with its certificate.

The dual is to maximise log det W + p over W with |W_ij - S_ij| <= alpha_ij, W_ii = S_ii and S - W <= M.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import eigh

from glasso_cli.solvers.newton.problem import Problem


@dataclass(frozen=True, eq=False)
class FactorProblem(Problem):
    """The one given, for the correlation matrix: M = diag(mu / s_i^2)."""

    trace_weights: np.ndarray  # (p,)

    splits: ClassVar[bool] = False

    @classmethod
    def with_factors(cls, covariance: np.ndarray, alpha: float, mu: float) -> FactorProblem:
        """The problem of a covariance ``(p, p)``."""
        problem = Problem.of(covariance, alpha)
        return cls(problem.S, problem.alpha, problem.deviation, mu / problem.unit**2)

    @property
    def also_inside(self) -> Callable[[np.ndarray], None]:
        """See :class:`Problem`."""
        return self._move_inside

    def _move_inside(self, W: np.ndarray) -> None:
        """Move W, in place, towards S until S - W <= M."""
        root = 1 / np.sqrt(self.trace_weights)
        apart = self.S - W
        apart *= root[:, None]
        apart *= root
        last = len(apart) - 1
        (largest,) = eigh(apart, eigvals_only=True, subset_by_index=[last, last], overwrite_a=True, check_finite=False)
        length = min(1.0, 1 / max(float(largest), 1e-300))
        if length < 1:
            W -= self.S
            W *= length
            W += self.S
