from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.inference.select import RULES, ebic, select
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.path import PathPoint

P = 30


def point(alpha: float, n_edges: int, log_likelihood: float = 0.0, converged: bool = True) -> PathPoint:
    rows, cols = np.triu_indices(P, 1)
    return PathPoint(
        alpha=alpha,
        rows=rows[:n_edges].astype(np.int32),
        cols=cols[:n_edges].astype(np.int32),
        values=np.full(n_edges, -0.1),
        diagonal=np.ones(P),
        objective=0.0,
        duality_gap=0.0 if converged else 1e-2,
        kkt_residual=0.0,
        n_iter=1,
        converged=converged,
        log_likelihood=log_likelihood,
    )


def planted_path(n: int) -> list[PathPoint]:
    """A path on ``n`` draws from a chain with 29 edges."""
    precision = np.eye(P) + 0.4 * (np.eye(P, k=1) + np.eye(P, k=-1))
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((n, P)) @ np.linalg.inv(np.linalg.cholesky(precision))
    return fit_path(np.corrcoef(draws.T), np.geomspace(0.4, 0.02, 10))


def test_a_fixed_alpha_is_taken_as_it_is() -> None:
    points = [point(0.3, 1), point(0.2, 2, converged=False), point(0.1, 3)]
    chosen = select(points, "fixed", alpha=0.1)
    assert (chosen.index, chosen.criterion, chosen.warning) == (2, None, None)
    asked = select(points, "fixed", alpha=0.2)
    assert asked.index == 1
    assert "did not converge" in str(asked.warning)


def test_an_alpha_off_the_path_is_refused_with_those_on_it() -> None:
    with pytest.raises(InputError, match=r"alpha 0\.25 is not on the path") as caught:
        select([point(0.3, 1), point(0.2, 2)], "fixed", alpha=0.25)
    assert "0.3, 0.2" in caught.value.hint


def test_the_nearest_degree_is_chosen_and_a_miss_is_told() -> None:
    points = [point(0.3, 15), point(0.2, 30), point(0.1, 75)]  # degrees 1, 2, 5
    hit = select(points, "degree", target=2.02)
    assert (hit.index, hit.warning) == (1, None)
    miss = select(points, "degree", target=4.0)
    assert miss.index == 2
    assert "0.1, gives 5" in str(miss.warning)


@pytest.mark.parametrize("rule", ["degree", "ebic"])
def test_only_a_converged_point_is_eligible(rule: str) -> None:
    points = [point(0.3, 15, -20.0), point(0.2, 30, -1.0, converged=False), point(0.1, 75, -19.0)]
    chosen = select(points, rule, target=2.0, n_effective=1000)
    assert points[chosen.index].converged


@pytest.mark.parametrize("rule", ["degree", "ebic"])
def test_if_nothing_converged_the_choice_is_made_with_a_warning(rule: str) -> None:
    points = [point(0.3, 15, -20.0, False), point(0.2, 30, -1.0, False), point(0.1, 75, -19.0, False)]
    chosen = select(points, rule, target=2.0, n_effective=1000)
    assert chosen.index == 1
    assert "nats per neuron): its edges are not certified" in str(chosen.warning)


def test_ebic_is_the_formula_written_with_sums() -> None:
    path = planted_path(400)
    n, gamma = 350.0, 0.5
    curve = select(path, "ebic", n_effective=n, gamma=gamma).criterion
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((400, P)) @ np.linalg.inv(
        np.linalg.cholesky(np.eye(P) + 0.4 * (np.eye(P, k=1) + np.eye(P, k=-1)))
    )
    S = np.corrcoef(draws.T)
    assert curve is not None
    for value, fitted in zip(curve, path):
        eigenvalues = np.linalg.eigvalsh(fitted.precision().toarray())
        gaussian = n / 2 * (np.log(eigenvalues).sum() - (S * fitted.precision().toarray()).sum())
        penalty = fitted.n_edges * np.log(n) + 4 * gamma * fitted.n_edges * np.log(P)
        assert value == pytest.approx(-2 * gaussian + penalty, rel=1e-9)


def test_ebic_finds_the_degree_of_a_planted_chain() -> None:
    path = planted_path(2000)
    chosen = select(path, "ebic", n_effective=2000)
    assert chosen.warning is None
    assert 29 <= path[chosen.index].n_edges <= 60
    found = path[chosen.index].precision().toarray()
    assert np.abs(np.diagonal(found, 1)).min() > 0


def test_fewer_effective_samples_and_more_gamma_choose_sparser_graphs() -> None:
    path = planted_path(400)
    edges = [path[select(path, "ebic", n_effective=n).index].n_edges for n in (20, 100, 400, 40_000)]
    assert edges == sorted(edges)
    assert edges[0] < edges[-1]
    gammas = [path[select(path, "ebic", n_effective=400, gamma=g).index].n_edges for g in (0.0, 1.0)]
    assert gammas[0] >= gammas[1]


def test_an_ebic_minimum_at_an_end_is_told() -> None:
    path = planted_path(400)
    assert "tends to pick the densest" in str(select(path, "ebic", n_effective=1e6).warning)
    assert "sparsest graph" in str(select(path, "ebic", n_effective=2).warning)
    assert select(path[:1], "ebic", n_effective=400).warning is None


def test_ebic_of_arrays() -> None:
    curve = ebic(np.array([-1.0, -2.0]), np.array([3, 0]), n_neurons=10, n_effective=100, gamma=0.0)
    np.testing.assert_allclose(curve, [100 + 3 * np.log(100), 200])


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("lasso", {}, "no selection rule 'lasso'"),
        ("fixed", {}, "fixed needs alpha"),
        ("degree", {}, "degree needs target"),
        ("ebic", {}, "ebic needs n_effective"),
        ("ebic", {"n_effective": 0.5}, "more than one effective sample"),
    ],
)
def test_a_rule_without_what_it_needs_is_refused(rule: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select([point(0.1, 1)], rule, **options)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_path_is_refused(rule: str) -> None:
    with pytest.raises(InputError, match="no point to select from"):
        select([], rule, alpha=0.1, target=1.0, n_effective=100)


# -- rules that resample ----------------------------------------------------------------------------


def test_cv_takes_the_sparsest_graph_within_one_standard_error() -> None:
    points = [point(alpha, edges) for alpha, edges in ((0.4, 1), (0.3, 2), (0.2, 3), (0.1, 4))]
    losses = P * np.array([[9.0, 7.0, 6.9, 7.2], [9.0, 7.2, 6.7, 7.4], [9.2, 7.0, 7.2, 7.2]])
    chosen = select(points, "cv", held_out=-losses)
    assert chosen.criterion is not None
    assert chosen.error is not None
    np.testing.assert_allclose(chosen.criterion, losses.mean(axis=0) / P)
    np.testing.assert_allclose(chosen.error, losses.std(axis=0, ddof=1) / np.sqrt(3) / P)
    assert (chosen.index, chosen.warning) == (1, None)
    apart = select(points, "cv", held_out=-losses + np.array([0, 0, 3 * P, 0]))
    assert apart.index == 2


def test_a_held_out_loss_that_falls_to_the_end_is_told() -> None:
    points = [point(0.3, 1), point(0.2, 2), point(0.1, 3)]
    falling = select(points, "cv", held_out=np.array([[1.0, 2.0, 3.0], [1.1, 2.0, 3.1]]))
    assert falling.index == 2
    assert "held-out loss is smallest at the smallest alpha, 0.1" in str(falling.warning)


def test_stars_takes_the_densest_graph_that_is_stable_all_the_way() -> None:
    points = [point(alpha, edges) for alpha, edges in ((0.4, 1), (0.3, 2), (0.2, 3), (0.1, 4))]
    chosen = select(points, "stars", instability=np.array([0.0, 0.06, 0.04, 0.2]), threshold=0.05)
    assert chosen.criterion is not None
    assert (chosen.index, chosen.criterion.tolist(), chosen.warning) == (0, [0.0, 0.06, 0.06, 0.2], None)
    assert select(points, "stars", instability=np.array([0.0, 0.01, 0.02, 0.2]), threshold=0.05).index == 2


def test_stars_says_when_the_threshold_decides_nothing() -> None:
    points = [point(0.3, 1), point(0.2, 2)]
    all_stable = select(points, "stars", instability=np.array([0.001, 0.002]), threshold=0.05)
    assert all_stable.index == 1
    assert "mean over all pairs" in str(all_stable.warning)
    none_stable = select(points, "stars", instability=np.array([0.1, 0.2]), threshold=0.05)
    assert none_stable.index == 0
    assert "At no alpha" in str(none_stable.warning)


@pytest.mark.parametrize(("rule", "option"), [("cv", "held_out"), ("stars", "instability")])
def test_a_rule_without_its_resamples_is_refused(rule: str, option: str) -> None:
    with pytest.raises(InputError, match=f"rule {rule} needs {option}"):
        select([point(0.3, 1), point(0.2, 2)], rule)
