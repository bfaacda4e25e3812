"""The graphical lasso by GGLasso's ADMM, run in short stretches until our own certificate holds.

GGLasso (Schaipp, Vlasovets and Mueller, JOSS 2021) stops by residuals whose tolerance grows with p^2 and
returns a sparse Theta that need not be positive definite. Here it only iterates: the dual gap decides when
to stop, and the step rho is set between stretches from the residuals of the iterates themselves.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from glasso_cli.linalg.cholesky import invert
from glasso_cli.solvers.base import SolverResult, Start, certified, dense_start, symmetric_support
from glasso_cli.solvers.problem import Alpha, free_diagonal

STRETCH = 10  # iterations between two certificates, which cost about one iteration together
ADAPTED = 200  # rho stays fixed from this iteration on, where ADMM is known to converge
_FORCED = 1e12  # GGLasso compares weights by subtraction, so infinity has to be a number


@dataclass(frozen=True, eq=False)
class _State:
    """ADMM's variables in GGLasso's letters: Omega is positive definite, Theta sparse, X the scaled dual."""

    Omega: np.ndarray
    Theta: np.ndarray
    X: np.ndarray
    rho: float


def solve(
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    init: Start = None,
    tol: float = 1e-7,
    max_iter: int = 1000,
    overwrite_covariance: bool = False,
) -> SolverResult:
    """The minimiser by ADMM, one eigendecomposition an iteration; the best point seen if not converged.

    Equivalent to ``gglasso.solver.single_admm_solver.ADMM_SGL`` with ``lambda1=alpha``. ``init`` is a
    positive definite precision ``(p, p)`` to start from.
    """
    best = certified(dense_start(init, covariance, alpha), covariance, alpha, tol=tol, n_iter=0)
    R, weights, scale = _as_correlation(covariance, alpha)
    state = _start(best, R, weights, scale)
    n_iter = 0
    while not best.converged and n_iter < max_iter:
        steps = min(STRETCH, max_iter - n_iter)
        state = _advance(state, R, weights, steps)
        n_iter += steps
        cost = {"n_eigh": n_iter}
        latest = certified(state.Theta / scale, covariance, alpha, tol=tol, n_iter=n_iter, cost=cost)
        best = min(latest, best, key=lambda result: result.duality_gap)
        if n_iter <= ADAPTED:
            state = _balanced(state, R)
    return replace(best, n_iter=n_iter)


def _as_correlation(covariance: np.ndarray, alpha: Alpha) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The equal problem for the correlation matrix, where a step of rho = 1 is the natural one.

    With s_ij = sqrt(S_ii S_jj) it has weights alpha_ij / s_ij and the solution Theta_ij s_ij.
    """
    S, weights = free_diagonal(covariance, alpha)
    deviation = np.sqrt(S.diagonal())
    scale = np.outer(deviation, deviation)
    return S / scale, np.minimum(weights, _FORCED) / scale, scale


def _start(result: SolverResult, R: np.ndarray, weights: np.ndarray, scale: np.ndarray) -> _State:
    """A start at the result, with its dual variable as far as the box allows."""
    dual = np.clip(result.covariance / scale - R, -weights, weights)
    np.fill_diagonal(dual, 0.0)
    Theta = result.precision * scale
    return _State(Theta, Theta, dual, 1.0)


def _advance(state: _State, R: np.ndarray, weights: np.ndarray, steps: int) -> _State:
    """The state after exactly ``steps`` iterations: tolerances of zero keep GGLasso from stopping."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution, _ = _admm()(
            R,
            1.0,
            state.Omega,
            Theta_0=state.Theta,
            X_0=state.X,
            rho=state.rho,
            max_iter=steps,
            tol=0.0,
            rtol=0.0,
            update_rho=False,
            lambda1_mask=weights,
        )
    Omega, Theta, X = solution["Omega"], solution["Theta"], solution["X"]
    return _State((Omega + Omega.T) / 2, symmetric_support(Theta), (X + X.T) / 2, state.rho)


@cache
def _admm() -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its docstrings, at its first compilation
        from gglasso.solver.single_admm_solver import ADMM_SGL
    admm: Callable[..., Any] = ADMM_SGL
    return admm


def _balanced(state: _State, R: np.ndarray) -> _State:
    """The state with rho moved to where both relative residuals are equal (Wohlberg, 2017).

    Omega minimises its own step, so inverse(Omega) - R - rho X is the dual residual.
    """
    inverse = invert(state.Omega)
    if inverse is None:
        return state
    dual = R + state.rho * state.X
    primal_residual = np.linalg.norm(state.Omega - state.Theta) / np.linalg.norm(state.Theta)
    dual_residual = np.linalg.norm(inverse.matrix - dual) / np.linalg.norm(dual)
    ratio = primal_residual / max(dual_residual, 1e-100)
    factor = float(np.clip(np.sqrt(ratio), 0.2, 5.0))
    return _State(state.Omega, state.Theta, state.X / factor, state.rho * factor)
