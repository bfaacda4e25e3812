"""Differences between two corpora: closed forms, planted changes, and what is found where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.comparison.differential import (
    Differences,
    PairDifferences,
    PairInflation,
    Side,
    classes_of,
    differences,
    with_own_errors,
)
from glasso_cli.inference.pairs import pair_places, pairs_at


def side(rho: np.ndarray, n: int = 1000, inflation: float = 1.0, freedom: float = np.inf, lags: float = 0.0) -> Side:
    matrix = np.eye(len(rho)) - rho  # a precision of these partial correlations
    np.fill_diagonal(matrix, 1.0)
    return Side.of(matrix, np.full((len(rho), 1), lags), n, inflation, freedom)


def symmetric(p: int, **entries: float) -> np.ndarray:
    rho = np.zeros((p, p))
    for name, value in entries.items():
        i, j = int(name[1]), int(name[2])
        rho[i, j] = rho[j, i] = value
    return rho


def sampled(precision: np.ndarray, n: int, seed: int) -> Side:
    p = len(precision)
    x = np.random.default_rng(seed).multivariate_normal(np.zeros(p), np.linalg.inv(precision), n, method="cholesky")
    return Side.of(np.linalg.inv(np.cov(x.T)), np.zeros((p, 1)), n, n / (n - p), np.inf)


def again(
    found: Differences, sides: tuple[Side, Side], inflation: float = 1.0, freedom: float = 15.0
) -> PairDifferences:
    """All pairs with own errors of one factor."""
    rows, cols = np.triu_indices(found.p, 1)
    own = PairInflation(np.full(len(rows), inflation), freedom)
    return with_own_errors(found, sides, rows, cols, (own, own))


def test_z_is_the_difference_of_fishers_z_over_the_root_of_both_variances() -> None:
    first, second = symmetric(3, _01=0.3, _02=-0.2), symmetric(3, _01=0.5, _12=0.1)
    sides = side(first, 1000, inflation=2.0), side(second, 500, lags=0.5)
    found = differences(*sides)
    # tau = 1 + 2 * 0.5 * 0.5
    scale = np.sqrt(2 / 1000 + 1.5 / 500)
    expected = np.array([np.arctanh(0.5) - np.arctanh(0.3), np.arctanh(0.2), np.arctanh(0.1)]) / scale
    np.testing.assert_allclose(found.z, expected, rtol=1e-12)
    np.testing.assert_allclose(again(found, sides).p, 2 * norm.sf(np.abs(expected)), rtol=1e-10)


def test_units_of_a_neuron_do_not_matter() -> None:
    precision = np.array([[2.0, -0.6, 0.2], [-0.6, 1.0, 0.1], [0.2, 0.1, 3.0]])
    units = np.diag([10.0, 0.1, 3.0])
    R = np.zeros((3, 1))
    one, other = (Side.of(T, R, 100, 1.0, np.inf) for T in (precision.copy(), units @ precision @ units))
    np.testing.assert_allclose(one.rho, other.rho, atol=1e-15)
    assert np.abs(differences(one, other).z).max() < 1e-12


def test_tails_of_a_difference_lie_between_those_of_its_sides_and_the_normal() -> None:
    rho = symmetric(2, _01=0.2)
    sides = side(rho, freedom=10.0), side(-rho, freedom=10.0)
    found = differences(*sides)
    assert found.freedom == pytest.approx(16.0)  # excess 1 in both is 1/2 in the difference of equal variances
    np.testing.assert_allclose(again(found, sides).p, 2 * t.sf(np.abs(found.z), 16.0), rtol=1e-10)
    mixed = differences(side(rho, n=10, freedom=10.0), side(rho, n=10_000_000))
    assert mixed.freedom == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("p", [1, 2, 3, 7, 300])
def test_pairs_and_their_places_are_inverse(p: int) -> None:
    rows, cols = np.triu_indices(p, 1)
    places = np.arange(len(rows))
    np.testing.assert_array_equal(pair_places(rows, cols, p), places)
    found = pairs_at(places, p)
    np.testing.assert_array_equal(found[0], rows)
    np.testing.assert_array_equal(found[1], cols)


def test_the_order_of_rows_is_kept_beyond_one_block_of_them() -> None:
    p = 600
    rho = symmetric(p)
    rho[3, 590] = rho[590, 3] = 0.5
    rho[400, 401] = rho[401, 400] = -0.6
    found = differences(side(symmetric(p)), side(rho))
    rows, cols = found.discoveries(0.05)
    assert list(zip(rows.tolist(), cols.tolist())) == [(3, 590), (400, 401)]
    z = found.z[pair_places(rows, cols, p)]
    assert z[0] > 0 > z[1]


def test_own_errors_are_wider_with_the_degrees_of_freedom_that_they_rest_on() -> None:
    first, second = symmetric(3, _01=0.3), symmetric(3, _01=0.5, _12=0.02)
    sides = side(first), side(second, 500)
    found = differences(*sides)
    plain, wide = again(found, sides), again(found, sides, inflation=4.0)
    np.testing.assert_allclose(wide.z, plain.z / 2)
    v = 4 * np.array([1 / 1000, 1 / 500])
    freedom = v.sum() ** 2 / (v**2 / 15).sum()
    np.testing.assert_allclose(wide.p, 2 * t.sf(np.abs(wide.z), freedom), rtol=1e-10)
    np.testing.assert_allclose(wide.standard_error[0], 2 * (1 - first[np.triu_indices(3, 1)] ** 2) / np.sqrt(1000))
    np.testing.assert_allclose(wide.own_p[1], 2 * norm.sf(np.arctanh(second[np.triu_indices(3, 1)]) / np.sqrt(v[1])))
    order = np.sort(wide.p) * 3 / np.arange(1, 4)
    np.testing.assert_allclose(np.sort(wide.q), np.minimum(np.minimum.accumulate(order[::-1])[::-1], 1))


def test_pairs_that_are_not_tested_again_keep_their_place_among_all() -> None:
    p = 30
    rng = np.random.default_rng(0)
    rho = np.triu(rng.normal(0, 0.03, (p, p)), 1)
    sides = side(symmetric(p)), side(rho + rho.T)
    found = differences(*sides)
    every = again(found, sides)
    some = np.argsort(every.p)[[3, 0, 50]]
    own = PairInflation(np.ones(3), 15.0)
    few = with_own_errors(found, sides, every.rows[some], every.cols[some], (own, own))
    np.testing.assert_allclose(few.q, every.q[some], rtol=1e-6)
    np.testing.assert_allclose(few.p, every.p[some], rtol=1e-12)


def test_kinds_of_differences() -> None:
    first = symmetric(7, _01=0.0, _12=0.3, _23=0.1, _34=0.4, _45=0.3, _56=0.01)
    second = symmetric(7, _01=0.3, _12=0.0, _23=0.4, _34=0.1, _45=-0.3, _56=-0.3)
    sides = side(first), side(second)
    rows, own = np.arange(6), PairInflation(np.ones(6), 15.0)
    pairs = with_own_errors(differences(*sides), sides, rows, rows + 1, (own, own))
    found = classes_of(pairs, np.ones(6, dtype=bool), 0.05)
    assert [CLASSES[k] for k in found] == ["gained", "lost", "stronger", "weaker", "sign flip", "gained"]
    assert classes_of(pairs, rows == 4, 0.05).tolist() == [-1, -1, -1, -1, 4, -1]
    assert classes_of(pairs, rows > 9, 0.05).tolist() == [-1] * 6


def test_planted_changes_are_found_and_the_rest_is_not() -> None:
    p = 60
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((p, p)) < 4 / p, 1) * rng.choice([-0.3, 0.3], (p, p))
    base = upper + upper.T + np.diag(np.abs(upper + upper.T).sum(axis=1) + 1)
    changed = base.copy()
    rows, cols = np.nonzero(np.triu(base, 1))
    lost, flipped = slice(0, 10), slice(10, 15)
    changed[rows[lost], cols[lost]] = changed[cols[lost], rows[lost]] = 0.0
    changed[rows[flipped], cols[flipped]] *= -1
    changed[cols[flipped], rows[flipped]] *= -1
    first, second = sampled(base, 20_000, 1), sampled(changed, 20_000, 2)
    found = differences(first, second)
    pairs = set(zip(*(x.tolist() for x in found.discoveries(0.05))))
    planted = set(zip(rows[:15].tolist(), cols[:15].tolist()))
    assert len(planted - pairs) <= 1
    assert len(pairs - planted) <= 2
    own = PairInflation(np.ones(15), 15.0)
    again = with_own_errors(found, (first, second), rows[:15], cols[:15], (own, own))
    classes = [CLASSES[k] for k in classes_of(again, np.ones(15, dtype=bool), 0.05)]
    assert classes[10:] == ["sign flip"] * 5
    assert classes[:10].count("lost") >= 9


def test_where_nothing_differs_z_has_unit_variance_and_nothing_is_found() -> None:
    p = 80
    precision = np.eye(p) * 2 + 0.3 * (np.eye(p, k=1) + np.eye(p, k=-1))
    spreads, found = [], 0
    for seed in range(10):
        result = differences(sampled(precision, 1000, 2 * seed), sampled(precision, 1500, 2 * seed + 1))
        spreads.append(result.spread)
        found += len(result.discoveries(0.05)[0])
    assert np.mean(spreads) == pytest.approx(1.0, abs=0.03)
    assert found <= 2
