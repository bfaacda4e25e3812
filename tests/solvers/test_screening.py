from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.glasso_problems import PROBLEMS, band, chain, hub, reference_kkt, sample_correlation

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS, solve
from glasso_cli.solvers.base import SolverResult
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.components import labels
from glasso_cli.solvers.problem import Alpha
from glasso_cli.solvers.screening import as_checked_covariance, solve_checked

every_solver = pytest.mark.parametrize("solver", SOLVERS)


def two_blocks_and_a_loner() -> np.ndarray:
    """A band of 12 (even neurons), a hub of 20 (odd and late neurons), and neuron 32 alone."""
    S = np.eye(33) * np.linspace(0.5, 2, 33)
    first = np.arange(0, 24, 2)
    second = np.setdiff1d(np.arange(32), first)
    S[np.ix_(first, first)] = sample_correlation(band(12), 300, 1)
    S[np.ix_(second, second)] = sample_correlation(hub(20), 300, 2)
    S[0, 1] = S[1, 0] = 0.04  # below alpha: still two components
    return S


def refuses(*_args: Any, **_kwargs: Any) -> SolverResult:
    raise AssertionError("nothing was left to solve")


@every_solver
def test_components_are_solved_apart_and_the_whole_is_certified(solver: str) -> None:
    S, alpha = two_blocks_and_a_loner(), 0.05
    result = solve(S, alpha, solver=solver, tol=1e-10)
    assert result.converged
    assert reference_kkt(result.precision, S, alpha) <= 1e-3
    component = labels(S, alpha)
    assert not result.precision[component[:, None] != component].any()
    for number in np.unique(component):
        block = np.ix_(component == number, component == number)
        alone = SOLVERS[solver](S[block], alpha, tol=1e-10)
        np.testing.assert_allclose(result.precision[block], alone.precision, atol=1e-4)


@every_solver
def test_the_certificate_of_the_whole_is_that_of_its_matrix(solver: str) -> None:
    S, alpha = two_blocks_and_a_loner(), 0.05
    result = solve(S, alpha, solver=solver, tol=1e-4, max_iter=20)
    proof = certificate(result.precision, S, alpha)
    np.testing.assert_allclose(result.objective, proof.objective, rtol=1e-12)
    np.testing.assert_allclose(result.kkt_residual, proof.kkt_residual, atol=1e-12)
    np.testing.assert_allclose(result.duality_gap, proof.duality_gap, rtol=1e-6, atol=1e-13)
    np.testing.assert_allclose(result.covariance, np.linalg.inv(result.precision), atol=1e-10)


def test_components_equal_those_of_the_solution() -> None:
    S, alpha = PROBLEMS["hub"][0], 0.2
    component = labels(S, alpha)
    precision = SOLVERS["gglasso"](S, alpha, tol=1e-12).precision
    linked = precision != 0
    reachable = np.linalg.matrix_power(linked.astype(float), len(S)) > 0
    np.testing.assert_array_equal(component[:, None] == component, reachable)
    assert 1 < len(np.unique(component)) < len(S)


def test_isolated_neurons_need_no_solver() -> None:
    variance = np.array([0.5, 1.0, 4.0])
    result = solve_checked(np.diag(variance), 0.1, refuses, init=None, tol=1e-7, max_iter=1)
    np.testing.assert_array_equal(result.precision, np.diag(1 / variance))
    np.testing.assert_array_equal(result.covariance, np.diag(variance))
    assert result.objective == pytest.approx(np.log(variance).sum() + 3)
    assert (result.duality_gap, result.kkt_residual, result.n_iter) == (0, 0, 0)
    assert result.converged


@every_solver
def test_trees_have_a_closed_form(solver: str) -> None:
    S = np.linalg.inv(chain(10))
    scale = np.sqrt(S.diagonal())
    S = S / np.outer(scale, scale)
    alpha = 1.001 * np.sort(np.abs(S[np.triu_indices(10, 2)]))[-1]  # only neighbours are above it
    result = solve(S, alpha, solver=solver, tol=1e-12)
    assert result.n_iter == 0
    assert result.converged
    assert np.count_nonzero(np.triu(result.precision, 1)) == 9
    assert reference_kkt(result.precision, S, alpha) <= 1e-12


def test_many_pairs_are_solved_in_closed_form() -> None:
    correlations = np.linspace(-0.9, 0.9, 150)
    S = np.kron(np.eye(150), np.ones((2, 2)))
    S[np.arange(0, 300, 2), np.arange(1, 300, 2)] = correlations
    S[np.arange(1, 300, 2), np.arange(0, 300, 2)] = correlations
    np.fill_diagonal(S, 1.0)
    result = solve(S, 0.2, tol=1e-12)
    assert result.n_iter == 0
    assert result.converged
    assert np.count_nonzero(np.triu(result.precision, 1)) == np.count_nonzero(np.abs(correlations) > 0.2)


def test_weights_decide_what_is_connected() -> None:
    S = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    weights = np.array([[0.0, 0.1, np.inf], [0.1, 0.0, np.inf], [np.inf, np.inf, 0.3]])
    result = solve(S, weights, tol=1e-12)
    shrunk = np.linalg.inv([[1, 0.4, 0], [0.4, 1, 0], [0, 0, 1.3]])
    np.testing.assert_allclose(result.precision, shrunk, atol=1e-12)


def test_a_perfect_correlation_left_unpenalised_is_not_called_converged() -> None:
    S, weights = np.ones((2, 2)), np.zeros((2, 2))
    result = solve(S, weights, max_iter=30)
    assert not result.converged


def test_a_start_is_cut_into_the_components() -> None:
    S, alpha = two_blocks_and_a_loner(), 0.05
    answer = solve(S, alpha, tol=1e-8).precision
    again = solve(S, alpha, init=answer, tol=1e-7)
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.precision, answer)


def test_float32_input_becomes_symmetric_float64() -> None:
    S = PROBLEMS["random"][0].astype(np.float32)
    S[0, 1] += np.float32(1e-7)
    clean = as_checked_covariance(S, 0.1)
    assert clean.dtype == np.float64
    np.testing.assert_array_equal(clean, clean.T)
    assert solve(S, 0.1).converged


def test_a_covariance_that_is_clean_already_is_not_copied_and_not_changed() -> None:
    S = as_checked_covariance(PROBLEMS["dense"][0], 0.02)
    before = S.copy()
    assert as_checked_covariance(S, 0.02) is S
    assert np.shares_memory(as_checked_covariance(S.T, 0.02), S)
    assert as_checked_covariance(S[::2, ::2], 0.02).flags.c_contiguous
    for solver in SOLVERS:
        solve(S, 0.02, solver=solver, max_iter=20)
        np.testing.assert_array_equal(S, before)


def test_one_component_of_all_neurons_is_given_to_the_solver_as_it_is() -> None:
    S = as_checked_covariance(PROBLEMS["dense"][0], 0.02)
    seen = []

    def solver(covariance: np.ndarray, alpha: Alpha, **options: Any) -> SolverResult:
        seen.append(covariance)
        return SOLVERS["newton"](covariance, alpha, **options)

    whole = solve_checked(S, 0.02, solver, init=None, tol=1e-7, max_iter=100)
    assert seen[0] is S
    with_a_loner = np.eye(len(S) + 1)
    with_a_loner[:-1, :-1] = S
    part = solve_checked(with_a_loner, 0.02, solver, init=None, tol=1e-7, max_iter=100)
    np.testing.assert_array_equal(part.precision[:-1, :-1], whole.precision)
    np.testing.assert_array_equal(part.covariance[:-1, :-1], whole.covariance)
    assert part.objective == pytest.approx(whole.objective + 1)
    assert part.duality_gap == pytest.approx(whole.duality_gap * len(S) / (len(S) + 1))


@every_solver
def test_a_penalised_diagonal_is_alpha_on_every_variance(solver: str) -> None:
    S, alpha = two_blocks_and_a_loner(), 0.05
    before = S.copy()
    penalised = solve(S, alpha, solver=solver, tol=1e-10, penalise_diagonal=True)
    free = solve(S + alpha * np.eye(len(S)), alpha, solver=solver, tol=1e-10)
    np.testing.assert_array_equal(penalised.precision, free.precision)
    np.testing.assert_array_equal(S, before)
    proof = certificate(penalised.precision, S, np.full(S.shape, alpha))
    assert penalised.objective == pytest.approx(proof.objective, rel=1e-12)
    assert proof.duality_gap <= 1e-9
    assert penalised.precision[32, 32] == 1 / (S[32, 32] + alpha)


def test_weights_say_themselves_whether_the_diagonal_is_penalised() -> None:
    with pytest.raises(InputError, match="weights say themselves"):
        solve(np.eye(2), np.ones((2, 2)), penalise_diagonal=True)


def test_an_unknown_solver_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no solver 'quic'") as caught:
        solve(np.eye(2), 0.1, solver="quic")
    assert all(name in caught.value.hint for name in SOLVERS)
