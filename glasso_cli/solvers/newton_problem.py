"""The problem in the units given, and the equal one for the correlation matrix, on which Newton's method works."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.solvers.base import Alpha, Start, dense_start, free_diagonal, row_blocks
from glasso_cli.solvers.cholesky import Inverse


@dataclass(frozen=True, eq=False)
class Problem:
    """The problem as given, and the equal one for the correlation matrix: weights alpha_ij / (s_i s_j)."""

    covariance: np.ndarray
    alpha: Alpha
    S: np.ndarray  # (p, p) with unit diagonal
    weights: np.ndarray  # (p, p), 0 on the diagonal where it matters
    deviation: np.ndarray | None  # s (p,), None where all are 1

    @classmethod
    def of(cls, covariance: np.ndarray, alpha: Alpha) -> Problem:
        S, weights = free_diagonal(covariance, alpha)
        variance = S.diagonal()
        deviation = None if (variance == 1).all() else np.sqrt(variance)
        if deviation is not None:
            S = _scaled(np.divide, S, deviation)
            np.fill_diagonal(S, 1.0)
            weights = _scaled_weights(weights, deviation)
        return cls(covariance, alpha, S, np.broadcast_to(np.asarray(weights, np.float64), S.shape), deviation)

    @property
    def typical_weight(self) -> float:
        """The median of the positive finite weights: the scale of violations."""
        if self.weights.strides == (0, 0):
            return float(self.weights[0, 0])
        some = self.weights[(self.weights > 0) & np.isfinite(self.weights)]
        return float(np.median(some)) if len(some) else 1.0

    def precision_from(self, init: Start) -> np.ndarray:
        """The precision of a start, in the units of the correlation and without its forced zeros; always a new array."""
        dense = dense_start(init, self.S, 1.0)
        if self.deviation is not None:
            dense = _scaled(np.multiply, dense, self.deviation)
        elif dense is init:
            dense = dense.copy()
        if self.weights.strides != (0, 0):
            dense[np.isinf(self.weights)] = 0.0
        return dense

    def as_given(self, Theta: np.ndarray, inverse: Inverse) -> tuple[np.ndarray, Inverse]:
        """A precision and its inverse in the units of the covariance given; the same arrays where those are its own."""
        s = self.deviation
        if s is None:
            return Theta, inverse
        log_det = inverse.log_det - 2 * float(np.log(s).sum())
        return _scaled(np.divide, Theta, s), Inverse(_scaled(np.multiply, inverse.matrix, s), log_det)


def _scaled(operation: np.ufunc, matrix: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The matrix with entries times, or divided by, s_i s_j: exactly symmetric if it was."""
    out = np.empty(matrix.shape)
    for rows in row_blocks(len(matrix)):
        operation(matrix[rows], np.outer(s[rows], s), out=out[rows])
    return out


def _scaled_weights(weights: Alpha, s: np.ndarray) -> Alpha:
    """Weights divided by s_i s_j: one number if it was one and all s are equal."""
    if isinstance(weights, np.ndarray):
        return _scaled(np.divide, weights, s)
    if (s == s[0]).all():
        return weights / float(s[0] * s[0])
    return _scaled(np.divide, np.broadcast_to(weights, (len(s), len(s))), s)


@dataclass(frozen=True, eq=False)
class Point:
    """A precision matrix of the correlation problem with its inverse, in float32 or float64."""

    Theta: np.ndarray  # float64
    inverse: Inverse

    @property
    def connected(self) -> bool:
        """Whether there are edges."""
        return bool(np.count_nonzero(self.Theta) > len(self.Theta))

    @property
    def swollen(self) -> float:
        """The largest variance; all are 1 at the answer."""
        return float(self.inverse.matrix.diagonal().max())
