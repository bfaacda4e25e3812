"""The closed form of the low-rank part, against its optimality conditions; W and the objective, against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.solvers.latent.best_factors import best_factors


def problem(p: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    S = np.corrcoef((random.standard_normal((50, p)) + 1.5 * random.standard_normal((50, 1))).T)
    Theta = np.eye(p) * 1.8
    Theta[0, 1] = Theta[1, 0] = -0.4
    return Theta, S, random.uniform(0.3, 0.6, p)


def smooth(Theta: np.ndarray, L: np.ndarray, S: np.ndarray, weights: np.ndarray) -> float:
    sign, log_det = np.linalg.slogdet(Theta - L)
    return np.inf if sign <= 0 else float(-log_det + np.vdot(S, Theta - L) + weights @ L.diagonal())


def test_the_conditions_of_the_low_rank_part_hold() -> None:
    Theta, S, weights = problem()
    best = best_factors(Theta, S, weights)
    assert best is not None
    V, W = best.factors(), best.inverse()
    assert 0 < V.shape[1] < len(S)
    L = V @ V.T
    np.testing.assert_allclose(W.matrix, np.linalg.inv(Theta - L), atol=1e-10)
    slack = W.matrix - S + np.diag(weights)
    assert np.linalg.eigvalsh(slack).min() > -1e-10
    np.testing.assert_allclose(slack @ V, 0, atol=1e-10)
    np.testing.assert_allclose(V.T @ V, np.diag((V**2).sum(axis=0)), atol=1e-10)
    assert np.vdot(S, Theta) - W.log_det == pytest.approx(smooth(Theta, L, S, weights))
    assert W.product_trace == pytest.approx(np.vdot(Theta, W.matrix))
    assert W.rank == V.shape[1]


def test_no_other_low_rank_part_is_better() -> None:
    Theta, S, weights = problem()
    best = best_factors(Theta, S, weights)
    assert best is not None
    V, random = best.factors(), np.random.default_rng(1)
    lowest = smooth(Theta, V @ V.T, S, weights)
    for _ in range(50):
        other = V + 0.01 * random.standard_normal(V.shape)
        extra = 0.02 * random.standard_normal((len(S), 1))
        assert smooth(Theta, other @ other.T + extra @ extra.T, S, weights) > lowest


def test_without_a_reason_there_is_no_low_rank_part() -> None:
    best = best_factors(np.eye(5), np.eye(5), np.full(5, 0.1))
    assert best is not None
    assert best.factors().shape == (5, 0)
    assert best.log_det == pytest.approx(0.0)


def test_a_matrix_that_is_not_positive_definite_has_none() -> None:
    assert best_factors(-np.eye(3), np.eye(3), np.ones(3)) is None
