"""The graphical lasso with hidden factors, against its optimality conditions written out and against the plain one."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_paths_and_searches_take_hidden_factors() -> None:
    S = with_factor(20)
    path = fit_path(S, [0.2, 0.1], hidden=2.0, tol=1e-6)
    assert [point.alpha for point in path] == [0.2, 0.1]
    assert path[1].log_likelihood >= path[0].log_likelihood
    found = fit_degree(S, 2.0, hidden=2.0, tol=1e-6)
    assert min(abs(point.mean_degree - 2.0) for point in found) < 0.5


def test_the_number_of_neurons_has_no_limit_of_its_own() -> None:
    p = 1200
    S = np.eye(p)
    S[:2, :2] = [[1, 0.5], [0.5, 1]]
    found = latent.solve(S, 0.1, 5.0)
    assert found.converged
    assert np.flatnonzero(np.triu(found.precision, 1)).tolist() == [1]


@pytest.mark.parametrize(("strength", "mu"), [(0.6, 0.5), (0.3, 0.2), (1.5, 2.0)])
def test_it_is_the_answer_of_another_method(strength: float, mu: float) -> None:
    from gglasso.solver.single_admm_solver import ADMM_SGL

    S, alpha = with_factor(25, strength=strength), 0.08
    start = np.eye(25)
    theirs, _ = ADMM_SGL(
        S, alpha, start, tol=1e-10, rtol=1e-10, max_iter=20_000, latent=True, mu1=mu, verbose=False, measure=True
    )
    found = latent.solve(S, alpha, mu, tol=1e-10)
    assert found.converged
    np.testing.assert_allclose(found.precision, theirs["Theta"], atol=2e-4)
    np.testing.assert_allclose(found.factors @ found.factors.T, theirs["L"], atol=2e-4)


@pytest.mark.parametrize("factor", [0.1, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.05])
def test_problems_of_many_kinds_are_certified(alpha: float, factor: float) -> None:
    random = np.random.default_rng(0)
    few = np.corrcoef(random.standard_normal((20, 40)).T)
    chain = 0.95 ** np.abs(np.subtract.outer(range(40), range(40)))
    alike = 0.1 * np.eye(40) + 0.9
    for S in (few, chain, alike, with_factor(40)):
        found = latent.solve(S, alpha, latent.nuclear_penalty(alpha, 40, factor), tol=1e-7)
        assert found.converged
        assert 0 <= found.duality_gap <= 1e-7


def test_units_and_signs_do_not_matter() -> None:
    S, random = with_factor(20), np.random.default_rng(2)
    base = latent.solve(S, 0.08, 0.5, tol=1e-9)
    signs = random.choice([-1.0, 1.0], 20)
    flipped = latent.solve(S * np.outer(signs, signs), 0.08, 0.5, tol=1e-9)
    np.testing.assert_allclose(flipped.precision, base.precision * np.outer(signs, signs), atol=1e-5)
    # S' = c S with c alpha and c mu is the same problem in other units
    scaled = latent.solve(9 * S, 9 * 0.08, 9 * 0.5, tol=1e-9)
    np.testing.assert_allclose(9 * scaled.precision, base.precision, atol=1e-5)
    np.testing.assert_allclose(3 * np.abs(scaled.factors), np.abs(base.factors), atol=1e-4)
    assert scaled.duality_gap <= 1e-9


def test_unequal_variances_meet_the_conditions_of_the_problem_given() -> None:
    random = np.random.default_rng(3)
    d = random.uniform(0.7, 1.5, 15)
    S, alpha, mu = with_factor(15) * np.outer(d, d), 0.08, 0.5
    found = latent.solve(S, alpha, mu, tol=1e-10)
    assert found.converged
    V = found.factors
    G = np.linalg.inv(found.precision - V @ V.T) - S
    off = ~np.eye(15, dtype=bool)
    on = off & (found.precision != 0)
    assert np.abs(G[off]).max() <= alpha + 1e-4
    np.testing.assert_allclose(G[on], alpha * np.sign(found.precision[on]), atol=1e-4)
    assert np.linalg.eigvalsh(G).min() >= -mu - 1e-4
    np.testing.assert_allclose(G @ V, -mu * V, atol=1e-4)
    assert found.objective == pytest.approx(value(S, found.precision, V @ V.T, alpha, mu))


def test_a_start_at_the_answer_is_the_answer() -> None:
    S = with_factor(30)
    found = latent.solve(S, 0.08, 0.5)
    again = latent.solve(S, 0.08, 0.5, init=found.precision)
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.precision, found.precision)
    near = latent.solve(S, 0.07, 0.45, init=found.precision)
    assert near.converged
    assert near.objective == pytest.approx(latent.solve(S, 0.07, 0.45).objective, abs=1e-5)


def test_too_few_iterations_are_not_called_converged() -> None:
    found = latent.solve(with_factor(20), 0.05, 0.5, max_iter=1)
    assert not found.converged
    assert np.isfinite(found.duality_gap)
