"""Newton's method certifies whatever any other solver here certifies, on the correlations that are hard for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.glasso_problems import reference_kkt
from support.hard_problems import LARGE, SMALL, UNCERTAIN, Hard, correlation, few_samples

from glasso_cli.solvers import solve
from glasso_cli.solvers.newton import solve as newton

TOL = 1e-7
KKT = 0.1  # of alpha: at a gap of 1e-7, the residual is of the order of its square root


def assert_certified(S: np.ndarray, alpha: float) -> None:
    result = solve(S, alpha, solver="newton", tol=TOL)
    assert result.converged
    assert result.duality_gap <= TOL
    assert reference_kkt(result.precision, S, alpha) <= KKT * alpha


@pytest.mark.parametrize("problem", SMALL, ids=lambda problem: problem.name)
def test_a_hard_problem_gets_its_certificate(problem: Hard) -> None:
    assert_certified(problem.S, problem.alpha)


@pytest.mark.slow
@pytest.mark.parametrize("problem", LARGE, ids=lambda problem: problem.name)
def test_a_large_hard_problem_gets_its_certificate(problem: Hard) -> None:
    assert_certified(problem.S, problem.alpha)
