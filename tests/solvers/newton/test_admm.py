"""ADMM for Newton's method, by itself."""

from __future__ import annotations

import numpy as np
import pytest
from support.glasso_problems import PROBLEMS, reference_kkt

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.admm import Splitting
from glasso_cli.solvers.newton.problem import Problem
from glasso_cli.solvers.problem import Alpha


def after(S: np.ndarray, alpha: Alpha, stretches: int) -> np.ndarray:
    splitting = Splitting(Problem.of(S, alpha))
    splitting.start(np.eye(len(S)), Inverse(np.eye(len(S)), 0.0))
    return [splitting.advance() for _ in range(stretches)][-1]


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["hub", "random", "cluster"])
def test_it_gets_to_the_answer(problem: str) -> None:
    S, alpha = PROBLEMS[problem]
    Theta = after(S, alpha, 40)
    np.testing.assert_array_equal(Theta, Theta.T)
    assert (Theta == 0).any()
    assert reference_kkt(Theta, S, alpha) <= 1e-4


@pytest.mark.slow
def test_weights_may_free_an_entry_or_force_it_to_zero() -> None:
    S, _ = PROBLEMS["hub"]
    weights = np.full(S.shape, 0.1)
    np.fill_diagonal(weights, 0.0)
    weights[0, 1] = weights[1, 0] = 0.0
    weights[2, 3] = weights[3, 2] = np.inf
    Theta = after(S, weights, 40)
    assert Theta[2, 3] == 0
    assert Theta[0, 1] != 0
    assert reference_kkt(Theta, S, weights) <= 1e-4
