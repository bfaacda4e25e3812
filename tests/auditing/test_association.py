"""Scores from statistics: shrinkage, ridge, and values of a sparse graph at their places."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.auditing.association import places, ridge, shrinkage_of


def sample(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The correlation of ``n`` independent tokens, and the true one."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((p, 2)) / 2
    covariance = factor @ factor.T + np.eye(p)
    scale = np.sqrt(np.diag(covariance))
    values = rng.multivariate_normal(np.zeros(p), covariance, n)
    return np.corrcoef(values.T), covariance / np.outer(scale, scale)


def test_shrinkage_is_near_the_one_with_the_smallest_error() -> None:
    for n in (30, 200):
        R, true = sample(n, 40)
        off = ~np.eye(40, dtype=bool)

        def error(shrinkage: float, R: np.ndarray = R, true: np.ndarray = true, off: np.ndarray = off) -> float:
            return float((((1 - shrinkage) * R - true)[off] ** 2).sum())

        found = shrinkage_of(R, n)
        assert 0 < found < 1
        assert error(found) < 1.05 * min(error(shrinkage) for shrinkage in np.linspace(0, 1, 101))


def test_shrinkage_has_ends_and_does_not_depend_on_order_or_signs() -> None:
    R, _ = sample(50, 12)
    assert shrinkage_of(np.eye(5), 100) == 1
    assert shrinkage_of(R, 1e12) < 1e-9
    assert shrinkage_of(R, 0.1) == 1
    order, signs = np.random.default_rng(0).permutation(12), np.random.default_rng(1).choice([-1, 1], 12)
    assert shrinkage_of((R * np.outer(signs, signs))[np.ix_(order, order)], 50) == pytest.approx(shrinkage_of(R, 50))


def test_ridge_is_the_penalised_least_squares() -> None:
    R, _ = sample(60, 10)
    found = ridge(R[:7, :7], R[:7, 7:], 0.3)
    np.testing.assert_allclose((R[:7, :7] + 0.3 * np.eye(7)) @ found, R[:7, 7:], atol=1e-12)


def test_places_are_where_the_wanted_ones_stand() -> None:
    among = np.array([9, 2, 5, 7])
    np.testing.assert_array_equal(among[places(among, np.array([5, 9]))], [5, 9])
