"""The problem of Theta alone, with its certificate.

The dual is to maximise log det W + p over W with |W_ij - S_ij| <= alpha_ij, W_ii = S_ii and S - W <= M.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import eigh

from glasso_cli.linalg.cholesky import Inverse, log_det
from glasso_cli.solvers.certificate import Certificate, box_point, kkt_residual, objective
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
        s = np.ones(len(covariance)) if problem.deviation is None else problem.deviation
        return cls(problem.S, problem.alpha, problem.deviation, mu / s**2)

    def certificate(self, Theta: np.ndarray, inverse: Inverse, enough: float) -> Certificate:
        """See :class:`Problem`; W from the sign point and the box point of the plain problem, moved to S as far as needed."""
        S, p = self.S, len(self.S)
        value = objective(Theta, S, self.alpha, inverse)
        best, point = -np.inf, np.empty(S.shape)
        for trust_signs in (True, False):
            box_point(Theta, inverse.matrix, S, self.weights, trust_signs, point)
            self._move_inside(point)
            best = max(best, log_det(point, overwrite=True))
            if value - best - p <= enough * p:
                break
        residual = kkt_residual(Theta, S, self.alpha, inverse, self.deviation)
        shift = 0.0 if self.deviation is None else 2 * float(np.log(self.deviation).sum())
        return Certificate(value + shift, max(0.0, value - best - p) / p, residual)

    def _move_inside(self, W: np.ndarray) -> None:
        """Move W, in place, towards S until S - W <= M."""
        root = 1 / np.sqrt(self.trace_weights)
        apart = self.S - W
        apart *= root[:, None]
        apart *= root
        p = len(apart)
        largest = eigh(apart, eigvals_only=True, subset_by_index=[p - 1, p - 1], overwrite_a=True, check_finite=False)[
            0
        ]
        length = min(1.0, 1 / max(float(largest), 1e-300))
        if length < 1:
            W -= self.S
            W *= length
            W += self.S
