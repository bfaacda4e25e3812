"""The graphical lasso with hidden factors, solved by Newton steps.

Neurons that share unobserved causes have a precision matrix Theta - L, where Theta is sparse and L positive semidefinite
of low rank (Chandrasekaran, Parrilo and Willsky, 2012). The minimiser of

    -log det(Theta - L) + tr(S (Theta - L)) + alpha sum_{i != j} |Theta_ij| + mu tr(L)

is found over Theta alone, with the best L for each: :mod:`best_factors` has it in closed form, at one eigendecomposition,
and :mod:`place` its Hessian. All else is the plain problem's: :mod:`glasso_cli.solvers.newton.solve`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glasso_cli.engine.threads import numpy_on_one_thread
from glasso_cli.solvers.base import Start
from glasso_cli.solvers.latent.place import FactorPlace
from glasso_cli.solvers.latent.problem import FactorProblem
from glasso_cli.solvers.newton.solve import solve_at


@dataclass(frozen=True, eq=False)
class LatentResult:
    """Theta, the factors of L, and their certificate."""

    precision: np.ndarray  # (p, p) Theta, sparse
    factors: np.ndarray  # (p, r) V, with L = V V', its columns orthogonal and decreasing
    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float
    n_iter: int
    converged: bool


def nuclear_penalty(alpha: float, p: int, factor: float) -> float:
    """mu = factor alpha sqrt(p / log p): sampling errors of eigenvalues over those of entries."""
    return factor * alpha * math.sqrt(p / math.log(max(p, 3)))


@numpy_on_one_thread()
def solve(
    covariance: np.ndarray, alpha: float, mu: float, *, init: Start = None, tol: float = 1e-7, max_iter: int = 1000
) -> LatentResult:
    """The minimiser for ``covariance (p, p)``, started from a Theta; the best point seen if not converged."""
    problem = FactorProblem.with_factors(covariance, alpha, mu)
    place = FactorPlace(problem.S, problem.trace_weights)
    result = solve_at(place, problem, init, tol, max_iter)
    s = problem.unit
    best = place.factorise(result.precision * np.multiply.outer(s, s), np.float64)
    assert best is not None
    return LatentResult(
        precision=result.precision,
        factors=best.factors() / s[:, None],
        objective=result.objective,
        duality_gap=result.duality_gap,
        kkt_residual=result.kkt_residual,
        n_iter=result.n_iter,
        converged=result.converged,
    )
