"""Newton's method certifies whatever any other solver here certifies, on the correlations that are hard for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.glasso_problems import reference_kkt
from support.hard_problems import LARGE, SMALL, UNCERTAIN, Hard, autoregression, correlation, few_samples

from glasso_cli.solvers import solve
from glasso_cli.solvers.certificate import certificate

TOL = 1e-7


def assert_certified(S: np.ndarray, alpha: float) -> None:
    result = solve(S, alpha, solver="newton", tol=TOL)
    assert result.converged
    assert result.duality_gap <= TOL
    assert certificate(result.precision, S, alpha).duality_gap <= 1.1 * TOL
    # a gap of g nats per neuron allows errors of W of about sqrt(2 p g), where its diagonal is 1
    assert reference_kkt(result.precision, S, alpha) <= np.sqrt(2 * len(S) * TOL)


# more than half a second each
SLOW = {
    "few_samples(60, 10) 0.001",
    "few_samples(100, 50) 0.01",
    "autoregression(100, 0.99) 0.01",
    "autoregression(100, 0.99) 0.001",
    "autoregression(100, 0.999) 0.01",
    "equal_blocks(60, 6, 0.01) 0.001",
    "one_factor(80, 20) 0.001",
    "spiked(80, 1, 10000) 0.001",
}


@pytest.mark.parametrize(
    "problem",
    [pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.name in SLOW else []) for each in SMALL],
)
def test_a_hard_problem_gets_its_certificate(problem: Hard) -> None:
    assert_certified(problem.covariance, problem.alpha)


@pytest.mark.slow
@pytest.mark.parametrize("problem", LARGE, ids=lambda problem: problem.name)
def test_a_large_hard_problem_gets_its_certificate(problem: Hard) -> None:
    assert_certified(problem.covariance, problem.alpha)


@pytest.mark.slow
@pytest.mark.parametrize("problem", UNCERTAIN, ids=lambda problem: problem.name)
def test_what_no_solver_certifies_is_no_further_from_it_than_with_gglasso(problem: Hard) -> None:
    gaps = {}
    for solver in ("newton", "gglasso"):
        result = solve(problem.covariance, problem.alpha, solver=solver, tol=TOL)
        assert result.converged == (result.duality_gap <= TOL)
        gaps[solver] = result.duality_gap
    assert gaps["gglasso"] > TOL
    assert gaps["newton"] <= 2 * gaps["gglasso"]


@st.composite
def hard_correlations(draw: st.DrawFn) -> np.ndarray:
    p, seed = draw(st.integers(2, 40)), draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["few", "chain", "equal", "factor", "spike"]))
    if kind == "few":
        return few_samples(p, draw(st.integers(2, max(2, p // 2))), seed)
    if kind == "chain":
        return autoregression(p, draw(st.sampled_from([0.9, 0.99, 0.999])))
    draws = rng.standard_normal((200, p))
    if kind == "equal":
        size, noise = draw(st.integers(2, 8)), 10.0 ** draw(st.integers(-6, -2))
        return correlation(np.repeat(draws, size, axis=1)[:, :p] + noise * rng.standard_normal((200, p)))
    loading = np.ones(p) if kind == "factor" else rng.standard_normal(p)
    strength = 10.0 ** draw(st.floats(0, 2))
    return correlation(draws + strength * rng.standard_normal((200, 1)) * loading)


@pytest.mark.slow
@given(hard_correlations(), st.floats(-2, -0.3))
@settings(max_examples=25, deadline=None)
def test_any_hard_correlation_gets_its_certificate(S: np.ndarray, power: float) -> None:
    largest = np.abs(S - np.diag(S.diagonal())).max()
    assert_certified(S, float(largest * 10.0**power))


@pytest.mark.parametrize("max_iter", [5, 15, 44])
def test_newton_steps_and_iterations_of_admm_count_together(max_iter: int) -> None:
    result = solve(few_samples(60, 5), 0.002, max_iter=max_iter)
    assert not result.converged
    assert max_iter - 10 < result.n_iter <= max_iter
    assert np.linalg.eigvalsh(result.precision)[0] > 0


def test_a_problem_that_takes_admm_gives_the_same_bytes_again() -> None:
    S = few_samples(60, 2)
    first, second = (solve(S, 0.01) for _ in range(2))
    assert first.cost["n_eigh"] > 0
    assert first.precision.tobytes() == second.precision.tobytes()
