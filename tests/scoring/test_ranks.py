"""Rank correlations, intervals and draws against scipy and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from glasso_cli.scoring.ranks import rank_correlation, share_above, spearman, systematic


def test_the_rank_correlation_is_that_of_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 40), rng.standard_normal(40)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert np.isnan(spearman(np.ones(4), np.arange(4)))


@pytest.mark.slow
def test_the_interval_holds_the_correlation_of_means_and_shrinks_with_documents() -> None:
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(100)

    def interval(documents: int) -> tuple[float, float, float]:
        noise = rng.standard_normal((2, 100, documents))
        first, second = truth[:, None] + noise[0], truth[:, None] + noise[1]
        found = rank_correlation(first, second, np.ones(documents), 0)
        return found.low, found.value, found.high

    few, many = interval(5), interval(200)
    assert few[0] < few[1] < few[2]
    assert many[2] - many[0] < few[2] - few[0]
    assert many[1] > 0.95


def test_the_bound_of_a_share_covers() -> None:
    assert share_above(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert share_above(5, 5) == 1.0
    rng = np.random.default_rng(0)
    bounds = [share_above(int(rng.binomial(50, 0.1)), 50) for _ in range(400)]
    assert np.mean(np.array(bounds) >= 0.1) >= 0.93


def test_a_systematic_draw_is_spread_and_fair() -> None:
    order = np.arange(103)
    drawn = systematic(order, 10, 0)
    assert len(set(drawn.tolist())) == 10
    assert np.diff(drawn).min() >= 10
    counts = np.bincount(np.concatenate([systematic(order, 10, seed) for seed in range(3_000)]), minlength=103)
    assert np.abs(counts / 3_000 - 10 / 103).max() < 0.03
    assert len(systematic(order, 500, 0)) == 103
    assert not len(systematic(order, 0, 0))
