"""The graphical lasso with hidden factors, against its optimality conditions written out and against the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.solvers import fit_path, latent, solve
from glasso_cli.solvers.degree import fit_degree
from glasso_cli.solvers.path import fit_from


def with_factor(p: int, n: int = 4000, strength: float = 0.6, seed: int = 0) -> np.ndarray:
    """The correlation of a chain of p neurons that one hidden factor moves."""
    random = np.random.default_rng(seed)
    chain = np.eye(p) + 0.35 * (np.eye(p, k=1) + np.eye(p, k=-1))
    draws = random.standard_normal((n, p)) @ np.linalg.cholesky(np.linalg.inv(chain)).T
    draws += strength * random.standard_normal((n, 1)) * random.choice([-1.5, 1.5], p)
    return np.asarray(np.corrcoef(draws.T))


def value(S: np.ndarray, Theta: np.ndarray, L: np.ndarray, alpha: float, mu: float) -> float:
    sign, log_det = np.linalg.slogdet(Theta - L)
    off = np.abs(Theta).sum() - np.abs(Theta.diagonal()).sum()
    return np.inf if sign <= 0 else -log_det + np.vdot(S, Theta - L) + alpha * off + mu * np.trace(L)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "alpha", "mu"), [(8, 0.1, 0.5), (20, 0.05, 0.6), (40, 0.1, 0.8)])
def test_the_optimality_conditions_hold(p: int, alpha: float, mu: float) -> None:
    S = with_factor(p)
    found = latent.solve(S, alpha, mu, tol=1e-8, max_iter=5000)
    assert found.converged
    Theta, V = found.precision, found.factors
    L = V @ V.T
    G = np.linalg.inv(Theta - L) - S  # within the box, and above -mu
    off = ~np.eye(p, dtype=bool)
    assert np.abs(G[off]).max() <= alpha + 1e-3
    on = off & (Theta != 0)
    np.testing.assert_allclose(G[on], alpha * np.sign(Theta[on]), atol=2e-3)
    assert np.linalg.eigvalsh(G).min() >= -mu - 1e-3
    if V.size:
        np.testing.assert_allclose(G @ V, -mu * V, atol=5e-3 * np.abs(V).max())
    assert found.objective == pytest.approx(value(S, Theta, L, alpha, mu))


def test_no_point_nearby_is_better() -> None:
    S, alpha, mu = with_factor(12), 0.08, 0.5
    found = latent.solve(S, alpha, mu, tol=1e-9, max_iter=5000)
    random = np.random.default_rng(1)
    L = found.factors @ found.factors.T
    for size in (1e-3, 1e-2):
        for _ in range(20):
            step = size * random.standard_normal((12, 12))
            V = found.factors + size * random.standard_normal(found.factors.shape)
            assert value(S, found.precision + step + step.T, V @ V.T, alpha, mu) >= found.objective - 1e-7
    assert value(S, found.precision, L, alpha, mu) - found.objective < 1e-9


def test_without_room_for_factors_it_is_the_plain_lasso() -> None:
    S = with_factor(15)
    found = latent.solve(S, 0.1, 100.0, tol=1e-9, max_iter=5000)
    plain = solve(S, 0.1, tol=1e-10)
    assert found.factors.shape[1] == 0
    np.testing.assert_allclose(found.precision, plain.precision, atol=1e-3)
    assert found.objective == pytest.approx(plain.objective, abs=1e-6)


def test_the_factor_is_found_and_the_graph_behind_it_is_sparse() -> None:
    p = 30
    S = with_factor(p)
    hidden = fit_from(S, 0.06, None, hidden=2.0, tol=1e-7)
    plain = fit_from(S, 0.06, None)
    assert hidden.converged
    assert 1 <= hidden.factors.shape[1] <= 3
    chain = {(i, i + 1) for i in range(p - 1)}
    edges = [set(zip(point.rows.tolist(), point.cols.tolist())) for point in (hidden, plain)]
    assert len(edges[0] & chain) >= 0.9 * len(chain)
    assert len(edges[0] - chain) < 0.3 * len(edges[1] - chain)


@pytest.mark.slow
def test_paths_and_searches_take_hidden_factors() -> None:
    S = with_factor(20)
    path = fit_path(S, [0.2, 0.1], hidden=2.0, tol=1e-6)
    assert [point.alpha for point in path] == [0.2, 0.1]
    assert path[1].log_likelihood >= path[0].log_likelihood
    found = fit_degree(S, 2.0, hidden=2.0, tol=1e-6)
    assert min(abs(point.mean_degree - 2.0) for point in found) < 0.5


def test_too_many_neurons_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="1,001 neurons are more than the 1,000") as caught:
        latent.solve(np.eye(1001), 0.1, 1.0)
    assert "fit.remove_factors" in caught.value.hint


def test_too_few_iterations_are_not_called_converged() -> None:
    assert not latent.solve(with_factor(20), 0.05, 0.5, max_iter=3).converged
