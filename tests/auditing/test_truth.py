"""Which pairs are true."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.auditing.truth import Truth, strongest

RNG = np.random.default_rng(0)


def test_the_strongest_share_by_size() -> None:
    effects = RNG.standard_normal((10, 40))
    found = strongest(effects, 0.05)
    assert len(found) == 20
    assert np.abs(effects).ravel()[found].min() > np.sort(np.abs(effects), axis=None)[-21]
    np.testing.assert_array_equal(strongest(-3 * effects, 0.05), found)


def test_zeros_are_never_true_and_equal_effects_are_all_true() -> None:
    effects = np.zeros((4, 5))
    assert len(strongest(effects, 0.5)) == 0
    effects[0, :3] = -2
    assert strongest(effects, 0.5).tolist() == [0, 1, 2]
    assert strongest(effects, 0.05).tolist() == [0, 1, 2]
    assert strongest(np.eye(3) + 1, 1e-9).tolist() == [0, 4, 8]


def test_weights_are_repetitions() -> None:
    effects, weights = RNG.standard_normal((5, 30)), np.array([3, 0, 1, 0, 1])
    repeated = np.repeat(effects, weights, axis=0)
    least = np.abs(repeated).ravel()[strongest(repeated, 0.1)].min()
    there = np.isin(np.arange(150) // 30, np.flatnonzero(weights))
    expected = np.flatnonzero((np.abs(effects).ravel() >= least) & there)
    found = strongest(effects, 0.1, weights)
    np.testing.assert_array_equal(found[there[found]], expected)


@pytest.mark.parametrize("order", ["random", "largest where it is guessed", "smallest where it is guessed", "equal"])
def test_a_guess_never_decides(order: str) -> None:
    """Pairs whose sizes mislead the guess of the least size give what sorting all pairs gives."""
    rng = np.random.default_rng(1)
    effects = rng.standard_normal((20, 64))
    if order == "equal":
        effects = rng.integers(-2, 3, (20, 64)).astype(float)
    elif order != "random":
        effects[:, ::16] *= 100 if order.startswith("largest") else 0.01
    for share in (1e-6, 0.01, 0.3, 1.0):
        weights = rng.multinomial(20, np.full(20, 1 / 20))
        sizes = np.sort(np.abs(np.repeat(effects, weights, axis=0)), axis=None)
        least = sizes[-max(1, round(share * sizes.size))]
        expected = np.flatnonzero((np.abs(effects) >= least) & (effects != 0))
        np.testing.assert_array_equal(strongest(effects, share, weights), expected)


def test_rows_that_do_not_count_are_left_out() -> None:
    effects, weights = RNG.standard_normal((6, 100)), np.array([1, 0, 2, 0, 0, 3])
    for truth in (Truth("step", "mean", "strongest", 0.02), Truth("step", "mean", "beyond", 1.5)):
        rows = truth.of_rows(effects)
        np.testing.assert_array_equal(truth.of_rows(effects, weights), rows[weights[rows // 100] > 0])


def test_rows_are_judged_by_themselves() -> None:
    effects = RNG.standard_normal((6, 100)) * np.arange(1, 7)[:, None]
    rows = Truth("step", "mean", "strongest", 0.02).of_rows(effects)
    assert np.bincount(rows // 100).tolist() == [2] * 6
    beyond = Truth("step", "mean", "beyond", 1.5)
    assert len(beyond.of(effects)) == (np.abs(effects) > 1.5).sum()
    np.testing.assert_array_equal(beyond.of_rows(effects), beyond.of(effects))
