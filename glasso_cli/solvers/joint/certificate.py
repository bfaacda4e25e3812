"""The joint graphical lasso problem, and how far K precision matrices are from its optimum, proved by a dual point.

minimise  sum_k w_k (-log det Theta_k + tr(S_k Theta_k)) + sum_{i != j} P(Theta_1,ij, ..., Theta_K,ij)

over positive definite Theta_k, where P is a penalty of ``joint_penalty`` and the diagonal is free. The dual maximises
sum_k w_k (log det W_k + p) over positive definite W_k with W_k,ii = S_k,ii and, for every pair, the vector of the K
numbers w_k (W_k - S_k)_ij in the set C of the penalty. Stacks of K matrices are arrays ``(K, p, p)`` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glasso_cli.linalg.cholesky import Inverse, invert, log_det
from glasso_cli.solvers.joint.penalty import Penalty


@dataclass(frozen=True, eq=False)
class JointProblem:
    """What is minimised."""

    covariances: np.ndarray  # (K, p, p)
    weights: np.ndarray  # (K,)
    penalty: Penalty

    @property
    def shape(self) -> tuple[int, int]:
        """K and p."""
        return self.covariances.shape[0], self.covariances.shape[1]

    @property
    def total(self) -> float:
        """What a gap per neuron is multiplied with to be one of the objective."""
        return float(self.weights.sum()) * len(self.covariances[0])

    def of(self, members: np.ndarray) -> JointProblem:
        """The problem of some of the neurons."""
        return JointProblem(self.covariances[:, members[:, None], members], self.weights, self.penalty)

    def isolated(self) -> np.ndarray:
        """The precisions ``(K, p, p)`` of isolated neurons."""
        return np.stack([np.diag(1 / S.diagonal()) for S in self.covariances])


@dataclass(frozen=True, eq=False)
class JointPoint:
    """Positive definite precisions and what they are worth."""

    precisions: np.ndarray  # (K, p, p)
    objective: float  # nats
    duality_gap: float  # nats per neuron and unit of weight
    kkt_residual: float  # largest entry of the smallest subgradient, on the scale of the lambdas


def judged(precisions: np.ndarray, problem: JointProblem) -> JointPoint:
    """The point that finite symmetric precisions amount to.

    Where one is not positive definite all are first moved, by halves, towards the isolated neurons.
    """
    precisions, inverses = _definite(precisions, problem)
    W = np.stack([inverse.matrix for inverse in inverses])
    S, weights, penalty = problem.covariances, problem.weights, problem.penalty
    log_dets = np.array([inverse.log_det for inverse in inverses])
    x, u = _pairs(precisions), _pairs(weights[:, None, None] * (W - S))
    fits = np.einsum("kij,kij->k", S, precisions)
    objective = float(weights @ (fits - log_dets)) + 2 * penalty.value(x)
    residual = penalty.residual(x, u)
    best = max(_bounds(problem, W, u, residual))
    diagonals = np.einsum("kii->ki", weights[:, None, None] * (W - S))
    worst = max(float(np.abs(residual).max(initial=0.0)), float(np.abs(diagonals).max()))
    return JointPoint(precisions, objective, max(0.0, objective - best) / problem.total, worst)


def _definite(precisions: np.ndarray, problem: JointProblem) -> tuple[np.ndarray, list[Inverse]]:
    keep, candidate = 1.0, precisions
    while None in (inverses := [invert(Theta) for Theta in candidate]):
        keep /= 2
        candidate = keep * precisions + (1 - keep) * problem.isolated()
    return candidate, [inverse for inverse in inverses if inverse]


def _bounds(problem: JointProblem, W: np.ndarray, u: np.ndarray, residual: np.ndarray) -> Iterator[float]:
    """Lower bounds on the objective, -inf where a dual point is not positive definite.

    *Face point*: where the penalty has a gradient at the precisions that gradient, elsewhere the subgradient nearest to
    u. Its gap is of second order in the error. *Projected point*: u projected onto C. *Segment point*: from S towards W
    with its diagonals rescaled to those of S, as far as C goes: positive definite wherever the S are semidefinite.
    """
    best = -np.inf
    for inside in (u - residual, u - problem.penalty.prox(u)):
        bound = _bound(problem, inside)
        best = max(best, bound)
        yield bound
    if best == -np.inf:
        yield _segment_bound(problem, W)


def _bound(problem: JointProblem, inside: np.ndarray) -> float:
    K, p = problem.shape
    rows, cols = np.triu_indices(p, 1)
    total = problem.total
    for k in range(K):
        point = problem.covariances[k].copy()
        point[rows, cols] += inside[k] / problem.weights[k]
        point[cols, rows] = point[rows, cols]
        total += float(problem.weights[k]) * log_det(point, overwrite=True)
    return total


def _segment_bound(problem: JointProblem, W: np.ndarray) -> float:
    S = problem.covariances
    scale = np.sqrt(np.einsum("kii->ki", S) / np.einsum("kii->ki", W))
    step = _pairs(problem.weights[:, None, None] * (W * scale[:, :, None] * scale[:, None, :] - S))
    return _bound(problem, step / max(1.0, problem.penalty.gauge(step)))


def _pairs(matrices: np.ndarray) -> np.ndarray:
    """What is above the diagonals, ``(K, p (p - 1) / 2)``."""
    rows, cols = np.triu_indices(matrices.shape[1], 1)
    return np.asarray(matrices[:, rows, cols])
