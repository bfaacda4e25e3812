"""The graphical lasso by scikit-learn's block coordinate descent, judged by our own certificate.

Block coordinate descent for the graphical lasso is of Friedman, Hastie and Tibshirani (2008). The "dual gap"
that scikit-learn stops by is an estimate that passes through zero on its way, so it can stop far too soon;
here it runs a given number of sweeps, and the certificate decides whether to run more.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.solvers.base import SolverResult, Start, certified, dense_start, symmetric_support
from glasso_cli.solvers.problem import Alpha, free_diagonal

_FIRST_SWEEPS = 4  # enough for most problems; every further run doubles them
_NEVER = 1e-300  # a tolerance that its estimate does not reach, and a positive number as it demands


def solve(
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    init: Start = None,
    tol: float = 1e-7,
    max_iter: int = 1000,
    overwrite_covariance: bool = False,
) -> SolverResult:
    """The minimiser by block coordinate descent; the best point seen if not converged.

    Equivalent to ``sklearn.covariance.graphical_lasso(covariance, alpha, mode="cd")``. ``max_iter`` counts
    the sweeps granted, those of all runs together. ``init`` is returned if it is optimal already and
    not used otherwise. Raises :class:`InputError` for weights that differ between pairs.
    """
    S, weights = free_diagonal(covariance, alpha)
    number = _uniform(weights)
    best = certified(dense_start(init, covariance, alpha), covariance, alpha, tol=tol, n_iter=0)
    n_iter, sweeps = 0, _FIRST_SWEEPS
    while not best.converged and n_iter < max_iter:
        sweeps = min(sweeps, max_iter - n_iter)
        precision = _descend(S, number, sweeps, tol / 10)
        n_iter, sweeps = n_iter + sweeps, 2 * sweeps
        if precision is None:
            continue  # more sweeps also solve the lassos inside more exactly, which often cures it
        latest = certified(symmetric_support(precision), covariance, alpha, tol=tol, n_iter=n_iter)
        best = min(latest, best, key=lambda result: result.duality_gap)
    return replace(best, n_iter=n_iter, cost={"n_sweeps": n_iter})


def _uniform(weights: Alpha) -> float:
    if not isinstance(weights, np.ndarray):
        return float(weights)
    off = weights[~np.eye(len(weights), dtype=bool)]
    if len(off) == 0:
        return 0.0
    if off.min() != off.max() or not np.isfinite(off[0]):
        raise InputError(
            "scikit-learn's solver takes one alpha for all pairs, not a matrix of weights.",
            "Use the solver gglasso.",
        )
    return float(off[0])


def _descend(S: np.ndarray, alpha: float, sweeps: int, accuracy: float) -> np.ndarray | None:
    """The precision after ``sweeps`` sweeps from scratch, since there is no public warm start.

    None where scikit-learn gives up: between sweeps its precision need not be positive definite.
    """
    from sklearn.covariance import graphical_lasso

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge is for the certificate to say
        try:
            _, precision = graphical_lasso(S, alpha, mode="cd", tol=_NEVER, enet_tol=accuracy, max_iter=sweeps)
        except FloatingPointError:
            return None
    return np.asarray(precision)
