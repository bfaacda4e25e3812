"""Resamples, halves and intervals."""

from __future__ import annotations

import numpy as np

from glasso_cli.auditing.resample import Estimate, draws, halves


def test_draws_have_as_many_as_there_are_and_follow_the_seed() -> None:
    drawn = list(draws(7, 5, 50, seed=3))
    assert all(draw.sources.sum() == 7 and draw.blocks.sum() == 5 for draw in drawn)
    assert abs(np.mean([draw.sources for draw in drawn], axis=0) - 1).max() < 0.6
    again = list(draws(7, 5, 50, seed=3))
    assert all((one.sources == other.sources).all() for one, other in zip(drawn, again))


def test_halves_are_halves() -> None:
    assert [half.sum() for half in halves(8, 5, 0)] == [4] * 5
    assert {int(half.sum()) for half in halves(7, 5, 0)} == {3}
    assert len({half.tobytes() for half in halves(8, 20, 0)}) > 5


def test_an_interval_of_replicates_has_their_spread_about_the_value() -> None:
    rng = np.random.default_rng(0)
    found = Estimate.of(0.5, rng.normal(0.3, 0.1, 4_000), 0, 1)
    assert abs(found.low - (0.5 - 0.196)) < 0.01
    assert abs(found.high - (0.5 + 0.196)) < 0.01
    assert abs(found.error - 0.1) < 0.005
    assert Estimate.of(0.95, rng.normal(0.3, 0.1, 100), 0, 1).high == 1
    assert np.isnan(Estimate.of(0.5, np.full(3, np.nan)).low)
    assert np.isnan(Estimate.of(np.nan, rng.normal(size=9)).low)
