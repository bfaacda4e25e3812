"""P-values against the minimum effect, and q-values over all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.derivatives.pairs import ClosedTargets
from glasso_cli.derivatives.tested import PairTable, Standard, pairs_tested, rates
from glasso_cli.inference.p_values.false_discovery import ordered_q_values
from glasso_cli.inference.p_values.minimum_effect import beyond

SOURCES, TARGETS, FREEDOM = 30, 40, 15.0
RNG = np.random.default_rng(0)
MEAN = RNG.standard_normal((TARGETS, SOURCES)).astype(np.float32)
ERROR = RNG.uniform(0.05, 0.4, (TARGETS, SOURCES)).astype(np.float32)
SOURCE_STD, TARGET_STD = RNG.uniform(0.5, 2, SOURCES), RNG.uniform(0.5, 2, TARGETS)


def table(largest_p: float, min_effect: float = 0.3) -> PairTable:
    by_path = MEAN[:, None]
    halves = (slice(0, 13), slice(13, TARGETS))
    groups = [
        ClosedTargets(part, MEAN[part], ERROR[part], MEAN[part] / 2, by_path[part], np.full((TARGETS, 1, 1), 4.0)[part])
        for part in halves
    ]
    numbers = (np.arange(SOURCES, dtype=np.int32), 100 + np.arange(TARGETS, dtype=np.int32))
    standard = Standard(SOURCE_STD, TARGET_STD, *numbers)
    return pairs_tested(groups, standard, min_effect=min_effect, freedom=FREEDOM, largest_p=largest_p)


def test_every_pair_is_tested_in_standard_deviations() -> None:
    found = table(1.0)
    assert len(found.p) == SOURCES * TARGETS
    rows, columns = found.targets - 100, found.sources
    unit = SOURCE_STD[columns] / TARGET_STD[rows]
    np.testing.assert_allclose(found.mean, MEAN[rows, columns] * unit, rtol=1e-5)
    np.testing.assert_allclose(found.direct, found.mean / 2, rtol=1e-5)
    np.testing.assert_allclose(found.rms, 2 * np.abs(found.mean), rtol=1e-5)
    error = ERROR[rows, columns] * unit
    np.testing.assert_allclose(found.p, beyond(np.abs(found.mean) / error, 0.3 / error, FREEDOM), rtol=1e-4)


def test_pairs_that_cannot_be_edges_need_not_be_kept() -> None:
    every, some = table(1.0), table(0.05)
    assert len(some.p) < len(every.p)
    np.testing.assert_allclose(rates(every, len(every.p)), ordered_q_values(every.p), rtol=1e-9)
    edges = rates(every, len(every.p)) <= 0.05
    kept = rates(some, len(every.p)) <= 0.05
    assert 0 < edges.sum() == kept.sum()
    for name in ("sources", "targets", "mean"):
        np.testing.assert_array_equal(getattr(every.chosen(edges), name), getattr(some.chosen(kept), name))


@pytest.mark.parametrize(("mean", "p"), [(0.5, 0.0), (0.1, 1.0)])
def test_without_any_error_the_mean_decides(mean: float, p: float) -> None:
    one = np.array([[mean]], np.float32)
    group = ClosedTargets(slice(0, 1), one, 0 * one, one, one[None], np.ones((1, 1, 1)))
    standard = Standard(np.ones(1), np.ones(1), np.zeros(1, np.int32), np.ones(1, np.int32))
    found = pairs_tested([group], standard, min_effect=0.3, freedom=FREEDOM, largest_p=1.0)
    assert found.p[0] == pytest.approx(p, abs=1e-5)
