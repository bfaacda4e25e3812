"""The problem in the units given, and the equal one for the correlation matrix, on which Newton's method works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg import pages
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.base import SolverResult, Start, dense_start
from glasso_cli.solvers.certificate import Certificate, certificate
from glasso_cli.solvers.problem import Alpha, free_variance
from glasso_cli.solvers.rows import row_blocks


@dataclass(frozen=True, eq=False)
class Problem:
    """A problem for a correlation matrix, equal to the one given: its weights are alpha_ij / (s_i s_j).

    Theta is s_i s_j times that of the one given, whose objective is larger by 2 sum_i log s_i; the gap is the same.
    """

    S: np.ndarray  # (p, p) with unit diagonal
    alpha: Alpha  # a number, or (p, p) with 0 on the diagonal
    deviation: np.ndarray | None  # s (p,), None where all are 1

    splits: ClassVar[bool] = True  # whether ADMM can take turns

    @property
    def unit(self) -> np.ndarray:
        """s ``(p,)``, also where all are 1."""
        return np.ones(len(self.S)) if self.deviation is None else self.deviation

    @classmethod
    def of(cls, covariance: np.ndarray, alpha: Alpha, overwrite: bool = False) -> Problem:
        """With ``overwrite``, S can take the place of the covariance."""
        alpha = float(alpha) if np.ndim(alpha) == 0 else np.asarray(alpha, dtype=np.float64)
        variance = free_variance(covariance, alpha)
        if (variance == 1).all() and not (isinstance(alpha, np.ndarray) and alpha.diagonal().any()):
            return cls(covariance, alpha, None)
        deviation = np.sqrt(variance)
        S = _scaled(np.divide, covariance, deviation, out=covariance if overwrite else None)
        np.fill_diagonal(S, 1.0)
        return cls(S, _scaled_weights(alpha, deviation), deviation)

    @property
    def weights(self) -> np.ndarray:
        """``(p, p)``; what stands on the diagonal does not matter."""
        return np.broadcast_to(np.asarray(self.alpha, np.float64), self.S.shape)

    @property
    def typical_weight(self) -> float:
        """The median of the positive finite weights: the scale of violations."""
        if not isinstance(self.alpha, np.ndarray):
            return self.alpha
        some = self.alpha[(self.alpha > 0) & np.isfinite(self.alpha)]
        return float(np.median(some)) if len(some) else 1.0

    def precision_from(self, init: Start) -> np.ndarray:
        """The precision of a start, in the units of the correlation and without its forced zeros; always a new array."""
        dense = dense_start(init, self.S, 1.0)
        if self.deviation is not None:
            dense = _scaled(np.multiply, dense, self.deviation, out=None if dense is init else dense)
        elif dense is init:
            dense = pages.copy(dense)
        if isinstance(self.alpha, np.ndarray):
            dense[np.isinf(self.alpha)] = 0.0
        return dense

    def certificate(self, Theta: np.ndarray, inverse: Inverse, enough: float) -> Certificate:
        """That of :func:`base.certificate`, with the objective and the residual of the problem given."""
        proof = certificate(
            Theta, self.S, self.alpha, inverse, enough=enough, units=self.deviation, also=self.also_inside
        )
        if self.deviation is None:
            return proof
        return replace(proof, objective=proof.objective + 2 * float(np.log(self.deviation).sum()))

    @property
    def also_inside(self) -> Callable[[np.ndarray], None] | None:
        """What moves a dual point W, in place, to where the constraints hold that the plain problem does not have."""
        return None

    def as_given(self, Theta: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A precision and its inverse in the units of the covariance given, in the same arrays."""
        if self.deviation is not None:
            _scaled(np.divide, Theta, self.deviation, out=Theta)
            _scaled(np.multiply, W, self.deviation, out=W)
        return Theta, W

    def result(self, Theta: np.ndarray, inverse: Inverse, proof: Certificate, converged: bool) -> SolverResult:
        """A point in the units given; it takes the arrays over."""
        precision, covariance = self.as_given(Theta, inverse.matrix)
        gap, residual = proof.duality_gap, proof.kkt_residual
        return SolverResult(precision, covariance, proof.objective, gap, residual, 0, converged)


def _scaled(operation: np.ufunc, matrix: np.ndarray, s: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix with entries times, or divided by, s_i s_j, in ``out`` if given: exactly symmetric if it was."""
    out = pages.empty(matrix.shape) if out is None else out
    for rows in row_blocks(len(matrix)):
        operation(matrix[rows], np.outer(s[rows], s), out=out[rows])
    return out


def _scaled_weights(alpha: Alpha, s: np.ndarray) -> Alpha:
    """Weights divided by s_i s_j: one number if it was one and all s are equal; a matrix has 0 on the diagonal."""
    if not isinstance(alpha, np.ndarray) and (s == s[0]).all():
        return alpha / float(s[0] * s[0])
    weights = _scaled(np.divide, np.broadcast_to(alpha, (len(s), len(s))), s)
    np.fill_diagonal(weights, 0.0)
    return weights


@dataclass(frozen=True, eq=False)
class Point:
    """A precision matrix of the correlation problem with its inverse, in float32 or float64."""

    Theta: np.ndarray  # float64
    inverse: Inverse

    @property
    def connected(self) -> bool:
        """Whether there are edges."""
        return bool(np.count_nonzero(self.Theta) > len(self.Theta))

    def without_inverse(self) -> Point:
        """The same before its inverse is known."""
        return Point(self.Theta, Inverse(np.empty((0, 0)), self.inverse.log_det))

    def rounded(self) -> Point:
        """The same with the inverse in float32."""
        matrix = self.inverse.matrix
        if matrix.dtype == np.float32:
            return self
        return Point(self.Theta, replace(self.inverse, matrix=pages.copy(matrix, np.float32)))

    @property
    def swollen(self) -> float:
        """The largest variance; all are 1 at the answer."""
        return float(self.inverse.matrix.diagonal().max())


@dataclass(frozen=True, eq=False)
class SparsePoint:
    """A precision matrix that is seldom asked for, with its certificate."""

    Theta: csr_array
    proof: Certificate
