"""Normal scores against scipy's ranks, and what they do to tails and ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtri

from glasso_cli.collection.normal_scores import NormalScores


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def mean_scores(values: np.ndarray) -> np.ndarray:
    """The definition: a normal quantile per rank, and for equal values the mean of theirs."""
    order = np.argsort(values, kind="stable")
    scores = np.empty(len(values))
    scores[order] = ndtri((np.arange(len(values)) + 0.5) / len(values))
    return np.array([scores[values == value].mean() for value in values])


@pytest.mark.parametrize("n", [1, 2, 3, 100, 513])
def test_a_small_sample_gets_the_scores_of_its_ranks(n: int) -> None:
    sample = np.random.default_rng(0).lognormal(sigma=2, size=(n, 3)).astype(np.float32)
    expected = ndtri((stats.rankdata(sample, axis=0) - 0.5) / n)
    found = NormalScores.fit(tensor(sample))(tensor(sample))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("n", [514, 2_000, 16_384])
def test_a_large_sample_gets_them_up_to_the_spacing_of_knots(n: int) -> None:
    sample = np.random.default_rng(0).lognormal(sigma=2, size=(n, 3)).astype(np.float32)
    expected = ndtri((stats.rankdata(sample, axis=0) - 0.5) / n)
    found = NormalScores.fit(tensor(sample))(tensor(sample)).numpy()
    spacing = 2 * -ndtri(0.5 / n) / 512
    assert np.abs(found - expected).max() < spacing
    for column, exact in zip(sample.T, found.T, strict=True):
        assert exact[column.argmax()] == pytest.approx(-ndtri(0.5 / n), abs=1e-6)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_equal_values_share_the_mean_of_their_scores(values: list[int]) -> None:
    sample = np.array(values, dtype=np.float32)
    found = NormalScores.fit(tensor(sample[:, None]))(tensor(sample[:, None]))[:, 0].numpy()
    np.testing.assert_allclose(found, mean_scores(sample), atol=1e-6)


@pytest.mark.parametrize("n", [400, 5_000])
def test_the_zeros_of_a_relu_share_one_score(n: int) -> None:
    sample = np.maximum(np.random.default_rng(0).standard_normal((n, 2)) - 1, 0).astype(np.float32)
    found = NormalScores.fit(tensor(sample))(tensor(sample)).numpy()
    for column, scores in zip(sample.T, found.T, strict=True):
        silent = column == 0
        assert len(np.unique(scores[silent])) == 1
        assert scores[silent][0] == pytest.approx(mean_scores(column)[silent][0], abs=1e-6)
        assert scores[silent].max() < scores[~silent].min()


@given(st.integers(0, 100), st.sampled_from([5, 700]))
@settings(deadline=None, max_examples=30)
def test_larger_values_never_score_less(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    sample = np.round(rng.standard_cauchy((n, 2)), 1)
    values = np.sort(np.concatenate([sample, 3 * rng.standard_cauchy((50, 2)), [[1e30] * 2, [-1e30] * 2]]), axis=0)
    found = NormalScores.fit(tensor(sample))(tensor(values)).numpy()
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=0) >= 0).all()


def test_scores_are_constant_beyond_the_sample() -> None:
    transform = NormalScores.fit(tensor(np.arange(10.0)[:, None]))
    found = transform(tensor(np.array([[-1e9], [0.0], [9.0], [1e9]]))).flatten().tolist()
    assert found == pytest.approx([ndtri(0.05), ndtri(0.05), ndtri(0.95), ndtri(0.95)])


def test_new_values_of_a_lognormal_become_gaussian() -> None:
    rng = np.random.default_rng(0)
    transform = NormalScores.fit(tensor(rng.lognormal(sigma=1.5, size=(16_384, 2))))
    found = transform(tensor(rng.lognormal(sigma=1.5, size=(100_000, 2)))).double().numpy()
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(found.var(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(stats.kurtosis(found, axis=0), 0, atol=0.1)


def test_correlations_of_a_gaussian_copula_come_back() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[1.0, 0.6], [0.6, 1.0]])
    gauss = rng.multivariate_normal(np.zeros(2), truth, size=60_000)
    distorted = np.stack([np.exp(2 * gauss[:, 0]), gauss[:, 1] ** 3], axis=1)
    transform = NormalScores.fit(tensor(distorted[:16_384]))
    found = np.corrcoef(transform(tensor(distorted)).numpy().T)
    assert found[0, 1] == pytest.approx(0.6, abs=0.01)
    assert abs(np.corrcoef(distorted.T)[0, 1] - 0.6) > 0.2


def test_a_constant_neuron_scores_zero() -> None:
    transform = NormalScores.fit(torch.full((1000, 1), 0.25))
    assert transform(torch.full((3, 1), 0.25)).abs().max() < 1e-6


def test_the_tables_come_back_from_a_file() -> None:
    values = torch.randn(900, 70, generator=torch.Generator().manual_seed(0))
    transform = NormalScores.fit(values)
    arrays = transform.arrays()
    assert arrays["knots"].shape == arrays["scores"].shape
    assert torch.equal(NormalScores.from_arrays(arrays)(values), transform(values))


def test_rows_do_not_depend_on_their_batch() -> None:
    values = torch.randn(900, 70, generator=torch.Generator().manual_seed(0))
    transform = NormalScores.fit(values[:600])
    assert torch.equal(transform(values)[700:], transform(values[700:]))
