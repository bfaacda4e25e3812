from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.inference.resampling import (
    folds,
    frequencies,
    half_samples,
    instability,
    replication,
)


@pytest.mark.parametrize("blocks", [np.arange(16), np.array([0, 2, 3, 7, 9])])
def test_halves_come_in_complementary_pairs(blocks: np.ndarray) -> None:
    halves = half_samples(blocks, 10, seed=1)
    assert len(halves) == 10
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert sorted(first + second) == blocks.tolist()
        assert abs(len(first) - len(second)) <= 1
    assert len(set(halves)) > 5
    assert half_samples(blocks, 10, seed=1) == halves
    assert half_samples(blocks, 4, seed=1) == halves[:4]
    assert half_samples(blocks, 10, seed=2) != halves


def test_an_odd_number_of_halves_is_refused() -> None:
    with pytest.raises(InputError, match="3 half-samples"):
        half_samples(np.arange(8), 3, seed=0)
    assert half_samples(np.arange(8), 0, seed=0) == []


def test_every_block_is_in_one_fold() -> None:
    assert folds(np.arange(7), 3) == [(0, 3, 6), (1, 4), (2, 5)]
    assert len(folds(np.arange(4), 10)) == 4


def test_frequencies_are_shares_of_samples() -> None:
    samples = [np.array([1, 5, 9]), np.array([5]), np.array([], dtype=int), np.array([5, 9])]
    assert frequencies(np.array([9, 5, 2]), samples).tolist() == [0.5, 0.75, 0.0]
    assert np.isnan(frequencies(np.array([9, 5]), [])).all()
    assert frequencies(np.array([9, 5]), [np.array([], dtype=int)]).tolist() == [0, 0]


def test_replication_is_the_share_of_a_half_that_the_other_has() -> None:
    assert replication([np.array([1, 2, 3, 4]), np.array([2, 3]), np.array([7]), np.array([8])]) == pytest.approx(4 / 8)
    assert np.isnan(replication([np.array([], dtype=int)] * 2))


def test_instability_is_the_share_of_pairs_that_two_samples_differ_on() -> None:
    assert instability([np.array([1, 2, 3]), np.array([2, 3, 4])], pairs=10) == pytest.approx(0.2)
    assert instability([np.array([1, 2])] * 5, pairs=10) == 0


def test_the_estimate_of_two_samples_is_that_of_many() -> None:
    random = np.random.default_rng(0)
    share = random.uniform(size=4000)
    samples = [np.flatnonzero(random.uniform(size=4000) < share) for _ in range(60)]
    expected = (2 * share * (1 - share)).mean()
    for amount in (2, 10, 60):
        assert instability(samples[:amount], 4000) == pytest.approx(expected, rel=0.06)
