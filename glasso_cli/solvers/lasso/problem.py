"""The regressions of an ordered graph, and the certificate of a solution.

For each target neuron with the correlations r ``(k,)`` to the k neurons of earlier layers, its predictors, and their
correlation matrix R ``(k, k)``:

    minimise  1/2 - r' b + b' R b / 2 + alpha |b|_1

The first three terms are half of the residual variance, in units of the variance of the target. That is the negative
log-likelihood per token, in nats and without constants, of a Gaussian with the variance of the target. (The lasso:
Tibshirani, 1996. For neighbours in a graph: Meinshausen and Buehlmann, 2006.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

_TARGETS = 256  # whose gradients are in memory at once


@dataclass(frozen=True)
class Step:
    """The targets of one layer are neurons ``start`` to ``stop``; their predictors are all neurons before ``start``."""

    start: int
    stop: int

    @property
    def targets(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def pairs(self) -> int:
        """Pairs of a predictor and a target."""
        return self.start * (self.stop - self.start)

    def parts(self) -> Iterator[slice]:
        """A few of the targets at a time."""
        for first in range(self.start, self.stop, _TARGETS):
            yield slice(first, min(self.stop, first + _TARGETS))


@dataclass(frozen=True, eq=False)
class Regressions:
    """Correlations ``(p, p)`` of p neurons in the order of their layers, and where each layer begins.

    ``starts (L,)`` are the first neurons of the layers, increasing; the first is 0. The diagonal of the correlation is 1.
    """

    correlation: np.ndarray
    starts: tuple[int, ...]

    @classmethod
    def of(cls, correlation: np.ndarray, layers: np.ndarray) -> Regressions:
        """The regressions of neurons whose ``layers (p,)`` do not decrease."""
        changes = np.flatnonzero(np.diff(layers)) + 1
        return cls(np.ascontiguousarray(correlation, dtype=np.float64), (0, *changes.tolist()))

    def of_step(self, step: Step) -> Regressions:
        """The regressions of one layer by themselves, all earlier neurons as one layer."""
        return Regressions(np.ascontiguousarray(self.correlation[: step.stop, : step.stop]), (0, step.start))

    @property
    def n_neurons(self) -> int:
        return len(self.correlation)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """One for every layer but the first."""
        ends = (*self.starts[1:], self.n_neurons)
        return tuple(Step(start, stop) for start, stop in zip(self.starts, ends) if start)

    @property
    def pairs(self) -> int:
        """Pairs of neurons in two layers."""
        return sum(step.pairs for step in self.steps)

    @cached_property
    def strongest(self) -> float:
        """The largest absolute correlation between layers: from this alpha on, all coefficients are zero."""
        return max((float(np.abs(self.between(step)).max()) for step in self.steps), default=0.0)

    def between(self, step: Step) -> np.ndarray:
        """Correlations ``(m, k)`` of the targets of a step with their predictors."""
        return self.correlation[step.targets, : step.start]

    def sizes(self) -> np.ndarray:
        """Absolute correlations of all pairs between layers, in no order."""
        return np.concatenate([np.abs(self.between(step)).ravel() for step in self.steps])


@dataclass(frozen=True, eq=False)
class RegressionCertificate:
    """How far the coefficients of m targets are from the optimum, from the coefficients alone."""

    objective: np.ndarray  # (m,) nats per token
    gap: np.ndarray  # (m,) nats per token: the objective is at most this far above the optimum
    kkt_residual: np.ndarray  # (m,) largest violation of an optimality condition, on the scale of alpha
    residual: np.ndarray  # (m,) variance of the residual over that of the target


def certificate(R: np.ndarray, r: np.ndarray, coefficients: csr_array, alpha: float) -> RegressionCertificate:
    """The certificate of ``coefficients (m, k)`` for predictors correlated by R ``(k, k)`` and with the targets by r ``(m, k)``.

    The dual maximises y' v - v' v / 2 over |X' v| <= alpha (Kim, Koh, Lustig, Boyd and Gorinevsky, 2007). Every multiple
    v = s (y - X b) of the residual is a function of R and r alone, and the best feasible s is taken. Gap and objective hold
    for any positive semidefinite R.
    """
    gradient = r - coefficients @ R  # X' (y - X b)
    rows = np.repeat(np.arange(len(r)), np.diff(coefficients.indptr))
    b, places = coefficients.data, (rows, coefficients.indices)

    def summed(terms: np.ndarray) -> np.ndarray:
        return np.bincount(rows, terms, minlength=len(r)).astype(np.float64, copy=False)  # of none, whole numbers

    residual = np.maximum(1 - summed(b * (r[places] + gradient[places])), 0.0)
    onto = 1 - summed(b * r[places])  # y' (y - X b)
    objective = residual / 2 + alpha * summed(np.abs(b))
    largest = np.abs(gradient).max(axis=1, initial=0.0)
    best = np.divide(onto, residual, out=np.zeros_like(onto), where=residual > 0)
    limit = np.divide(alpha, largest, out=np.full_like(largest, np.inf), where=largest > 0)
    scale = np.clip(best, -limit, limit)
    gap = np.maximum(objective - (scale * onto - scale**2 * residual / 2), 0.0)
    violation = np.abs(gradient) - alpha
    violation[places] = np.abs(gradient[places] - alpha * np.sign(b))
    return RegressionCertificate(objective, gap, np.maximum(violation.max(axis=1, initial=0.0), 0.0), residual)
