"""Lagged products against a double loop, and autocorrelation against a process that has a known one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.batches import kept_values, random_batch, windows

from glasso_cli.collection.autocorrelation import Autocorrelation, autocorrelation
from glasso_cli.collection.batch import ActivationBatch

Sums = dict[str, NDArray[np.float64]]


def streamed(batches: list[ActivationBatch], lags: int, centre: float = 0.0) -> Sums:
    sums = Autocorrelation(batches[0].values.shape[1], lags)
    for batch in batches:
        sums.update(batch, batch.values[batch.kept] - centre)
    return sums.finish()


def looped(batches: list[ActivationBatch], lags: int, centre: float = 0.0) -> Sums:
    """The sums by their definition: every pair of tokens of every window in turn."""
    p = batches[0].values.shape[1]
    pairs, ends, products = np.zeros(lags), np.zeros((lags, p)), np.zeros((lags, p))
    for batch in batches:
        for _, values, _, kept in windows(batch):
            x = values.astype(np.float64) - centre
            for t in range(len(x)):
                for k in range(1, min(lags, len(x) - 1 - t) + 1):
                    if kept[t] and kept[t + k]:
                        pairs[k - 1] += 1
                        ends[k - 1] += x[t] + x[t + k]
                        products[k - 1] += x[t] * x[t + k]
    return {"lag_pairs": pairs, "lag_ends": ends, "lag_products": products}


def assert_same(found: Sums, expected: Sums) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-9, err_msg=name)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 12),
    st.floats(0, 1),
    st.integers(0, 3),
)
@settings(deadline=None, max_examples=80)
def test_sums_are_those_of_a_double_loop(lengths: list[int], lags: int, masked: float, seed: int) -> None:
    batches = [random_batch(lengths, masked=masked, seed=seed), random_batch(lengths[:1], seed=seed + 1)]
    assert_same(streamed(batches, lags, 0.25), looped(batches, lags, 0.25))


@pytest.mark.parametrize("longest", [1, 7, 8, 9, 15, 16, 17, 23, 24, 25])
def test_windows_around_multiples_of_the_lags(longest: int) -> None:
    batches = [random_batch([longest, max(1, longest - 3), 2, 1], masked=0.1)]
    assert_same(streamed(batches, 8), looped(batches, 8))


def test_more_neurons_than_one_panel() -> None:
    batches = [random_batch([30, 12, 5], p=131)]
    assert_same(streamed(batches, 4), looped(batches, 4))


def test_a_window_of_masked_tokens_adds_nothing() -> None:
    sums = streamed([random_batch([6, 5], masked=1.0)], 3)
    assert not any(values.any() for values in sums.values())


def test_blocks_add_up() -> None:
    batches = [random_batch([20, 9], seed=seed) for seed in range(4)]
    halves = [streamed(batches[:2], 5), streamed(batches[2:], 5)]
    whole = streamed(batches, 5)
    assert_same({name: halves[0][name] + halves[1][name] for name in whole}, whole)


@pytest.mark.parametrize("centre", [0.0, 0.375])
def test_the_centre_drops_out_of_the_result(centre: float) -> None:
    batches = [random_batch([40, 31, 8], seed=seed) for seed in range(3)]
    values = kept_values(batches)
    mean, variance = values.mean(axis=0), values.var(axis=0)
    sums = streamed(batches, 6, centre)
    found = autocorrelation(sums["lag_pairs"], sums["lag_ends"], sums["lag_products"], mean - centre, variance)
    assert found.shape == (3, 6)
    assert found.dtype == np.float32
    for lag in range(1, 7):
        products = [
            (values[t] - mean) * (values[t + lag] - mean)
            for batch in batches
            for _, values, _, kept in windows(batch)
            for t in range(len(values) - lag)
            if kept[t] and kept[t + lag]
        ]
        np.testing.assert_allclose(found[:, lag - 1], np.mean(products, axis=0) / variance, atol=1e-6)


def test_an_autoregressive_process_shows_its_coefficient() -> None:
    coefficients = np.array([0.9, 0.5, 0.0, -0.6])
    rng = np.random.default_rng(0)
    length, count = 512, 40
    x = np.empty((count, length, 4))
    x[:, 0] = rng.standard_normal((count, 4))
    for t in range(1, length):
        noise = rng.standard_normal((count, 4)) * np.sqrt(1 - coefficients**2)
        x[:, t] = coefficients * x[:, t - 1] + noise
    batch = ActivationBatch(
        values=torch.tensor(x.reshape(-1, 4) + 3.0, dtype=torch.float32),
        tokens=torch.zeros(count * length, dtype=torch.int64),
        rules=torch.tensor(rng.random(count * length) <= 0.1).long(),
        lengths=torch.full((count,), length),
        documents=torch.arange(count),
    )
    values = kept_values([batch])
    sums = streamed([batch], 16)
    found = autocorrelation(
        sums["lag_pairs"], sums["lag_ends"], sums["lag_products"], values.mean(axis=0), values.var(axis=0)
    )
    expected = coefficients[:, None] ** np.arange(1, 17)
    # Bartlett's standard error for the slowest of the four is 0.03 at most.
    np.testing.assert_allclose(found, expected, atol=0.1)
    np.testing.assert_allclose(found[1:, :2], expected[1:, :2], atol=0.02)


def test_neurons_without_variance_and_lags_without_pairs_have_none() -> None:
    pairs, ends, products = np.array([4.0, 0.0]), np.zeros((2, 2)), np.array([[2.0, 2.0], [0.0, 0.0]])
    found = autocorrelation(pairs, ends, products, shift=np.array([0.0, 0.3]), variance=np.array([1.0, 0.0]))
    np.testing.assert_allclose(found, [[0.5, 0.0], [0.0, 0.0]])


def test_sampling_noise_never_leaves_the_range_of_a_correlation() -> None:
    found = autocorrelation(np.array([1.0]), np.zeros((1, 2)), np.array([[9.0, -9.0]]), np.zeros(2), np.ones(2))
    np.testing.assert_array_equal(found, [[1.0], [-1.0]])
