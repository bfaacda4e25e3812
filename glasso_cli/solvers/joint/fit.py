"""The joint graphical lasso: sparse precision matrices of several corpora that share what they can.

minimise  sum_k w_k (-log det Theta_k + tr(S_k Theta_k)) + lambda1 sum_k sum_{i != j} |Theta_k,ij| + lambda2 Q

over positive definite Theta_1 ... Theta_K (Danaher, Wang and Witten, 2014), with a free diagonal and Q either

- ``group``: sum_{i != j} sqrt(sum_k Theta_k,ij^2), which makes corpora share their edges but not the edges' weights;
- ``fused``: sum_{k < K} sum_{i != j} |Theta_k+1,ij - Theta_k,ij|, which makes most edges equal in neighbouring corpora. For
  two corpora that is every pair of them; for more, each is compared to the next in the order given, and not to the others.

The problem is split into its components exactly, GGLasso's ADMM iterates on each, and our own duality gap decides when
that is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from glasso_cli.engine.threads import numba_limited
from glasso_cli.errors import InputError
from glasso_cli.solvers import screening
from glasso_cli.solvers.joint import admm
from glasso_cli.solvers.joint.certificate import JointProblem
from glasso_cli.solvers.joint.cost import check_time
from glasso_cli.solvers.joint.penalty import PENALTIES
from glasso_cli.solvers.joint.screening import joint_labels


@dataclass(frozen=True, eq=False)
class JointResult:
    """K sparse precision matrices with the certificate of how good they are."""

    precisions: np.ndarray  # (K, p, p) float64, exactly symmetric, exact zeros, exactly equal where they are fused
    objective: float  # nats
    duality_gap: float  # nats per neuron: the objective is at most p * sum(weights) * duality_gap above the optimum
    kkt_residual: float  # largest entry of the smallest subgradient, on the scale of the lambdas
    n_iter: int  # of the component that took most
    converged: bool  # duality_gap <= tol, nothing else


def fit_joint(
    correlations: Sequence[np.ndarray] | np.ndarray,
    lambda1: float,
    lambda2: float,
    *,
    penalty: Literal["group", "fused"],
    weights: Sequence[float] | np.ndarray | None = None,
    tol: float = 1e-7,
    max_iter: int = 2000,
) -> JointResult:
    """The minimiser for ``correlations``, K >= 2 matrices ``(p, p)`` of the same neurons; the best seen if not converged.

    ``weights`` multiply the likelihoods, 1 each if left out; sample sizes over their mean keep the lambdas on the scale
    that one corpus has. Of covariances whose variances differ by orders of magnitude ADMM may not reach ``tol``.
    Raises :class:`InputError` for arrays, lambdas or weights that make no such problem, where the largest component
    would take more than about ten minutes, and where GGLasso breaks down.
    """
    problem = _problem(correlations, lambda1, lambda2, penalty, weights)
    if lambda2 == 0:
        return _apart(problem, tol, max_iter)
    return _together(problem, tol, max_iter)


def largest_component(
    correlations: Sequence[np.ndarray] | np.ndarray,
    lambda1: float,
    lambda2: float,
    *,
    penalty: Literal["group", "fused"],
    weights: Sequence[float] | np.ndarray | None = None,
) -> int:
    """How many neurons :func:`fit_joint` would have to solve at once: what its time and memory depend on."""
    return max(map(len, _components(_problem(correlations, lambda1, lambda2, penalty, weights))), default=1)


def _problem(
    correlations: Sequence[np.ndarray] | np.ndarray,
    lambda1: float,
    lambda2: float,
    penalty: str,
    weights: Sequence[float] | np.ndarray | None,
) -> JointProblem:
    if penalty not in PENALTIES:
        raise InputError(f"There is no joint penalty '{penalty}'.", f"Choose one of: {', '.join(PENALTIES)}.")
    _check_lambdas(lambda1, lambda2, penalty)
    stack = _stack(correlations)
    return JointProblem(stack, _weights(weights, len(stack)), PENALTIES[penalty](float(lambda1), float(lambda2)))


def _check_lambdas(lambda1: float, lambda2: float, penalty: str) -> None:
    for name, value in (("lambda1", lambda1), ("lambda2", lambda2)):
        if not 0 <= value < np.inf:
            raise InputError(f"{name} is {value}, not a number from 0 on.", f"Give a {name} of 0 or more.")
    if penalty == "fused" and lambda1 == 0:
        raise InputError(
            "lambda1 is 0, and the fused penalty leaves what the corpora have in common unpenalised.",
            "Give a lambda1 above 0.",
        )
    if lambda1 == lambda2 == 0:
        raise InputError("Both lambdas are 0: nothing is penalised.", "Give one of them above 0.")


def _stack(correlations: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The covariances ``(K, p, p)``, each in float64 and exactly symmetric."""
    if len(correlations) < 2:
        raise InputError(
            f"A joint fit takes two corpora or more, not {len(correlations)}.", "Fit a single corpus by itself."
        )
    clean = []
    for k, S in enumerate(correlations):
        try:
            clean.append(screening.as_checked_covariance(S, 1.0))
        except InputError as error:
            raise InputError(f"Corpus {k + 1} of {len(correlations)}: {error.message}", error.hint) from error
    sizes = [len(S) for S in clean]
    if len(set(sizes)) > 1:
        raise InputError(
            f"The corpora have {', '.join(map(str, sizes))} neurons, not the same number.",
            "Give correlations of the same neurons in the same order.",
        )
    return np.stack(clean)


def _weights(weights: Sequence[float] | np.ndarray | None, K: int) -> np.ndarray:
    if weights is None:
        return np.ones(K)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (K,):
        raise InputError(f"The weights have shape {array.shape}, not ({K},).", "Give one weight per corpus.")
    if not ((array > 0) & np.isfinite(array)).all():
        raise InputError(
            "The weights contain one that is not a positive number.", "Give every corpus a weight above 0."
        )
    return array


def _apart(problem: JointProblem, tol: float, max_iter: int) -> JointResult:
    """Without a lambda2 the corpora have nothing to do with each other: K plain graphical lassos."""
    alphas = problem.penalty.lambda1 / problem.weights
    parts = [
        screening.solve(S, float(alpha), tol=tol, max_iter=max_iter) for S, alpha in zip(problem.covariances, alphas)
    ]
    share = problem.weights / problem.weights.sum()
    gap = float(share @ [part.duality_gap for part in parts])
    return JointResult(
        precisions=np.stack([part.precision for part in parts]),
        objective=float(problem.weights @ [part.objective for part in parts]),
        duality_gap=gap,
        kkt_residual=float(max(problem.weights * [part.kkt_residual for part in parts])),
        n_iter=max(part.n_iter for part in parts),
        converged=gap <= tol,
    )


def _together(problem: JointProblem, tol: float, max_iter: int) -> JointResult:
    K, p = problem.shape
    components = _components(problem)
    check_time(p, max(map(len, components), default=1), K)
    variances = np.einsum("kii->ki", problem.covariances)
    precisions = problem.isolated()
    objective = float(problem.weights @ (np.log(variances) + 1).sum(axis=1))
    gap, residual, most = 0.0, 0.0, 0
    # On a busy machine a second BLAS thread makes the eigendecompositions three times as slow (n = 400 to 1,400).
    with numba_limited(), threadpool_limits(1, user_api="blas"):
        for members in components:
            part, n_iter = admm.solve(problem.of(members), tol=tol, max_iter=max_iter)
            precisions[:, members[:, None], members] = part.precisions
            alone = float(problem.weights @ (np.log(variances[:, members]) + 1).sum(axis=1))
            objective += part.objective - alone
            gap += part.duality_gap * len(members) / p
            residual, most = max(residual, part.kkt_residual), max(most, n_iter)
    return JointResult(precisions, objective, gap, residual, most, gap <= tol)


def _components(problem: JointProblem) -> list[np.ndarray]:
    """The neurons of every component of two or more, in increasing order."""
    return screening.members_of(joint_labels(problem.covariances, problem.weights, problem.penalty))
