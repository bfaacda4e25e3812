from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.glasso_problems import (
    PROBLEMS,
    band,
    neuron_like,
    rank_deficient,
    reference_bound,
    reference_kkt,
    reference_objective,
    sample_correlation,
)

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS
from glasso_cli.solvers.base import SolverResult
from glasso_cli.solvers.problem import alpha_max

TOL = 1e-12  # where the Karush-Kuhn-Tucker residual is about 1e-5

every_solver = pytest.mark.parametrize("solver", SOLVERS)
every_problem = pytest.mark.parametrize("problem", PROBLEMS)


@pytest.fixture(scope="module")
def solve() -> Callable[[str, str], SolverResult]:
    """Solves a problem of the table, once for each solver."""
    known = {}

    def run(solver: str, problem: str) -> SolverResult:
        if (solver, problem) not in known:
            S, alpha = PROBLEMS[problem]
            known[solver, problem] = SOLVERS[solver](S, alpha, tol=TOL)
        return known[solver, problem]

    return run


@pytest.mark.slow
@every_problem
@every_solver
def test_the_result_is_optimal_by_an_independent_certificate(
    solve: Callable[[str, str], SolverResult], solver: str, problem: str
) -> None:
    S, alpha = PROBLEMS[problem]
    result = solve(solver, problem)
    assert result.converged
    assert result.duality_gap <= TOL
    assert reference_kkt(result.precision, S, alpha) <= 1e-4 * max(1.0, alpha)
    value = reference_objective(result.precision, S, alpha)
    np.testing.assert_allclose(result.objective, value, rtol=1e-10)
    assert -1e-9 <= value - reference_bound(result.precision, S, alpha) <= 1e-3 * len(S)


@pytest.mark.slow
@every_problem
@every_solver
def test_the_result_is_symmetric_sparse_definite_and_has_its_inverse(
    solve: Callable[[str, str], SolverResult], solver: str, problem: str
) -> None:
    result = solve(solver, problem)
    np.testing.assert_array_equal(result.precision, result.precision.T)
    np.testing.assert_array_equal(result.covariance, result.covariance.T)
    p = len(result.precision)
    np.testing.assert_allclose(result.precision @ result.covariance, np.eye(p), atol=1e-9)
    assert np.linalg.eigvalsh(result.precision)[0] > 0
    assert np.count_nonzero(result.precision) < p * p
    assert result.n_iter > 0


@every_problem
def test_the_solvers_agree(solve: Callable[[str, str], SolverResult], problem: str) -> None:
    results = [solve(solver, problem) for solver in SOLVERS]
    for other in results[1:]:
        np.testing.assert_allclose(other.precision, results[0].precision, atol=1e-4)
        strong = np.abs(results[0].precision) > 1e-3
        np.testing.assert_array_equal(other.precision[strong] != 0, results[0].precision[strong] != 0)


@pytest.mark.slow
@every_solver
def test_the_coarse_result_is_as_far_from_the_optimum_as_it_says(
    solve: Callable[[str, str], SolverResult], solver: str
) -> None:
    S, alpha = PROBLEMS["neuron-like"]
    optimum = solve(solver, "neuron-like").objective
    for tol in (1e-2, 1e-4, 1e-6):
        result = SOLVERS[solver](S, alpha, tol=tol)
        assert result.converged
        assert -1e-9 <= result.objective - optimum <= len(S) * result.duality_gap + 1e-9


@every_solver
def test_from_alpha_max_on_every_neuron_is_isolated(solver: str) -> None:
    S, _ = PROBLEMS["hub"]
    for alpha in (alpha_max(S), 2 * alpha_max(S)):
        result = SOLVERS[solver](S, alpha)
        np.testing.assert_array_equal(result.precision, np.diag(1 / S.diagonal()))
        assert result.n_iter == 0
        assert result.converged


@every_solver
def test_permuting_and_flipping_neurons_permutes_and_flips_the_result(
    solve: Callable[[str, str], SolverResult], solver: str
) -> None:
    S, alpha = PROBLEMS["band"]
    p = len(S)
    rng = np.random.default_rng(0)
    order, signs = rng.permutation(p), rng.choice([-1.0, 1.0], size=p)
    moved = (np.outer(signs, signs) * S)[np.ix_(order, order)]
    expected = (np.outer(signs, signs) * solve(solver, "band").precision)[np.ix_(order, order)]
    np.testing.assert_allclose(SOLVERS[solver](moved, alpha, tol=TOL).precision, expected, atol=1e-4)


@every_solver
def test_one_neuron(solver: str) -> None:
    result = SOLVERS[solver](np.array([[4.0]]), 0.1)
    np.testing.assert_array_equal(result.precision, [[0.25]])
    assert result.converged


@every_solver
@pytest.mark.parametrize("correlation", [0.7, -0.7, 0.05, 1.0])
def test_two_neurons_have_a_closed_form(solver: str, correlation: float) -> None:
    S, alpha = np.array([[1.0, correlation], [correlation, 1.0]]), 0.1
    result = SOLVERS[solver](S, alpha, tol=TOL)
    shrunk = np.sign(correlation) * max(abs(correlation) - alpha, 0.0)
    expected = np.linalg.inv([[1.0, shrunk], [shrunk, 1.0]])
    np.testing.assert_allclose(result.precision, expected, atol=1e-4)
    assert result.converged


@every_solver
def test_a_covariance_is_the_weighted_problem_of_its_correlation(solver: str) -> None:
    R = sample_correlation(band(12), 300, 8)
    scale = np.geomspace(0.01, 100, 12)
    S = R * np.outer(scale, scale)
    alpha = 0.05
    # the residual is in units of S, whose variances reach 1e4
    result = SOLVERS[solver](S, alpha, tol=TOL / 1000)
    assert reference_kkt(result.precision, S, alpha) <= 1e-4
    weighted = SOLVERS["gglasso"](R, alpha / np.outer(scale, scale) * (1 - np.eye(12)), tol=TOL)
    np.testing.assert_allclose(result.precision * np.outer(scale, scale), weighted.precision, rtol=1e-3, atol=1e-4)


@every_solver
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_covariance_is_destroyed_only_where_that_is_allowed(solver: str, scale: float) -> None:
    S, alpha = PROBLEMS["cluster"]
    S = scale * S
    given = S.copy()
    kept = SOLVERS[solver](given, scale * alpha, tol=1e-8)
    np.testing.assert_array_equal(given, S)
    spent = SOLVERS[solver](given, scale * alpha, tol=1e-8, overwrite_covariance=True)
    np.testing.assert_array_equal(spent.precision, kept.precision)
    np.testing.assert_array_equal(spent.covariance, kept.covariance)
    assert (spent.objective, spent.kkt_residual) == (kept.objective, kept.kkt_residual)


@every_solver
def test_a_penalised_diagonal_is_a_shifted_covariance(solver: str) -> None:
    S, alpha = PROBLEMS["cluster"]
    penalised = SOLVERS[solver](S, np.full(S.shape, alpha), tol=TOL)
    shifted = SOLVERS[solver](S + alpha * np.eye(len(S)), alpha, tol=TOL)
    np.testing.assert_allclose(penalised.precision, shifted.precision, atol=1e-5)
    assert penalised.converged


@every_solver
def test_a_start_at_the_answer_takes_no_iteration(solve: Callable[[str, str], SolverResult], solver: str) -> None:
    S, alpha = PROBLEMS["random"]
    answer = solve(solver, "random").precision
    again = SOLVERS[solver](S, alpha, init=answer, tol=2 * TOL)
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.precision, answer)


@every_solver
def test_a_start_that_is_not_definite_does_no_harm(solve: Callable[[str, str], SolverResult], solver: str) -> None:
    S, alpha = PROBLEMS["random"]
    result = SOLVERS[solver](S, alpha, init=-np.eye(len(S)), tol=1e-7)
    assert result.converged
    np.testing.assert_allclose(result.precision, solve(solver, "random").precision, atol=1e-2)


@every_solver
@pytest.mark.parametrize("max_iter", [1, 3])
def test_running_out_of_iterations_is_said_and_bounded(
    solve: Callable[[str, str], SolverResult], solver: str, max_iter: int
) -> None:
    S, alpha = PROBLEMS["dense"]
    result = SOLVERS[solver](S, alpha, tol=TOL, max_iter=max_iter)
    assert not result.converged
    assert result.n_iter == max_iter
    assert np.linalg.eigvalsh(result.precision)[0] > 0
    distance = result.objective - solve(solver, "dense").objective
    assert 0 < distance <= len(S) * result.duality_gap


@every_solver
def test_the_best_point_seen_is_returned(solver: str) -> None:
    S, alpha = PROBLEMS["dense"]
    good = SOLVERS[solver](S, alpha, tol=1e-8)
    result = SOLVERS[solver](S, alpha, init=good.precision, tol=1e-15, max_iter=1)
    assert result.duality_gap <= good.duality_gap


@pytest.mark.parametrize("failures", [1, 100])
def test_a_run_that_scikit_learn_gives_up_is_followed_by_a_longer_one(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    import sklearn.covariance

    real, granted = sklearn.covariance.graphical_lasso, []

    def flaky(*args: Any, max_iter: int, **options: Any) -> Any:
        granted.append(max_iter)
        if len(granted) <= failures:
            raise FloatingPointError("Non SPD result")
        return real(*args, max_iter=max_iter, **options)

    monkeypatch.setattr(sklearn.covariance, "graphical_lasso", flaky)
    S, alpha = PROBLEMS["random"]
    result = SOLVERS["sklearn"](S, alpha, max_iter=50)
    assert granted == ([4, 8] if failures == 1 else [4, 8, 16, 22])
    assert result.converged == (failures == 1)
    assert np.isfinite(result.duality_gap)
    assert result.n_iter == sum(granted)


@pytest.mark.slow
@every_solver
@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_where_block_descent_is_known_to_fail_no_failure_is_silent(solver: str, fraction: float, seed: int) -> None:
    """Nearly singular correlations at small alpha, after Mazumder and Hastie (2012)."""
    S = rank_deficient(p=25, n=4, seed=seed)
    alpha = fraction * alpha_max(S)
    result = SOLVERS[solver](S, alpha, tol=1e-7)
    assert result.converged == (result.duality_gap <= 1e-7)
    assert np.linalg.eigvalsh(result.precision)[0] > 0
    optimum = SOLVERS["gglasso"](S, alpha, tol=1e-9)
    assert optimum.converged
    distance = reference_objective(result.precision, S, alpha) - optimum.objective
    assert distance <= 25 * result.duality_gap + 1e-6


@every_solver
def test_nothing_is_printed_and_no_warning_escapes(solver: str, capfd: pytest.CaptureFixture[str]) -> None:
    S = neuron_like()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SOLVERS[solver](S, 0.05, tol=1e-5)
        SOLVERS[solver](S, 0.05, tol=1e-9, max_iter=2)
    assert capfd.readouterr() == ("", "")


def test_weights_leave_pairs_free_or_force_them_to_zero() -> None:
    S, alpha = PROBLEMS["random"]
    p = len(S)
    weights = alpha * (1 - np.eye(p))
    weights[0, 1] = weights[1, 0] = 0.0
    weights[2, 3:] = weights[3:, 2] = np.inf
    result = SOLVERS["gglasso"](S, weights, tol=TOL)
    assert result.converged
    assert reference_kkt(result.precision, S, weights) <= 1e-4
    assert result.covariance[0, 1] == pytest.approx(S[0, 1], abs=1e-5)
    assert not result.precision[2, 3:].any()


def test_zero_weights_on_a_pattern_are_covariance_selection() -> None:
    S = sample_correlation(band(15), 300, 9)
    free = (np.abs(np.subtract.outer(np.arange(15), np.arange(15))) <= 1).astype(float)
    weights = np.where(free == 1, 0.0, np.inf)
    result = SOLVERS["gglasso"](S, weights, tol=TOL)
    expected = np.zeros_like(S)  # a chain decomposes into its pairs, less the neurons they share
    for i in range(14):
        pair = slice(i, i + 2)
        expected[pair, pair] += np.linalg.inv(S[pair, pair])
    for i in range(1, 14):
        expected[i, i] -= 1 / S[i, i]
    np.testing.assert_allclose(result.precision, expected, atol=1e-4)


def test_scikit_learn_refuses_weights_that_differ() -> None:
    with pytest.raises(InputError, match="not a matrix of weights"):
        SOLVERS["sklearn"](np.eye(3), np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]], dtype=float))
