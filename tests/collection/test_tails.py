"""The share of the variance that the strongest tokens carry, against all values at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasso_cli.collection.tails import SHARE, STEPS, TailSums, steps_of, top_share


def streamed(squares: np.ndarray, sample: np.ndarray, chunks: int = 7) -> np.ndarray:
    steps = steps_of(torch.from_numpy(sample))
    sums = TailSums(steps)
    for part in np.array_split(squares, chunks):
        sums.update(torch.from_numpy(part))
    found = sums.finish()
    total = squares.astype(np.float64).sum(axis=0)
    return top_share(len(squares), found["tail_counts"], found["tail_sums"], total, steps[:, 0].double().numpy())


def exact(squares: np.ndarray) -> np.ndarray:
    ordered = -np.sort(-squares.astype(np.float64), axis=0)
    return np.asarray(ordered[: int(SHARE * len(squares))].sum(axis=0) / ordered.sum(axis=0))


def heavy(n: int, seed: int = 0) -> np.ndarray:
    """Squares of neurons from a Gaussian to one whose variance lies in a few tokens."""
    rng = np.random.default_rng(seed)
    shape = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    return ((rng.standard_normal((n, 5)) * rng.lognormal(sigma=shape, size=(n, 5))) ** 2).astype(np.float32)


@pytest.mark.parametrize("pilot", [500, 2_000, 20_000])
def test_it_is_close_to_the_exact_share(pilot: int) -> None:
    squares = heavy(20_000)
    np.testing.assert_allclose(streamed(squares, squares[:pilot]), exact(squares), atol=5e-3)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.4])
def test_a_pilot_with_other_tails_costs_little(factor: float) -> None:
    squares = heavy(20_000)
    sample = heavy(2_000, seed=1) * np.float32(factor)
    np.testing.assert_allclose(streamed(squares, sample), exact(squares), atol=0.01)


def test_any_cut_into_batches_gives_the_same_share() -> None:
    squares = heavy(3_000)
    np.testing.assert_allclose(streamed(squares, squares[:900], 1), streamed(squares, squares[:900], 100), rtol=1e-12)


def test_the_scale_cancels() -> None:
    squares = heavy(3_000)
    one, other = streamed(squares, squares[:900]), streamed(4 * squares, 4 * squares[:900])
    np.testing.assert_array_equal(one, other)


def test_tokens_that_are_all_alike_carry_the_same() -> None:
    squares = np.ones((1_000, 2), np.float32)
    np.testing.assert_allclose(streamed(squares, squares), SHARE)


def test_one_token_can_carry_everything() -> None:
    squares = np.zeros((1_000, 1), np.float32)
    squares[500] = 9.0
    np.testing.assert_allclose(streamed(squares, squares[:400]), 1.0)


def test_a_short_sample_has_all_steps() -> None:
    assert steps_of(torch.rand(3, 4)).shape == (4, STEPS)
