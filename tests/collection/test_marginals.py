"""Streamed means, spreads, skewness and kurtosis against scipy's on all tokens at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glasso_cli.collection.marginals import Marginals, describe
from glasso_cli.collection.tails import steps_of


def described(values: np.ndarray, chunks: list[int], centre: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    centre, scale = centre.astype(np.float32), scale.astype(np.float32)
    squares = ((torch.from_numpy(values) - torch.tensor(centre)) / torch.tensor(scale)) ** 2
    steps = steps_of(squares)
    sums = Marginals(torch.tensor(centre), torch.tensor(scale), steps)
    for rows in np.split(values, np.cumsum(chunks)):
        sums.update(torch.from_numpy(rows))
    exact = (part.astype(np.float64) for part in (centre, scale, steps[:, 0].numpy()))
    return describe(len(values), sums.finish(), *exact)


def skewed(n: int, p: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = np.array([0.1, 0.5, 1.0, 1.5, 0.8])[:p]
    return (rng.standard_normal((n, p)) * rng.lognormal(sigma=shape, size=(n, p)) - 0.2).astype(np.float32)


def assert_right(found: dict[str, np.ndarray], values: np.ndarray) -> None:
    exact = values.astype(np.float64)
    np.testing.assert_allclose(found["mean"], exact.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["std"], exact.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["kurtosis"], stats.kurtosis(exact, axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["skewness"], stats.skew(exact, axis=0), rtol=1e-4, atol=1e-4)


@given(st.lists(st.integers(0, 700), max_size=5))
@settings(deadline=None, max_examples=20)
def test_they_are_scipys(chunks: list[int]) -> None:
    values = skewed(2000)
    assert_right(described(values, chunks, values.mean(axis=0), values.std(axis=0)), values)


@pytest.mark.parametrize("off", [0.0, 2.0, -3.0])
def test_centre_and_scale_drop_out(off: float) -> None:
    values = skewed(2000)
    centre = values.mean(axis=0) + np.float32(off) * values.std(axis=0)
    assert_right(described(values, [], centre, 3 * values.std(axis=0)), values)


def test_the_sums_are_float64() -> None:
    values = np.full((300_000, 1), 0.1, np.float32)  # a float32 sum would drift by thousands of roundings
    found = described(values, list(range(1000, 300_000, 100_000)), np.zeros(1, np.float32), np.ones(1, np.float32))
    np.testing.assert_allclose(found["mean"], values[0, 0], rtol=1e-6)


def test_a_constant_neuron_has_no_kurtosis() -> None:
    values = np.full((50, 2), [0.0, 3.0], np.float32)
    found = described(values, [], values[0], np.ones(2, np.float32))
    np.testing.assert_array_equal(found["std"], [0, 0])
    np.testing.assert_array_equal(found["kurtosis"], [0, 0])
    np.testing.assert_array_equal(found["mean"], [0, 3])
    np.testing.assert_array_equal(found["skewness"], [0, 0])
    np.testing.assert_array_equal(found["top_share"], [0, 0])
