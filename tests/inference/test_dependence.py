"""The share of the dependence that hidden factors carry: that of planted models, whatever the signs, scales and order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from glasso_cli.inference.dependence import CarriedDependence, carried_dependence, mean_square, unpenalised
from glasso_cli.linalg.precision import symmetric
from glasso_cli.solvers import fit_path


def planted(p: int = 40, load: float = 0.3, edge: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Theta ``(p, p)``, with an edge between neighbours, and the V ``(p, 2)`` of two factors that move all neurons."""
    theta = np.eye(p)
    first = np.arange(0, p - 1, 2)
    theta[first, first + 1] = theta[first + 1, first] = -edge
    loadings = load * np.random.default_rng(seed).normal(size=(p, 2))  # x = loadings h + e
    V = theta @ loadings @ np.linalg.cholesky(np.linalg.inv(np.eye(2) + loadings.T @ theta @ loadings))
    return theta, V


def correlation_of(precision: np.ndarray) -> np.ndarray:
    W = np.linalg.inv(precision)
    scale = np.sqrt(W.diagonal())
    return np.asarray(W / np.outer(scale, scale))


def test_total_correlations_are_those_of_the_formula() -> None:
    theta, V = planted()
    found = carried_dependence(csr_array(theta), V)
    whole, given = correlation_of(theta - V @ V.T), correlation_of(theta)
    off = ~np.eye(40, dtype=bool)
    assert found.total_correlation == pytest.approx(-np.linalg.slogdet(whole)[1] / 2)
    assert found.total_given_factors == pytest.approx(-np.linalg.slogdet(given)[1] / 2)
    assert found.squared_correlation == pytest.approx((whole[off] ** 2).mean())
    assert found.squared_given_factors == pytest.approx((given[off] ** 2).mean())
    assert found.share == pytest.approx(1 - np.linalg.slogdet(given)[1] / np.linalg.slogdet(whole)[1])
    assert mean_square(whole) == pytest.approx(found.squared_correlation)


def test_given_the_factors_neurons_have_the_covariance_of_the_sparse_part() -> None:
    """The conditional covariance of the joint model with the factors, by direct inversion."""
    theta, V = planted()
    joint = np.linalg.inv(np.block([[theta, -V], [-V.T, np.eye(2)]]))
    x, h = slice(0, 40), slice(40, 42)
    given = joint[x, x] - joint[x, h] @ np.linalg.inv(joint[h, h]) @ joint[h, x]
    np.testing.assert_allclose(np.linalg.inv(given), theta, atol=1e-10)
    np.testing.assert_allclose(np.linalg.inv(joint[x, x]), theta - V @ V.T, atol=1e-10)
    found = carried_dependence(csr_array(theta), V)
    assert found.variance_explained == pytest.approx(np.mean(1 - given.diagonal() / joint[x, x].diagonal()))


@pytest.mark.parametrize("kind", ["sign", "scale", "permutation"])
def test_signs_scales_and_order_change_nothing(kind: str) -> None:
    theta, V = planted()
    rng = np.random.default_rng(1)
    change = {
        "sign": np.diag(rng.choice([-1.0, 1.0], 40)),
        "scale": np.diag(np.exp(rng.normal(size=40))),
        "permutation": np.eye(40)[rng.permutation(40)],
    }[kind]
    before = carried_dependence(csr_array(theta), V)
    after = carried_dependence(csr_array(change @ theta @ change.T), change @ V)
    for name in CarriedDependence.__dataclass_fields__:
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-9)


def test_without_factors_they_carry_nothing_and_without_dependence_there_is_no_share() -> None:
    theta, V = planted()
    alone = carried_dependence(csr_array(theta), np.zeros((40, 0)))
    assert (alone.share, alone.share_of_squares, alone.variance_explained) == (0.0, 0.0, 0.0)
    independent = carried_dependence(csr_array(np.diag(np.arange(1.0, 6.0))), np.zeros((5, 0)))
    assert (independent.share, independent.share_of_squares) == (None, None)
    assert carried_dependence(csr_array(np.eye(1)), np.zeros((1, 0))).share is None
    all_of_it = carried_dependence(csr_array(np.eye(40)), V)
    assert (all_of_it.share, all_of_it.share_of_squares) == (1.0, 1.0)


def test_edges_that_cancel_factors_give_a_negative_share() -> None:
    """Neurons that are nearly independent together depend on each other once the factor is given."""
    V = np.array([[0.5], [0.5]])
    theta = np.array([[1.0, 0.2], [0.2, 1.0]])
    found = carried_dependence(csr_array(theta), V)
    assert found.share is not None
    assert found.share < -1


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not positive definite"):
        carried_dependence(csr_array(np.eye(3)), np.full((3, 1), 2.0))


# -- without penalty ------------------------------------------------------------------------------------


def shares(S: np.ndarray, alpha: float) -> tuple[float, float]:
    """The share of a latent fit to S as it is, and without penalty."""
    (point,) = fit_path(S, [alpha], hidden=1.0, max_iter=3000)
    penalised = carried_dependence(point.precision(), point.factors)
    free = carried_dependence(*unpenalised(S, point.precision(), point.factors))
    assert penalised.share is not None
    assert free.share is not None
    return penalised.share, free.share


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.15, 0.1, 0.05])
def test_the_share_of_a_planted_model_is_found_at_any_penalty(alpha: float) -> None:
    """Two factors over 40 neurons, known exactly: the penalty moves the share of the fit, not that without penalty."""
    theta, V = planted()
    truth = carried_dependence(csr_array(theta), V).share
    assert truth is not None
    penalised, found = shares(correlation_of(theta - V @ V.T), alpha)
    assert found == pytest.approx(truth, abs=0.002)
    assert penalised > truth + 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("load", "edge"), [(0.3, 0.3), (0.6, 0.3), (0.3, 0.4)])
def test_the_share_of_a_planted_model_is_found_in_a_sample(load: float, edge: float) -> None:
    theta, V = planted(load=load, edge=edge)
    truth = carried_dependence(csr_array(theta), V).share
    C = correlation_of(theta - V @ V.T)
    S = np.corrcoef(np.random.default_rng(1).multivariate_normal(np.zeros(40), C, 4000).T)
    assert shares(S, 0.1)[1] == pytest.approx(truth, abs=0.03)


def test_the_most_likely_model_is_one() -> None:
    """No gradient is left along the diagonal, the edges and the factors; the likelihood has risen."""
    theta, V = planted()
    C = correlation_of(theta - V @ V.T)
    S = np.corrcoef(np.random.default_rng(0).multivariate_normal(np.zeros(40), C, 500).T)
    rows, cols = np.triu(theta, 1).nonzero()
    start = symmetric(rows, cols, 0.5 * theta[rows, cols], 1.2 * theta.diagonal())
    free, loadings = unpenalised(S, start, 0.5 * V)

    def loss(precision: np.ndarray) -> float:
        return float(np.vdot(S, precision) - np.linalg.slogdet(precision)[1])

    R = free.toarray() - loadings @ loadings.T
    assert ((free.toarray() != 0) == (theta != 0)).all()
    assert loss(R) < loss(np.linalg.inv(C)) < loss(start.toarray() - V @ V.T / 4)
    G = S - np.linalg.inv(R)
    assert np.abs(G[theta != 0]).max() < 0.01
    assert np.abs(G @ loadings).max() < 0.02


def test_without_factors_the_most_likely_model_is_that_of_the_graph() -> None:
    """Of a chain of pairs, the precision of each pair is the inverse of its correlation matrix."""
    theta, V = planted()
    S = correlation_of(theta - V @ V.T)
    rows, cols = np.triu(theta, 1).nonzero()
    start = symmetric(rows, cols, 0.5 * theta[rows, cols], theta.diagonal())
    free, loadings = unpenalised(S, start, np.zeros((40, 0)))
    assert loadings.shape == (40, 0)
    for i in range(0, 40, 2):
        np.testing.assert_allclose(
            free.toarray()[i : i + 2, i : i + 2], np.linalg.inv(S[i : i + 2, i : i + 2]), atol=5e-3
        )


@pytest.mark.parametrize("kind", ["sign", "permutation"])
def test_the_share_of_the_most_likely_model_is_the_same_for_other_signs_and_orders(kind: str) -> None:
    theta, V = planted()
    S = correlation_of(theta - V @ V.T)
    S = np.corrcoef(np.random.default_rng(2).multivariate_normal(np.zeros(40), S, 1000).T)
    rng = np.random.default_rng(1)
    change = np.diag(rng.choice([-1.0, 1.0], 40)) if kind == "sign" else np.eye(40)[rng.permutation(40)]
    before = carried_dependence(*unpenalised(S, csr_array(theta), V)).share
    turned = csr_array(change @ theta @ change.T)
    after = carried_dependence(*unpenalised(change @ S @ change.T, turned, change @ V)).share
    assert after == pytest.approx(before, abs=1e-4)
