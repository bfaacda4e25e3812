"""Fewer combinations of tokens: they add up to the sum, and their squares to those of the tokens, on average."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.derivatives.all_paths import sums
from glasso_cli.derivatives.all_paths.sums import GROUP, RANDOM, Combinations

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("tokens", [1, 4, 5, 16, 17, 100, 333])
def test_they_add_up_to_the_sum_of_all_tokens(tokens: int) -> None:
    combined = Combinations.of(tokens, 10**6, (0,))
    np.testing.assert_allclose(combined.sums @ combined.rows, np.ones(tokens), atol=1e-5)
    assert combined.rows.shape == (len(combined.sums), tokens)
    assert len(combined.rows) <= (1 + RANDOM) * (tokens // GROUP + 1)


def test_squares_add_up_on_average_and_exactly_where_nothing_varies() -> None:
    values = np.stack([RNG.standard_normal(40), 3 + RNG.standard_normal(40), np.full(40, 2.0), np.eye(40)[7]])
    found = np.array(
        [((Combinations.of(40, 10**6, (seed,)).rows.numpy() @ values.T) ** 2).sum(0) for seed in range(2_000)]
    )
    np.testing.assert_allclose(found.mean(0), (values**2).sum(1), rtol=0.02)
    spread = found.std(0) / (values**2).sum(1)
    assert spread[0] < (2 / (RANDOM * 40 / GROUP)) ** 0.5
    assert spread[1] < 0.1
    assert spread[2] < 1e-6
    assert spread[3] < 0.35


def test_they_never_fall_below_the_square_of_the_mean() -> None:
    values = RNG.standard_normal((50, 333))
    combined = Combinations.of(333, 10**6, (1,)).rows.numpy() @ values.T
    assert ((combined**2).sum(0) >= values.sum(1) ** 2 / 333 - 1e-3).all()


def test_memory_limits_how_many_there_are() -> None:
    assert len(Combinations.of(1_000, 12, (0,)).rows) == 12
    assert len(Combinations.of(1_000, 1 + RANDOM, (0,)).rows) == 1 + RANDOM


@pytest.mark.parametrize("directions", [True, False])
def test_blocks_add_up_to_the_error(directions: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    sources, targets, pushes = 6, 4, 3 if directions else 6
    counts = np.array([5, 0, 7, 3, 9])
    first = (rng.standard_normal((5, pushes, targets)) * (counts > 0)[:, None, None]).astype(np.float32)
    writes = rng.standard_normal((pushes, sources)).astype(np.float32) if directions else None
    ones = np.ones((sources, targets))
    (group,) = sums.derivatives(counts, first, (ones, ones), writes)
    columns, rows = np.divmod(np.arange(sources * targets), targets)
    found = sums.deviations(counts, first, writes, rows, columns)
    assert found.shape == (sources * targets, 5)
    np.testing.assert_allclose(np.sqrt((found**2).sum(1)), group.error[rows, columns], rtol=1e-4)
    assert not found[:, 1].any()
    monkeypatch.setattr(sums, "_VALUES", 30)
    np.testing.assert_allclose(sums.deviations(counts, first, writes, rows, columns), found, atol=1e-6)
