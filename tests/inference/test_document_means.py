"""Means over documents: their errors by hand, and the level of the tests in simulations."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.inference.document_means import FEW, FLIPS, beyond_least, clustered, sign_flips


def documents(rng: np.random.Generator, count: int, tests: int, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Sums ``(count, tests)`` of documents of different lengths, whose tokens share an effect of their document."""
    lengths = rng.integers(20, 60, count)
    own = mean + 0.3 * rng.standard_normal((count, tests))
    return own * lengths[:, None] + np.sqrt(lengths)[:, None] * rng.standard_normal((count, tests)), lengths


def test_the_error_is_that_of_a_ratio_clustered_by_document() -> None:
    rng = np.random.default_rng(0)
    sums, counts = documents(rng, 12, 3, 1.0)
    mean, error = clustered(sums, counts)
    for test in range(3):
        ratio = sums[:, test].sum() / counts.sum()
        residuals = [total - count * ratio for total, count in zip(sums[:, test], counts)]
        assert mean[test] == pytest.approx(ratio)
        assert error[test] == pytest.approx(np.sqrt(12 / 11 * sum(r**2 for r in residuals)) / counts.sum())


def test_the_error_is_the_spread_over_samples_of_documents() -> None:
    rng = np.random.default_rng(1)
    found = [clustered(*documents(rng, 40, 1, 0.5)) for _ in range(600)]
    means, errors = np.array([mean[0] for mean, _ in found]), np.array([error[0] for _, error in found])
    assert np.sqrt((errors**2).mean()) == pytest.approx(means.std(), rel=0.1)


def test_one_document_has_no_error() -> None:
    mean, error = clustered(np.array([[4.0, 8.0]]), np.array([4]))
    np.testing.assert_array_equal(mean, [1, 2])
    assert np.isnan(error).all()


@pytest.mark.parametrize("count", [8, 20, 40])
@pytest.mark.parametrize("least", [0.0, 0.2])
def test_the_tests_have_their_level_at_the_edge_of_the_null_hypothesis(count: int, least: float) -> None:
    rng = np.random.default_rng(2)
    rejected = []
    for sign in (-1, 1):
        sums, lengths = documents(rng, count, 2_000, sign * least)
        p = beyond_least(sums, lengths, least, sign_flips(count, 0))
        rejected.append((p <= 0.05).mean())
    assert 0.03 < np.mean(rejected) < 0.065


def test_smaller_effects_are_rarely_found_and_larger_ones_are() -> None:
    rng = np.random.default_rng(3)
    signs = sign_flips(20, 0)
    for mean, low, high in ((0.05, 0.0, 0.01), (0.7, 0.9, 1.0)):
        sums, lengths = documents(rng, 20, 1_000, mean)
        assert low <= (beyond_least(sums, lengths, 0.2, signs) <= 0.05).mean() <= high


@pytest.mark.parametrize("count", [20, 40])
def test_one_sided_tests_have_their_level(count: int) -> None:
    rng = np.random.default_rng(4)
    sums, lengths = documents(rng, count, 2_000, 0.2)
    p = beyond_least(sums, lengths, 0.2, sign_flips(count, 0), one_sided=True)
    assert 0.035 < (p <= 0.05).mean() < 0.065
    negative = beyond_least(-np.abs(sums), lengths, 0.2, sign_flips(count, 0), one_sided=True)
    assert negative.min() == 1


def test_all_flips_of_few_documents_some_of_more_and_none_of_many() -> None:
    assert sign_flips(5, 0).shape == (32, 5)
    assert len(np.unique(sign_flips(5, 0), axis=0)) == 32
    assert sign_flips(20, 0).shape == (FLIPS, 20)
    assert sign_flips(FEW, 0).shape == (0, FEW)
    for count in (5, 20):
        assert (sign_flips(count, 0)[0] == 1).all()


def test_equal_documents_are_certain() -> None:
    counts = np.full(FEW, 10)
    sums = np.outer(counts, [0.0, 0.1, -0.5])
    p = beyond_least(sums, counts, 0.2, sign_flips(FEW, 0))
    np.testing.assert_array_equal(p, [1, 1, 0])


def test_a_sign_turns_with_the_data() -> None:
    rng = np.random.default_rng(5)
    sums, lengths = documents(rng, 10, 200, 0.3)
    signs = sign_flips(10, 0)
    np.testing.assert_array_equal(beyond_least(sums, lengths, 0.1, signs), beyond_least(-sums, lengths, 0.1, signs))
