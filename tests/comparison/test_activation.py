"""Differential activation, against SciPy, planted differences and corpora without any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind
from support.planted_corpora import statistics

from glasso_cli.artifacts import ActivationStats
from glasso_cli.comparison.activation import (
    ActivationBlocks,
    ActivationDifferences,
    Totals,
    activation_differences,
    effect_tests,
    log_ratio,
    shift,
)

P = 40


def tokens(seed: int, documents: int = 64, spread: float = 0.3) -> np.ndarray:
    """``(documents, 20, P)`` tokens whose documents have means of their own."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal((documents, 20, P)) + spread * rng.standard_normal((documents, 1, P)))


def differences(first: ActivationStats, second: ActivationStats, **rules: float) -> ActivationDifferences:
    found = activation_differences(first, second, **{"fdr": 0.05, "min_shift": 0.0, "min_ratio": 1.0, **rules})
    assert found is not None
    return found


def test_planted_shifts_and_ratios_are_found_and_no_others() -> None:
    other = tokens(1)
    other[..., :4] += 1.0
    other[..., 4:8] *= 2.0
    found = differences(statistics(tokens(0)), statistics(other))
    assert np.flatnonzero(found.shift.q <= 0.01).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(found.log_ratio.q <= 0.01).tolist() == [4, 5, 6, 7]
    np.testing.assert_allclose(np.exp(found.log_ratio.estimate[4:8]), 4, rtol=0.2)
    np.testing.assert_allclose(found.mean[1][:4] - found.mean[0][:4], 1.0, atol=0.25)


def test_a_minimum_effect_is_what_must_be_exceeded() -> None:
    other = tokens(1)
    other[..., 0] += 0.4
    other[..., 1] += 2.0
    found = differences(statistics(tokens(0)), statistics(other), min_shift=0.5)
    assert np.flatnonzero(found.shift.q_zero <= 0.01).tolist() == [0, 1]
    assert np.flatnonzero(found.shift.q <= 0.01).tolist() == [1]


def test_with_equal_blocks_the_error_of_a_mean_is_that_of_welch() -> None:
    first, second = tokens(0), tokens(1)

    def blocks(values: np.ndarray) -> ActivationBlocks:
        parts = values.reshape(16, -1, P)
        return ActivationBlocks(Totals(np.full((16, 1), parts.shape[1]), parts.sum(axis=1), (parts**2).sum(axis=1)))

    def of_means(a: Totals, b: Totals) -> np.ndarray:
        return np.asarray(b.mean - a.mean)

    found = effect_tests(of_means, blocks(first), blocks(second), 0.0)
    means = [values.reshape(16, -1, P).mean(axis=1) for values in (second, first)]
    expected = ttest_ind(*means, equal_var=False)
    np.testing.assert_allclose(found.estimate / found.error, expected.statistic, rtol=1e-9)
    np.testing.assert_allclose(found.p_zero, expected.pvalue, rtol=1e-7)


@pytest.mark.slow
def test_where_nothing_differs_p_values_are_not_too_small() -> None:
    found = [differences(statistics(tokens(2 * k)), statistics(tokens(2 * k + 1))) for k in range(40)]
    for tests in ([each.shift for each in found], [each.log_ratio for each in found]):
        p = np.concatenate([each.p_zero for each in tests])
        assert 0.03 < (p <= 0.05).mean() < 0.065
        assert (p <= 0.005).mean() < 0.01
        assert sum(int((each.q <= 0.05).sum() > 0) for each in tests) <= 5


def test_halves_of_one_corpus_do_not_differ() -> None:
    assert differences(statistics(tokens(0)), statistics(tokens(1))).halves == (0, 0)


def test_blocks_too_few_for_halves_or_for_errors() -> None:
    few = statistics(tokens(0), blocks=6)
    assert differences(few, statistics(tokens(1))).halves == (None, 0)
    none = activation_differences(statistics(tokens(0), blocks=3), few, fdr=0.05, min_shift=0.0, min_ratio=1.0)
    assert none is None


def test_the_sign_the_scale_and_the_order_of_neurons_do_not_matter() -> None:
    first, second = tokens(0), tokens(1)
    second[..., 3] += 0.5
    one = differences(statistics(first), statistics(second))
    rng = np.random.default_rng(0)
    order, factor = rng.permutation(P), rng.choice([-1.0, 1.0], P) * rng.uniform(0.1, 10, P)
    ids = [f"layers.0.mlp[{n}]" for n in order]
    other = differences(*(statistics((values * factor)[..., order], ids=ids) for values in (first, second)))
    signs = np.sign(factor[order])
    np.testing.assert_allclose(other.shift.estimate, signs * one.shift.estimate[order], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(other.log_ratio.estimate, one.log_ratio.estimate[order], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(other.shift.q, one.shift.q[order], rtol=1e-3)


def test_a_corpus_against_itself_differs_nowhere_and_swapping_turns_signs() -> None:
    first, second = statistics(tokens(0)), statistics(tokens(1))
    assert not differences(first, first).shift.estimate.any()
    there, back = differences(first, second), differences(second, first)
    np.testing.assert_allclose(there.shift.estimate, -back.shift.estimate, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(there.shift.p, back.shift.p, rtol=1e-6)


def test_neurons_of_either_corpus_alone_are_left_out_and_transformed_values_not_compared() -> None:
    part = statistics(tokens(1)[..., 5:], ids=[f"layers.0.mlp[{n}]" for n in range(5, P)])
    found = differences(statistics(tokens(0)), part)
    assert found.rows_a.tolist() == list(range(5, P))
    assert found.rows_b.tolist() == list(range(P - 5))
    scores = statistics(tokens(0))
    scores.meta["material"]["config"]["collect"]["transform"] = "normal_scores"
    assert activation_differences(scores, part, fdr=0.05, min_shift=0.0, min_ratio=1.0) is None


def test_different_centres_of_the_moments_change_nothing() -> None:
    first, second = statistics(tokens(0)), statistics(tokens(1))
    moved = replace(second, centre=second.centre + 3.0)  # the values are three higher then
    found, plain = differences(first, moved), differences(first, second)
    np.testing.assert_allclose(found.mean[1], plain.mean[1] + 3.0, rtol=1e-9)
    np.testing.assert_allclose(found.std[1], plain.std[1], rtol=1e-6)
    np.testing.assert_allclose(found.log_ratio.estimate, plain.log_ratio.estimate, atol=1e-6)


def test_a_neuron_that_never_varies_is_no_discovery() -> None:
    first, second = tokens(0), tokens(1)
    first[..., 0] = 0.0
    found = differences(statistics(first), statistics(second))
    assert np.isfinite(found.shift.p).all()
    assert found.log_ratio.p[0] == 1.0
    assert log_ratio(Totals(np.ones(1), np.zeros(1), np.zeros(1)), Totals(np.ones(1), np.zeros(1), np.ones(1))) == 0
    assert shift(Totals(np.ones(1), np.ones(1), np.ones(1)), Totals(np.ones(1), np.zeros(1), np.zeros(1))) == 0
