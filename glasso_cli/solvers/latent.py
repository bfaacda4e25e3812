"""The graphical lasso with hidden factors: a sparse precision matrix less one of low rank.

Neurons that share unobserved causes have a precision matrix Theta - L, where Theta is sparse and L positive semidefinite
of low rank (Chandrasekaran, Parrilo and Willsky, 2012). The minimiser of

    -log det(Theta - L) + tr(S (Theta - L)) + alpha sum_{i != j} |Theta_ij| + mu tr(L)

is found by GGLasso's ADMM and judged by our own duality gap. Two eigendecompositions an iteration: for up to ``MOST``
neurons. The dual is to maximise log det W + p over W with |W_ij - S_ij| <= alpha, W_ii = S_ii and S - W <= mu I.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.linalg.cholesky import invert, log_det
from glasso_cli.solvers.base import symmetric_support
from glasso_cli.solvers.gglasso import quiet_admm

MOST = 1000  # neurons
_TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)  # of GGLasso, one after the other until the gap is closed
_NO_RANK = 1e-9  # an eigenvalue of L below this share of the largest is none


@dataclass(frozen=True, eq=False)
class LatentResult:
    """Theta, the factors of L, and their certificate."""

    precision: np.ndarray  # (p, p) Theta, sparse
    factors: np.ndarray  # (p, r) V, with L = V V'
    objective: float  # nats
    duality_gap: float  # nats per neuron
    kkt_residual: float
    n_iter: int
    converged: bool


def nuclear_penalty(alpha: float, p: int, factor: float) -> float:
    """mu = factor alpha sqrt(p / log p): sampling errors of eigenvalues over those of entries."""
    return factor * alpha * math.sqrt(p / math.log(max(p, 3)))


def solve(covariance: np.ndarray, alpha: float, mu: float, *, tol: float = 1e-7, max_iter: int = 1000) -> LatentResult:
    """The minimiser for ``covariance (p, p)``; the best point seen if not converged.

    Raises :class:`InputError` for more than ``MOST`` neurons.
    """
    p = len(covariance)
    if p > MOST:
        raise InputError(
            f"Hidden factors cost two eigendecompositions an iteration: {p:,} neurons are more than the {MOST:,} it is for.",
            "Take the leading components out instead (fit.remove_factors), or fit fewer neurons.",
        )
    omega = np.diag(1 / covariance.diagonal())
    start = {"Omega_0": omega, "Theta_0": omega, "X_0": np.zeros_like(omega)}
    best = certified(omega, np.zeros((p, 0)), covariance, alpha, mu, tol, 0)
    n_iter = 0
    for tolerance in _TOLERANCES:
        if best.converged or n_iter >= max_iter:
            break
        solution, steps = quiet_admm(
            covariance, alpha, **start, tol=tolerance, rtol=tolerance, max_iter=max_iter - n_iter, latent=True, mu1=mu
        )
        n_iter += steps
        Theta, L = symmetric_support(solution["Theta"]), (solution["L"] + solution["L"].T) / 2
        latest = certified(Theta, _factors(L), covariance, alpha, mu, tol, n_iter)
        best = min(latest, best, key=lambda result: result.duality_gap)
        # GGLasso starts with L = 0: Theta - L is where its first step goes on from.
        start = {"Omega_0": solution["Omega"], "Theta_0": Theta - L, "X_0": solution["X"]}
    return best


def certified(
    Theta: np.ndarray, V: np.ndarray, S: np.ndarray, alpha: float, mu: float, tol: float, n_iter: int
) -> LatentResult:
    """The result that Theta and L = V V' amount to; an infinite gap where Theta - L is not positive definite."""
    p = len(S)
    inverse = invert(Theta - V @ V.T)
    if inverse is None:
        return LatentResult(Theta, V, np.inf, np.inf, np.inf, n_iter, False)
    off = float(np.abs(Theta).sum() - np.abs(Theta.diagonal()).sum())
    trace = float(np.vdot(S, Theta) - np.vdot(S @ V, V))
    objective = -inverse.log_det + trace + alpha * off + mu * float((V**2).sum())
    inside = np.clip(inverse.matrix - S, -alpha, alpha)
    np.fill_diagonal(inside, 0.0)
    lowest = float(np.linalg.eigvalsh(inside)[0])
    inside *= min(1.0, mu / max(-lowest, 1e-300))
    bound = log_det(S + inside) + p
    residual = max(float(np.abs(inverse.matrix - S - inside).max()), 0.0)
    gap = (objective - bound) / p
    return LatentResult(Theta, V, objective, gap, residual, n_iter, gap <= tol)


def _factors(L: np.ndarray) -> np.ndarray:
    """V ``(p, r)`` with V V' = the positive part of L, strongest first."""
    values, vectors = np.linalg.eigh(L)
    kept = values > max(_NO_RANK * values[-1], 1e-12)
    return np.asarray((vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1])
