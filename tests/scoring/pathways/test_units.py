"""The error of the ratio of two standard deviations is that of other documents."""

from __future__ import annotations

import numpy as np
import pytest
from support import planted_corpora

from glasso_cli.scoring.pathways.units import Units

NEURONS = np.array([0, 2])


def tokens(seed: int) -> np.ndarray:
    """Documents that differ in scale, for the two neurons by themselves."""
    random = np.random.default_rng(seed)
    scales = np.exp(0.3 * random.standard_normal((64, 1, 3)))
    return np.asarray(random.standard_normal((64, 20, 3)) * scales + 5)


def units(seed: int) -> Units:
    return Units.of(planted_corpora.statistics(tokens(seed)), NEURONS)


def test_it_is_that_of_other_documents() -> None:
    every = [units(seed) for seed in range(60)]
    ratios = np.array([one.whole[0] - one.whole[1] for one in every])
    errors = [one.relative_error(0, 1) for one in every]
    assert float(np.sqrt(np.mean(np.square(errors)))) == pytest.approx(ratios.std(), rel=0.2)


def test_they_are_the_standard_deviations_without_each_block() -> None:
    found, values = units(0), tokens(0)
    np.testing.assert_allclose(found.whole, np.log(values[..., NEURONS].std(axis=(0, 1))), atol=1e-5)
    rest = np.delete(values, np.arange(3, 64, 16), axis=0)
    np.testing.assert_allclose(found.without[3], np.log(rest[..., NEURONS].std(axis=(0, 1))), atol=1e-5)


def test_a_neuron_has_no_error_against_itself() -> None:
    assert units(0).relative_error(1, 1) == 0.0


def test_what_blocks_add_is_the_error() -> None:
    found = units(3)
    for last in (None, 1):
        added = found.deviations(0, last, 16)
        assert float(np.sqrt((added**2).sum())) == pytest.approx(found.relative_error(0, last), rel=0.02)
    assert found.deviations(0, 1, 20)[16:].tolist() == [0.0] * 4
