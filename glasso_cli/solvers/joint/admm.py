"""The joint graphical lasso by GGLasso's ADMM, run in short stretches until our own certificate holds.

GGLasso (Schaipp, Vlasovets and Mueller, JOSS 2021) stops by residuals whose tolerance grows with p^2, and prints. Here
it only iterates: the dual gap decides when to stop, and the step rho is set between stretches. Its ``FGL`` fuses
neighbours, as our penalty does, and both penalties count (i, j) and (j, i) and leave the diagonal free.
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

from glasso_cli.errors import InputError
from glasso_cli.linalg.cholesky import invert
from glasso_cli.solvers.joint.certificate import JointPoint, JointProblem, judged

STRETCH = 10  # iterations between two certificates
ADAPTED = 200  # rho stays fixed from this iteration on, where ADMM is known to converge
_NAMES = {"group": "GGL", "fused": "FGL"}
_NOTHING = 1e-100  # GGLasso refuses a lambda of zero


@dataclass(frozen=True, eq=False)
class _State:
    """ADMM's variables in GGLasso's letters: Omega is positive definite, Theta sparse, X the scaled dual."""

    Omega: np.ndarray  # (K, p, p), as the others
    Theta: np.ndarray
    X: np.ndarray
    rho: float


class _Weights(int):
    """The weights as ``ADMM_MGL`` takes them.

    Its branch for an array of sample sizes reads a name it has not set (0.3.1), but an integer it multiplies with ones
    ``(K, 1, 1)``, and this one gives the weights then.
    """

    values: np.ndarray

    def __mul__(self, ones: Any) -> Any:
        return self.values.reshape(-1, 1, 1) * ones


def solve(problem: JointProblem, *, tol: float, max_iter: int) -> tuple[JointPoint, int]:
    """The best point seen, whose gap is at most ``tol`` unless ``max_iter`` was too few, and the iterations it took.

    Raises :class:`InputError` where GGLasso breaks down.
    """
    best = judged(problem.isolated(), problem)
    state = _start(best.precisions, problem)
    n_iter = 0
    while best.duality_gap > tol and n_iter < max_iter:
        steps = min(STRETCH, max_iter - n_iter)
        state = _advance(state, problem, steps)
        n_iter += steps
        best = min(judged(state.Theta, problem), best, key=lambda point: point.duality_gap)
        if n_iter <= ADAPTED:
            state = _balanced(state, problem)
    return best, n_iter


def _start(Theta: np.ndarray, problem: JointProblem) -> _State:
    return _State(Theta, Theta, np.zeros_like(Theta), float(problem.weights.mean()))


def _advance(state: _State, problem: JointProblem, steps: int) -> _State:
    """The state after ``steps`` iterations: tolerances of zero keep GGLasso from stopping."""
    weights = _Weights(1)
    weights.values = problem.weights
    penalty = problem.penalty
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            solution, _ = _admm()(
                problem.covariances,
                max(penalty.lambda1, _NOTHING),
                max(penalty.lambda2, _NOTHING),
                _NAMES[penalty.name],
                state.Omega,
                Theta_0=state.Theta,
                X_0=state.X,
                n_samples=weights,
                rho=state.rho,
                max_iter=steps,
                tol=0.0,
                rtol=0.0,
                update_rho=False,
            )
        except (AssertionError, np.linalg.LinAlgError, FloatingPointError) as error:
            raise _breakdown(str(error)) from error
    Omega, Theta, X = (_symmetric(solution[name]) for name in ("Omega", "Theta", "X"))
    if not np.isfinite(Theta).all() or not np.isfinite(X).all():
        raise _breakdown("its precisions are not finite")
    return _State(Omega, Theta, X, state.rho)


def _breakdown(reason: str) -> InputError:
    return InputError(
        f"GGLasso broke down on the joint problem: {reason or 'an assertion of its own failed'}.",
        "Give larger lambdas, or correlations instead of covariances of very different size.",
    )


def _symmetric(stack: np.ndarray) -> np.ndarray:
    return np.asarray((stack + stack.transpose(0, 2, 1)) / 2)


@cache
def _admm() -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its docstrings, at its first compilation
        from gglasso.solver.admm_solver import ADMM_MGL
        from gglasso.solver.ggl_helper import phiplus, prox_p, trp
    with contextlib.suppress(RuntimeError):  # there is no folder that can be written
        for compiled in (phiplus, prox_p, trp):
            compiled.enable_caching()  # it would compile for half a minute in every process
    admm: Callable[..., Any] = ADMM_MGL
    return admm


def _balanced(state: _State, problem: JointProblem) -> _State:
    """The state with rho moved to where both relative residuals are equal (Wohlberg, 2017).

    Omega minimises its own step, so w (inverse(Omega) - S) - rho X is the dual residual.
    """
    inverses = [invert(Omega) for Omega in state.Omega]
    if None in inverses:
        return state
    weights = problem.weights[:, None, None]
    W = np.stack([inverse.matrix for inverse in inverses if inverse])
    dual = weights * problem.covariances + state.rho * state.X
    primal_residual = np.linalg.norm(state.Omega - state.Theta) / np.linalg.norm(state.Theta)
    dual_residual = np.linalg.norm(weights * W - dual) / np.linalg.norm(dual)
    ratio = primal_residual / max(float(dual_residual), 1e-100)
    factor = float(np.clip(np.sqrt(ratio), 0.2, 5.0))
    return replace(state, X=state.X / factor, rho=state.rho * factor)
