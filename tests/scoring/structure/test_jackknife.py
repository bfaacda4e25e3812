"""The jackknife of a mean is the textbook error, and equal blocks have none."""

from __future__ import annotations

import numpy as np

from glasso_cli.scoring.structure.jackknife import jackknife_error


def test_the_error_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).standard_normal((20, 3))
    without = [(values.sum(axis=0) - one) / 19 for one in values]
    found = jackknife_error(values.mean(axis=0), without, np.full(20, 1 / 20))
    np.testing.assert_allclose(found, values.std(axis=0, ddof=1) / np.sqrt(20))


def test_equal_blocks_have_no_error() -> None:
    np.testing.assert_array_equal(jackknife_error(np.ones(2), [np.ones(2)] * 5, np.full(5, 0.2)), 0.0)


def test_an_unpenalised_fit_deviates_too_much() -> None:
    without = np.random.default_rng(1).standard_normal((8, 2))
    whole, shares = without.mean(axis=0), np.full(8, 1 / 8)
    np.testing.assert_allclose(
        jackknife_error(whole, without, shares, left=0.25), jackknife_error(whole, without, shares) / 2
    )
