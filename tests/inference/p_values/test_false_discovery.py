from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm, t

from glasso_cli.inference.p_values.false_discovery import Rates, q_values, q_values_among
from glasso_cli.inference.pairs import pair_places


@pytest.mark.parametrize("m", [1, 2, 50, 1000])
def test_q_values_are_those_of_scipy(m: int) -> None:
    random = np.random.default_rng(m)
    p_values = random.uniform(size=m) ** 3
    p_values[random.integers(m, size=m // 4)] = p_values[0]
    p_values.sort()
    np.testing.assert_allclose(q_values(p_values), false_discovery_control(p_values), rtol=1e-12)


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.05])
def test_q_values_of_some_need_only_the_others_up_to_the_rate(rate: float) -> None:
    random = np.random.default_rng(5)
    every = np.concatenate([random.uniform(size=900), random.uniform(size=100) ** 6])
    some, rest = every[::50], np.delete(every, np.arange(0, 1000, 50))
    expected = false_discovery_control(every)[::50]
    found = q_values_among(some, rest[rest <= rate], 1000)
    passing = expected <= rate
    assert passing.any()
    np.testing.assert_allclose(found[passing], expected[passing], rtol=1e-10)
    assert (found[~passing] > rate).all()
    assert len(q_values_among(some[:0], rest, 1000)) == 0


def test_of_nothing_there_are_none() -> None:
    assert q_values(np.empty(0)).shape == (0,)


def test_zero_and_one_stay_what_they_are() -> None:
    assert q_values(np.array([0.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("p", [2, 3, 11])
def test_pairs_are_counted_row_by_row(p: int) -> None:
    rows, cols = np.triu_indices(p, 1)
    assert pair_places(rows.astype(np.int32), cols.astype(np.int32), p).tolist() == list(range(len(rows)))


@pytest.mark.parametrize("m", [1, 300, 50_000])
@pytest.mark.parametrize("tail", [lambda z: 2 * norm.sf(z), lambda z: 2 * t.sf(z, 7)], ids=["normal", "student"])
def test_rates_among_many_statistics_are_those_of_their_p_values(m: int, tail: Callable[..., Any]) -> None:
    random = np.random.default_rng(m)
    sizes = np.abs(random.standard_normal(m) * random.choice([1, 4], m, p=[0.9, 0.1]))
    expected = false_discovery_control(tail(sizes))
    some = random.permutation(m)[:200]
    rates = Rates.among(sizes.copy(), tail)
    np.testing.assert_allclose(rates.of(sizes[some]), expected[some], rtol=1e-5)
    assert rates.discoveries(0.05) == pytest.approx((expected <= 0.05).sum(), abs=1)


def test_statistics_beyond_every_p_value_are_certain() -> None:
    rates = Rates.among(np.array([0.1, 60.0, 500.0] * 10_000), lambda z: 2 * norm.sf(z))
    assert rates.of(np.array([500.0, 60.0])).max() < 1e-300
