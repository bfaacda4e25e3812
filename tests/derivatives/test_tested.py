"""P-values against the minimum effect, and q-values over all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from glasso_cli.derivatives.tested import PairTable, Standard, pairs_tested, rates
from glasso_cli.inference.p_values.false_discovery import ordered_q_values
from glasso_cli.inference.p_values.minimum_effect import beyond

SOURCES, TARGETS, FREEDOM = 30, 40, 15.0
RNG = np.random.default_rng(0)
MEAN = RNG.standard_normal((TARGETS, SOURCES)).astype(np.float32)
ERROR = RNG.uniform(0.05, 0.4, (TARGETS, SOURCES)).astype(np.float32)
SOURCE_STD, TARGET_STD = RNG.uniform(0.5, 2, SOURCES), RNG.uniform(0.5, 2, TARGETS)


@dataclass(frozen=True, eq=False)
class Group:
    """Given derivatives of some targets; the root mean square is twice the mean, with a tenth of it as its error."""

    targets: slice
    mean: np.ndarray
    error: np.ndarray

    @property
    def direct(self) -> np.ndarray:
        return self.mean / 2

    @property
    def direct_error(self) -> np.ndarray:
        return self.error / 2

    def rms(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(self.mean[rows, columns])
        return 2 * size, size / 5


def table(largest_p: float, min_effect: float = 0.3) -> PairTable:
    groups = [Group(part, MEAN[part], ERROR[part]) for part in (slice(0, 13), slice(13, TARGETS))]
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
    np.testing.assert_allclose(found.rms_error, found.rms / 10, rtol=1e-5)
    error = ERROR[rows, columns] * unit
    np.testing.assert_allclose(found.direct_error, error / 2, rtol=1e-5)
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
    group = Group(slice(0, 1), one, 0 * one)
    standard = Standard(np.ones(1), np.ones(1), np.zeros(1, np.int32), np.ones(1, np.int32))
    found = pairs_tested([group], standard, min_effect=0.3, freedom=FREEDOM, largest_p=1.0)
    assert found.p[0] == pytest.approx(p, abs=1e-5)
