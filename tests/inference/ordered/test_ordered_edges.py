"""Tests of coefficients: against least squares and its t-statistics, by their definition, and where nothing is planted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from support.planted import autocorrelation, blocks_of, chain, documents, rows_of

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.ordered.edges import OrderedTests, ordered_tests
from glasso_cli.inference.ordered.errors import jackknife
from glasso_cli.inference.ordered.estimates import StepEstimate, debiased_lasso, least_squares
from glasso_cli.solvers.lasso.path import regress
from glasso_cli.solvers.lasso.problem import Regressions

K, M = 12, 8
LAYERS = np.repeat([0, 1], [K, M])
PAIRS = np.array([(source, target) for target in range(K, K + M) for source in range(K)]).T


def tokens(seed: int = 0, count: int = 64, length: int = 20, ar: float = 0.0, p: int = K + M) -> np.ndarray:
    return documents(chain(p, 0.4), count, length, ar, seed)


def problem_of(blocks: Blocks) -> Regressions:
    return Regressions.of(blocks.correlation(), LAYERS)


def by_least_squares(problem: Regressions) -> StepEstimate:
    (step,) = problem.steps
    return least_squares(problem.correlation[: step.start, : step.start], problem.between(step))


def results_of(values: np.ndarray, variance: str = "normal", count: int = 16, min_effect: float = 0.0) -> OrderedTests:
    """All pairs, by least squares."""
    blocks = blocks_of(values, count)
    problem = problem_of(blocks)
    R = np.zeros((K + M, 4)) if variance == "normal" else autocorrelation(values)
    return ordered_tests(
        problem, [by_least_squares(problem)], blocks, R, *PAIRS, min_effect=min_effect, variance=variance
    )


def test_for_independent_tokens_z_is_the_t_of_least_squares() -> None:
    values = tokens()
    X = values.reshape(-1, K + M)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found = results_of(values)
    for target in range(M):
        b, squares, _, _ = np.linalg.lstsq(X[:, :K], X[:, K + target], rcond=None)
        error = np.sqrt(squares[0] / (len(X) - K) * np.linalg.inv(X[:, :K].T @ X[:, :K]).diagonal())
        mine = slice(target * K, (target + 1) * K)
        assert_allclose(found.coefficient[mine], b, rtol=1e-4, atol=1e-6)
        assert_allclose(found.coefficient_error[mine], error, rtol=1e-4)
        assert_allclose(found.z[mine], b / error, rtol=1e-3, atol=1e-4)


def test_partial_correlations_are_given_all_other_predictors() -> None:
    values = tokens()
    S = blocks_of(values).correlation()
    found = results_of(values)
    for target in range(M):
        places = [*range(K), K + target]
        T = np.linalg.inv(S[np.ix_(places, places)])
        expected = -T[-1, :-1] / np.sqrt(T[-1, -1] * T.diagonal()[:-1])
        assert_allclose(found.partial_correlation[target * K : (target + 1) * K], expected, atol=1e-10)


def test_with_the_inverse_the_debiased_lasso_is_least_squares() -> None:
    problem = problem_of(blocks_of(tokens()))
    (step,) = problem.steps
    R, r = problem.correlation[:K, :K], problem.between(step)
    lasso = regress(problem, 0.2, tol=1e-10).coefficients(step)
    found, expected = debiased_lasso(R, r, lasso, csr_array(np.linalg.inv(R))), least_squares(R, r)
    assert_allclose(found.T, expected.T, atol=1e-10)
    assert_allclose(found.variance, expected.variance)
    assert_allclose(found.precision, expected.precision)
    assert (found.residual > expected.residual).all()  # a lasso leaves more


@pytest.mark.parametrize("kind", ["inverse", "lasso"])
def test_the_jackknife_leaves_out_each_block(kind: str) -> None:
    values = tokens(ar=0.5)
    blocks = blocks_of(values, 4)
    problem = problem_of(blocks)
    (step,) = problem.steps
    S = problem.correlation
    X = (values.reshape(-1, K + M) - blocks.mean) / blocks.std
    X = np.concatenate([(rows_of(values, [b], 4) - blocks.mean) / blocks.std for b in range(4)])
    estimate = by_least_squares(problem)
    if kind == "lasso":
        theta = np.where(np.abs(np.linalg.inv(S[:K, :K])) > 0.05, np.linalg.inv(S[:K, :K]), 0.0)
        lasso = regress(problem, 0.1).coefficients(step)
        estimate = debiased_lasso(S[:K, :K], S[K:, :K], lasso, csr_array(theta))
    some = (np.arange(M), np.arange(K))
    (found,) = jackknife(blocks, S, problem.steps, [estimate], [np.ones((M, K))], [some])
    pseudo = []
    for block in np.split(np.arange(len(X)), 4):
        rest = np.cov(np.delete(X, block, axis=0).T, bias=True)
        if kind == "lasso":
            b = lasso.toarray()
            without = b + (rest[K:, :K] - b @ rest[:K, :K]) @ theta
        else:
            without = np.linalg.solve(rest[:K, :K], rest[:K, K:]).T
        pseudo.append(4 * estimate.T - 3 * without)
    expected = np.var(pseudo, axis=0, ddof=1) / 4
    assert_allclose(found.variance, expected, rtol=2e-3 if kind == "inverse" else 2e-2)


@pytest.mark.parametrize("variance", ["normal", "pooled", "jackknife"])
def test_scale_and_sign_of_a_neuron_change_its_numbers_alone(variance: str) -> None:
    values = tokens(ar=0.5)
    scale = np.random.default_rng(1).uniform(0.2, 5, K + M) * np.random.default_rng(2).choice([-1, 1], K + M)
    before, after = results_of(values, variance), results_of(values * scale, variance)
    signs = np.sign(scale[PAIRS[0]] * scale[PAIRS[1]])
    for name in ("coefficient", "partial_correlation", "z"):
        assert_allclose(getattr(after, name), getattr(before, name) * signs, rtol=1e-3, atol=1e-4)
    for name in ("coefficient_error", "standard_error", "p_zero", "q_zero"):
        assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-3, atol=1e-6)


def test_smaller_blocks_change_errors_and_not_estimates() -> None:
    values = tokens(ar=0.7, count=128)
    few, many = results_of(values, "pooled", 16), results_of(values, "pooled", 64)
    assert_allclose(many.coefficient, few.coefficient, atol=1e-6)
    assert 0.6 < many.errors[0].inflation / few.errors[0].inflation < 1.6


def test_a_minimum_effect_of_zero_is_the_two_sided_test() -> None:
    found = results_of(tokens(), "pooled")
    assert_allclose(found.p, found.p_zero)
    assert_allclose(found.q, found.q_zero)
    more = results_of(tokens(), "pooled", min_effect=0.1)
    assert (more.p >= found.p_zero - 1e-9).all()
    assert results_of(tokens(), "pooled", min_effect=0.9).discoveries == 0 < found.discoveries


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["auto", "normal", "pooled", "jackknife"])
def test_p_values_are_uniform_where_nothing_is_planted(variance: str) -> None:
    ps = []
    for seed in range(30):
        values = documents(np.eye(K + M), 64, 20, 0.7 if variance != "normal" else 0.0, seed)
        ps.append(results_of(values, variance).p_zero)
    share = float((np.concatenate(ps) < 0.05).mean())
    assert 0.02 < share < 0.08


def test_fewer_tokens_than_predictors_are_refused() -> None:
    values = tokens(count=16, length=1)
    blocks = blocks_of(values, 16)
    problem = problem_of(blocks)
    estimate = StepEstimate(np.zeros((M, K)), np.ones(M), np.ones(K), np.ones(K), None, None)
    with pytest.raises(InputError, match=r"worth 10 independent ones: too few .* given all 12 neurons"):
        ordered_tests(problem, [estimate], blocks, np.full((K + M, 1), np.sqrt(0.3)), *PAIRS, variance="normal")


def test_a_singular_correlation_is_refused() -> None:
    with pytest.raises(InputError, match="singular"):
        least_squares(np.ones((2, 2)), np.ones((1, 2)))
