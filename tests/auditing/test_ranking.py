"""Average precision and precision at k with ties: against every order, against scikit-learn, and under repetition."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from glasso_cli.auditing.ranking import Ranking, RowRankings, average_precision

ONE = np.ones(1, np.int64)


def precision_of(order: list[bool]) -> float:
    """The mean of the precision at each true pair."""
    at = [place for place, true in enumerate(order, start=1) if true]
    return float(np.mean([(number + 1) / place for number, place in enumerate(at)]))


@pytest.mark.parametrize(
    ("score", "true"),
    [
        ([3, 3, 2, 2, 2, 1], [1, 0, 0, 1, 1, 0]),
        ([0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0]),
        ([5, 4, 4, 4, 4, 1], [0, 1, 1, 1, 1, 1]),
        ([6, -5, 4, -3, 2, -1], [0, 1, 0, 0, 1, 0]),
    ],
)
def test_tied_pairs_are_in_random_order(score: list[int], true: list[int]) -> None:
    values, hits = np.array([score], float), np.flatnonzero(true)
    orders = [
        [bool(true[place]) for place in order]
        for order in permutations(range(6))
        if all(abs(score[a]) >= abs(score[b]) for a, b in pairwise(order))
    ]
    found = Ranking(values).counting(ONE).hits(hits)
    assert found.average_precision()[0] == pytest.approx(np.mean([precision_of(order) for order in orders]))
    for k in range(1, 7):
        assert found.precision_at(k)[0] == pytest.approx(np.mean([sum(order[:k]) / k for order in orders]))


@pytest.mark.slow
def test_it_is_that_of_scikit_learn_without_ties() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    score, true = rng.standard_normal((7, 90)), rng.random((7, 90)) < 0.1
    expected = average_precision_score(true.ravel(), np.abs(score).ravel())
    assert average_precision(score, true) == pytest.approx(expected)
    rows = RowRankings(score).hits(np.flatnonzero(true)).average_precision()
    assert rows == pytest.approx([average_precision_score(*pair) for pair in zip(true, np.abs(score))])


def test_a_source_that_counts_twice_is_a_source_that_is_there_twice() -> None:
    rng = np.random.default_rng(1)
    score, true = rng.integers(-3, 4, (5, 40)).astype(float), rng.random((5, 40)) < 0.2
    weights = np.array([2, 0, 1, 3, 1])
    found = Ranking(score).counting(weights).hits(np.flatnonzero(true))
    several, marked = np.repeat(score, weights, axis=0), np.repeat(true, weights, axis=0)
    expected = Ranking(several).counting(np.ones(7, np.int64)).hits(np.flatnonzero(marked))
    assert found.average_precision() == pytest.approx(expected.average_precision())
    for k in (1, 10, 60):
        assert found.precision_at(k) == pytest.approx(expected.precision_at(k))


def test_a_constant_score_gets_what_random_order_gets() -> None:
    rng = np.random.default_rng(2)
    true = rng.random((20, 50)) < 0.02
    chance = average_precision(np.zeros((20, 50)), true)
    drawn = [average_precision(rng.standard_normal((20, 50)), true) for _ in range(400)]
    assert abs(np.mean(drawn) - chance) < 4 * np.std(drawn) / 20
    assert Ranking(true * 1.0).counting(np.ones(20, np.int64)).hits(np.flatnonzero(true)).average_precision()[0] == 1


def test_without_a_true_pair_nothing_is_known() -> None:
    none = np.zeros(0, np.int64)
    hits = Ranking(np.ones((3, 4))).counting(np.ones(3, np.int64)).hits(none)
    assert np.isnan([hits.average_precision()[0], hits.precision_at(2)[0]]).all()
    rows = RowRankings(np.ones((3, 4))).hits(np.array([5]))
    assert np.isnan(rows.average_precision()).tolist() == [True, False, True]
