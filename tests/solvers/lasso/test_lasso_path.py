"""Regressions on earlier layers: against scikit-learn, by their optimality conditions, and by their symmetries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from glasso_cli.errors import InputError
from glasso_cli.solvers.lasso.path import OrderedPoint, ordered_path, regress
from glasso_cli.solvers.lasso.problem import Regressions, certificate

LAYERS = np.repeat([3, 4, 7], [12, 10, 8])
TIGHT: dict[str, Any] = {"tol": 1e-11, "max_iter": 100_000}


def tokens(n: int = 200, p: int = 30, seed: int = 0) -> np.ndarray:
    """Standardised values ``(n, p)`` of correlated neurons."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p)) @ (np.eye(p) + 0.3 * random.standard_normal((p, p)))
    X -= X.mean(axis=0)
    return np.asarray(X / X.std(axis=0))


def problem_of(X: np.ndarray, layers: np.ndarray = LAYERS) -> Regressions:
    return Regressions.of(X.T @ X / len(X), layers)


def dense(point: OrderedPoint) -> np.ndarray:
    """All coefficients ``(p, p)``: a row for every target."""
    B = np.zeros((point.n_neurons, point.n_neurons))
    B[point.targets, point.sources] = point.values
    return B


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.02])
def test_scikit_learn_finds_the_same_coefficients(alpha: float) -> None:
    from sklearn.linear_model import Lasso

    X = tokens()
    problem = problem_of(X)
    B = dense(regress(problem, alpha, **TIGHT))
    for step in problem.steps:
        for target in range(step.start, step.stop):
            reference = Lasso(alpha=alpha, fit_intercept=False, tol=1e-12, max_iter=200_000)
            reference.fit(X[:, : step.start], X[:, target])
            assert_allclose(B[target, : step.start], reference.coef_, atol=1e-5)
            assert not B[target, step.start :].any()


@pytest.mark.slow
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(3, 60),
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    alpha=st.floats(0.01, 0.9),
)
def test_every_target_meets_the_conditions_of_an_optimum(seed: int, n: int, sizes: list[int], alpha: float) -> None:
    layers = np.repeat(np.arange(len(sizes)), sizes)
    problem = problem_of(tokens(n, len(layers), seed), layers)  # with few tokens, a singular matrix
    point = regress(problem, alpha, tol=1e-9, max_iter=100_000)
    assert point.converged
    B = dense(point)
    for step in problem.steps:
        for target in range(step.start, step.stop):
            b = B[target, : step.start]
            R, r = problem.correlation[: step.start, : step.start], problem.correlation[target, : step.start]
            gradient = r - R @ b
            assert np.abs(gradient).max() <= alpha + 1e-3
            assert_allclose(gradient[b != 0], alpha * np.sign(b[b != 0]), atol=1e-3)
            assert_allclose(point.residual[target], 1 - 2 * r @ b + b @ R @ b, atol=1e-9)


@pytest.mark.parametrize(
    ("seed", "n", "sizes", "alpha"),
    [
        (8383, 3, [4, 1, 4, 4], 0.5),
        (7809, 5, [6, 4, 1, 3], 0.01),
        (9094, 3, [6, 5], 0.01),
        (7264, 3, [2, 5, 1, 1], 0.37527492011116703),
    ],
)
def test_dependent_predictors_take_few_sweeps(seed: int, n: int, sizes: list[int], alpha: float) -> None:
    """With fewer tokens than predictors, sweeps alone creep along a line for a million times."""
    layers = np.repeat(np.arange(len(sizes)), sizes)
    problem = problem_of(tokens(n, len(layers), seed), layers)
    assert regress(problem, alpha, tol=1e-9, max_iter=1_000).converged


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), alpha=st.floats(0.02, 0.5), noise=st.floats(0.0, 0.3))
def test_the_gap_bounds_the_distance_from_the_optimum(seed: int, alpha: float, noise: float) -> None:
    X = tokens(60, 12, seed)
    problem = problem_of(X, np.repeat([0, 1], 6))
    (step,) = problem.steps
    R, r = problem.correlation[:6, :6], problem.between(step)
    best = certificate(R, r, regress(problem, alpha, **TIGHT).coefficients(step), alpha)
    random = np.random.default_rng(seed)
    b = random.standard_normal((6, 6)) * noise * (random.random((6, 6)) < 0.5)
    found = certificate(R, r, csr_array(b), alpha)
    y, Z = X[:, 6:], X[:, :6]
    assert_allclose(found.objective, ((y - Z @ b.T) ** 2).mean(axis=0) / 2 + alpha * np.abs(b).sum(axis=1), atol=1e-12)
    assert (found.objective - best.objective >= -1e-9).all()
    assert (found.objective - best.objective <= found.gap + 1e-9).all()


def test_a_linear_network_without_noise_gets_its_own_coefficients() -> None:
    Z, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 3)))
    weights = np.array([[0.6, 0.8, 0.0], [0.0, 0.6, -0.8]])
    X = np.concatenate([Z, Z @ weights.T], axis=1) * np.sqrt(len(Z))
    point = regress(Regressions.of(X.T @ X / len(X), np.array([0, 0, 0, 1, 1])), 0.1)
    shrunken = np.sign(weights) * np.maximum(np.abs(weights) - 0.1, 0)  # predictors are uncorrelated
    assert_allclose(dense(point)[3:, :3], shrunken, atol=1e-12)


def test_the_order_of_neurons_within_a_layer_does_not_matter() -> None:
    X = tokens()
    order = np.concatenate([np.random.default_rng(1).permutation(np.flatnonzero(n == LAYERS)) for n in (3, 4, 7)])
    B, permuted = (dense(regress(problem_of(values), 0.1, **TIGHT)) for values in (X, X[:, order]))
    assert_allclose(permuted, B[np.ix_(order, order)], atol=1e-5)


def test_a_neuron_of_the_other_sign_turns_its_coefficients() -> None:
    X, signs = tokens(), np.where(np.random.default_rng(2).random(30) < 0.5, -1.0, 1.0)
    B, turned = (dense(regress(problem_of(values), 0.1)) for values in (X, X * signs))
    assert_array_equal(turned, B * np.multiply.outer(signs, signs))


def test_layers_in_the_other_order_give_another_graph() -> None:
    X = tokens()
    back = np.arange(30)[::-1]
    B, reversed_ = dense(regress(problem_of(X), 0.1)), dense(regress(problem_of(X[:, back], -LAYERS[back]), 0.1))
    again = reversed_[np.ix_(back, back)]
    assert not (again != 0)[B != 0].any()  # an edge never goes both ways
    assert (again.T != 0).any()
    assert not np.allclose(again.T, B, atol=1e-2)


def test_every_layer_is_a_problem_of_its_own() -> None:
    X = tokens()
    first = dense(regress(problem_of(X[:, :22], LAYERS[:22]), 0.1))
    assert_allclose(dense(regress(problem_of(X), 0.1))[:22, :22], first, atol=1e-12)


def test_neurons_of_one_layer_have_no_edges() -> None:
    point = regress(problem_of(tokens(), np.zeros(30)), 0.1)
    assert point.n_edges == 0
    assert point.converged


def test_no_edge_begins_above_the_strongest_correlation() -> None:
    problem = problem_of(tokens())
    assert regress(problem, problem.strongest * 1.0001).n_edges == 0
    assert regress(problem, problem.strongest * 0.99).n_edges > 0


def test_a_search_ends_at_the_degree() -> None:
    points = ordered_path(problem_of(tokens()), [], degree=3.0)
    assert min(abs(point.mean_degree - 3) for point in points) <= 2 / 30
    alphas = [point.alpha for point in points]
    assert alphas == sorted(alphas, reverse=True)


def test_a_degree_below_one_edge_ends_with_one_edge_or_none() -> None:
    points = ordered_path(problem_of(tokens()), [], degree=1e-6)
    assert min(point.n_edges for point in points) <= 1


def test_more_edges_than_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="A mean degree of 29 is not possible"):
        ordered_path(problem_of(tokens()), [], degree=29.0)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    problem = problem_of(tokens())
    warm = ordered_path(problem, [0.3, 0.2, 0.1], **TIGHT)[-1]
    assert_allclose(dense(warm), dense(regress(problem, 0.1, **TIGHT)), atol=1e-5)


def test_too_few_sweeps_are_told() -> None:
    point = regress(problem_of(tokens(20)), 0.01, tol=1e-12, max_iter=1)
    assert not point.converged
    assert point.n_iter == 1
    assert point.duality_gap > 1e-12
