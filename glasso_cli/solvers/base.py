"""The graphical lasso problem, its optimality certificate, and the result every solver returns.

minimise  -log det Theta + tr(S Theta) + sum_{i != j} alpha_ij |Theta_ij|  over positive definite Theta,

where S is a covariance or correlation matrix and ``alpha`` is a number or a symmetric matrix of weights
``(p, p)``: 0 leaves an entry unpenalised, inf forces it to zero. The diagonal is penalised only where the
diagonal of the weights is not zero. Letters: W is the inverse of Theta, G = S - W the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg import pages
from glasso_cli.linalg.cholesky import Inverse, invert
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.problem import Alpha, free_variance


@dataclass(frozen=True, eq=False)
class SolverResult:
    """A sparse precision matrix with the certificate of how good it is."""

    precision: np.ndarray  # (p, p) float64, exactly symmetric, exact zeros
    covariance: np.ndarray  # (p, p) float64, the inverse of the precision
    objective: float  # nats
    duality_gap: float  # nats per neuron: the objective is at most p * duality_gap above the optimum
    kkt_residual: float  # largest violation of an optimality condition, on the scale of alpha
    n_iter: int
    converged: bool  # duality_gap <= tol, nothing else
    cost: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        edges = (np.count_nonzero(self.precision) - len(self.precision)) // 2
        sizes = f"{len(self.precision):,} neurons, {edges:,} edges"
        return f"SolverResult({sizes}, duality gap {self.duality_gap:.1e} after {self.n_iter} iterations)"


Start: TypeAlias = np.ndarray | csr_array | None
"""A positive definite precision matrix ``(p, p)`` to begin with; None for isolated neurons."""


class Solver(Protocol):
    """Any solver: the minimiser with its certificate, or the best point seen if it does not converge.

    ``covariance (p, p)`` and ``alpha`` are a problem that :func:`check_problem` accepts. ``init`` is where to start. The
    solver stops at a duality gap of ``tol`` nats per neuron, or after ``max_iter`` of its iterations. With
    ``overwrite_covariance`` it may destroy the covariance, and can do with one buffer less.
    """

    def __call__(
        self,
        covariance: np.ndarray,
        alpha: Alpha,
        *,
        init: Start = None,
        tol: float = 1e-7,
        max_iter: int = 1000,
        overwrite_covariance: bool = False,
    ) -> SolverResult: ...


# -- from a precision matrix to a result ----------------------------------------------------------


def certified(
    precision: np.ndarray,
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    tol: float,
    n_iter: int,
    cost: dict[str, int] | None = None,
) -> SolverResult:
    """The result that a finite symmetric ``precision`` amounts to.

    One that is not positive definite is first moved, by halves, towards the isolated neurons.
    """
    precision, inverse = _definite(precision, covariance, alpha)
    proof = certificate(precision, covariance, alpha, inverse)
    return SolverResult(
        precision=precision,
        covariance=inverse.matrix,
        objective=proof.objective,
        duality_gap=proof.duality_gap,
        kkt_residual=proof.kkt_residual,
        n_iter=n_iter,
        converged=proof.duality_gap <= tol,
        cost=dict(cost or {}),
    )


def _definite(precision: np.ndarray, covariance: np.ndarray, alpha: Alpha) -> tuple[np.ndarray, Inverse]:
    keep, candidate = 1.0, precision
    while (inverse := invert(candidate)) is None:
        keep /= 2
        candidate = keep * precision + (1 - keep) * diagonal_start(covariance, alpha)
    return candidate, inverse


def dense_start(init: Start, covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The precision ``(p, p)`` that a solver is to start from."""
    if init is None:
        return diagonal_start(covariance, alpha)
    return init.toarray(out=pages.empty(init.shape)) if isinstance(init, csr_array) else init


def diagonal_start(covariance: np.ndarray, alpha: Alpha) -> np.ndarray:
    """The precision ``(p, p)`` of isolated neurons: the optimum from ``alpha_max`` on."""
    return np.diag(1.0 / free_variance(covariance, alpha))


def symmetric_support(matrix: np.ndarray) -> np.ndarray:
    """The average of a matrix and its transpose, exactly zero where either is."""
    return np.where((matrix != 0) & (matrix.T != 0), (matrix + matrix.T) / 2, 0.0)
