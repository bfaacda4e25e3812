"""Orders of neurons: what is compared with what."""

from __future__ import annotations

import numpy as np

from glasso_cli.hooks import HookPoint
from glasso_cli.scoring.clean import Neurons
from glasso_cli.scoring.rankings import alike, by_score, matched, rankings


def neurons(count: int = 200, known: bool = True) -> Neurons:
    rng = np.random.default_rng(0)
    norms = rng.random(2 * count) if known else np.full(2 * count, np.nan)
    return Neurons(
        points=[HookPoint(f"{name}:in", 0, count, f"{name}:in", "btc") for name in ("first", "second")],
        ids=np.array([f"n{index}" for index in range(2 * count)]),
        point_of=np.repeat([0, 1], count),
        places=np.tile(np.arange(count), 2),
        mean=np.zeros(2 * count),
        std=np.ones(2 * count),
        mean_abs=rng.random(2 * count),
        write_norms=norms,
    )


def test_neurons_without_a_score_are_last() -> None:
    assert by_score(np.array([1.0, np.nan, 3.0, -2.0])).tolist() == [2, 0, 3, 1]


def test_matched_neurons_are_alike_at_every_share() -> None:
    made = neurons()
    strata = alike(made)
    assert len(np.unique(strata)) == 20
    order = by_score(np.random.default_rng(1).random(400))
    other = matched(order, strata, np.random.default_rng(2))
    assert sorted(other.tolist()) == list(range(400))
    assert np.array_equal(strata[other], strata[order])
    assert not np.array_equal(other, order)


def test_each_baseline_is_there_where_it_is_known() -> None:
    importance = {"frozen": np.arange(400.0)}
    found = rankings(neurons(), importance, {"strength": np.ones(400)}, 2, 0)
    assert list(found) == ["frozen", "write_norm", "mean_abs", "strength", "random", "matched"]
    assert [len(several) for several in found.values()] == [1, 1, 1, 1, 2, 2]
    assert "write_norm" not in rankings(neurons(known=False), importance, {}, 0, 0)


def test_unknown_write_norms_are_all_alike() -> None:
    assert np.unique(alike(neurons(known=False))).tolist() == [0, 10]
