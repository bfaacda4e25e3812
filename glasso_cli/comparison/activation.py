"""Differential activation: which neurons are more active, or vary more, in one corpus than in another.

Of each neuron, the difference of means in standard deviations and the logarithm of the ratio of variances, with standard
errors from a jackknife over blocks of documents (for blocks of unequal size: Busing, Meijer and van der Leeden, 1999), and
tests with the degrees of freedom of Welch and Satterthwaite. The null hypothesis is a difference of at most a minimum effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.comparison import ActivationCounts
from glasso_cli.config import CompareSection
from glasso_cli.inference.blocks import LEAST, freedom_between
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.inference.p_values.false_discovery import ordered_q_values
from glasso_cli.inference.p_values.minimum_effect import beyond
from glasso_cli.inference.p_values.tails import welch
from glasso_cli.linalg.moments import diagonal_places

Estimator = Callable[["Totals", "Totals"], np.ndarray]


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over tokens of p neurons, of one group of documents or of several."""

    counts: np.ndarray  # (..., 1) tokens
    sums: np.ndarray  # (..., p) of the values
    squares: np.ndarray  # (..., p) of their squares

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.sums / self.counts)

    @property
    def variance(self) -> np.ndarray:
        return np.asarray(np.maximum(self.squares / self.counts - self.mean**2, 0.0))


@dataclass(frozen=True, eq=False)
class ActivationBlocks:
    """The sums of B blocks of documents, all with tokens, of p neurons about an origin."""

    parts: Totals  # (B, ...)

    @classmethod
    def of(cls, stats: ActivationStats, neurons: np.ndarray, origin: np.ndarray) -> ActivationBlocks:
        """Those of ``neurons (p,)`` of a corpus, about ``origin (p,)``, a value as the model computes it."""
        filled = np.flatnonzero(stats.counts > 0)
        places = diagonal_places(stats.n_neurons)[neurons]
        shift = stats.centre[neurons] - origin
        counts = stats.counts[filled, None].astype(np.float64)
        sums = stats.sums[filled][:, neurons]
        squares = np.stack([stats.dense_moments[block][places] for block in filled]).astype(np.float64)
        return cls(Totals(counts, sums + counts * shift, squares + 2 * shift * sums + counts * shift**2))

    @property
    def total(self) -> Totals:
        parts = self.parts
        return Totals(parts.counts.sum(axis=0), parts.sums.sum(axis=0), parts.squares.sum(axis=0))

    @property
    def without_each(self) -> Totals:
        """All blocks but one, ``(B, ...)``."""
        total, parts = self.total, self.parts
        return Totals(total.counts - parts.counts, total.sums - parts.sums, total.squares - parts.squares)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a variance between the blocks."""
        return freedom_between(self.parts.counts / self.parts.counts.sum())

    def halves(self) -> tuple[ActivationBlocks, ActivationBlocks] | None:
        """The even and the odd blocks; None where one has fewer than any resampling needs."""
        if len(self.parts.counts) < 2 * LEAST:
            return None
        first, second = (
            ActivationBlocks(
                Totals(*(each[start::2] for each in (self.parts.counts, self.parts.sums, self.parts.squares)))
            )
            for start in (0, 1)
        )
        return first, second

    def jackknife(self, whole: np.ndarray, without: np.ndarray) -> np.ndarray:
        """The variance ``(p,)`` of an estimate ``whole (p,)`` from those ``without (B, p)`` one block each."""
        values = PseudoValues(len(whole))
        for share, left in zip((self.parts.counts[:, 0] / self.parts.counts.sum()).tolist(), without):
            values.add((whole - left) * (1 / share - 1), share)
        return np.asarray(np.maximum(values.variance(), 0.0))  # rounding


def shift(first: Totals, second: Totals) -> np.ndarray:
    """The difference of means, second less first, over the root of the mean of both variances."""
    spread = np.sqrt((first.variance + second.variance) / 2)
    apart = second.mean - first.mean
    return np.asarray(np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0))


def log_ratio(first: Totals, second: Totals) -> np.ndarray:
    """The natural logarithm of the second variance over the first; 0 where either is zero."""
    before, after = np.broadcast_arrays(first.variance, second.variance)
    both = (before > 0) & (after > 0)
    return np.where(both, np.log(np.where(both, after, 1.0) / np.where(both, before, 1.0)), 0.0)


@dataclass(frozen=True, eq=False)
class EffectTests:
    """One kind of difference of p neurons, each ``(p,)``."""

    estimate: np.ndarray
    error: np.ndarray  # standard error
    p_zero: np.ndarray  # two-sided, of H0: no difference
    q_zero: np.ndarray  # over all neurons
    p: np.ndarray  # of H0: at most the minimum effect in size
    q: np.ndarray  # over all neurons


def effect_tests(
    estimator: Estimator, first: ActivationBlocks, second: ActivationBlocks, min_effect: float
) -> EffectTests:
    """Test an estimator of the difference of two corpora, for every neuron."""
    totals = first.total, second.total
    estimate = estimator(*totals)
    parts = np.stack(
        [
            first.jackknife(estimate, estimator(first.without_each, totals[1])),
            second.jackknife(estimate, estimator(totals[0], second.without_each)),
        ]
    )
    variance = parts.sum(axis=0)
    known = variance > 0
    freedom = welch(parts, np.array([[first.freedom], [second.freedom]]))
    error = np.sqrt(variance)
    scale = np.where(known, error, 1.0)
    size = np.where(known, np.abs(estimate), 0.0) / scale  # a neuron without an error is no discovery
    p_zero, p = (beyond(size, delta / scale, freedom) for delta in (0.0, min_effect))
    return EffectTests(estimate, error, p_zero, ordered_q_values(p_zero), p, ordered_q_values(p))


@dataclass(frozen=True, eq=False)
class ActivationDifferences:
    """How the activations of p neurons differ between corpora A and B."""

    rows_a: np.ndarray  # (p,) index into the statistics of A
    rows_b: np.ndarray
    mean: tuple[np.ndarray, np.ndarray]  # (p,) of A and of B
    std: tuple[np.ndarray, np.ndarray]
    shift: EffectTests  # B less A, in standard deviations
    log_ratio: EffectTests  # of the variance of B over that of A
    halves: tuple[int | None, int | None]  # neurons found by the shift between the halves of A, and of B


def activation_differences(
    first: ActivationStats, second: ActivationStats, *, fdr: float, min_shift: float, min_ratio: float
) -> ActivationDifferences | None:
    """Compare all neurons that both corpora collected and that vary in either; None for transformed values or too few blocks.

    ``min_shift`` is in standard deviations, ``min_ratio`` a ratio of variances of at least 1. Values that were replaced by
    normal scores have the same mean and variance in every corpus, and are not compared.
    """
    if any(stats.meta["material"]["config"]["collect"].get("transform", "none") != "none" for stats in (first, second)):
        return None
    _, rows_a, rows_b = np.intersect1d(first.neuron_ids, second.neuron_ids, return_indices=True)
    order = np.argsort(rows_a)
    rows_a, rows_b = rows_a[order], rows_b[order]
    varies = ~(first.dead[rows_a] & second.dead[rows_b])
    rows_a, rows_b = rows_a[varies], rows_b[varies]
    origin = first.centre[rows_a]
    sides = ActivationBlocks.of(first, rows_a, origin), ActivationBlocks.of(second, rows_b, origin)
    if min(len(side.parts.counts) for side in sides) < LEAST:
        return None
    totals = [side.total for side in sides]
    return ActivationDifferences(
        rows_a=rows_a,
        rows_b=rows_b,
        mean=(totals[0].mean + origin, totals[1].mean + origin),
        std=(np.sqrt(totals[0].variance), np.sqrt(totals[1].variance)),
        shift=effect_tests(shift, *sides, min_shift),
        log_ratio=effect_tests(log_ratio, *sides, float(np.log(min_ratio))),
        halves=(_between_halves(sides[0], fdr, min_shift), _between_halves(sides[1], fdr, min_shift)),
    )


def _between_halves(side: ActivationBlocks, fdr: float, min_shift: float) -> int | None:
    halves = side.halves()
    return None if halves is None else int(np.count_nonzero(effect_tests(shift, *halves, min_shift).q <= fdr))


# -- for the artifact ---------------------------------------------------------------------------------


def activation_counts(
    found: ActivationDifferences, first: ActivationStats, section: CompareSection
) -> ActivationCounts:
    """How many neurons differ, by the rules of ``section``; what is higher is so at the heavier pole of a neuron."""
    towards_pole = found.shift.estimate * first.orientation[found.rows_a]
    moved, varied = found.shift.q <= section.fdr, found.log_ratio.q <= section.fdr
    return ActivationCounts(
        neurons=len(moved),
        min_shift=section.min_shift,
        min_ratio=section.min_ratio,
        nonzero=int(np.count_nonzero(found.shift.q_zero <= section.fdr)),
        higher=int(np.count_nonzero(moved & (towards_pole > 0))),
        lower=int(np.count_nonzero(moved & (towards_pole < 0))),
        more_variable=int(np.count_nonzero(varied & (found.log_ratio.estimate > 0))),
        less_variable=int(np.count_nonzero(varied & (found.log_ratio.estimate < 0))),
        halves=found.halves,
    )


def activation_arrays(found: ActivationDifferences | None, first: ActivationStats) -> dict[str, np.ndarray]:
    """The members of the artifact about activations; all are empty where these are not compared."""
    if found is None:
        index, none = np.zeros(0, np.int32), np.zeros(0)
        words = {
            "active_ids": np.zeros(0, str),
            "active_rows_a": index,
            "active_rows_b": index,
            "active_orientation": np.zeros(0, np.int8),
        }
        return {**words, **dict.fromkeys(_ACTIVATION_VALUES, none)}
    shift, ratio = found.shift, found.log_ratio
    values = (
        *found.mean, *found.std,
        shift.estimate, shift.error, shift.p_zero, shift.q_zero, shift.p, shift.q,
        ratio.estimate, ratio.error, ratio.p_zero, ratio.q_zero, ratio.p, ratio.q,
    )  # fmt: skip
    return {
        "active_ids": first.neuron_ids[found.rows_a],
        "active_rows_a": found.rows_a.astype(np.int32),
        "active_rows_b": found.rows_b.astype(np.int32),
        "active_orientation": first.orientation[found.rows_a].astype(np.int8),
        **dict(zip(_ACTIVATION_VALUES, values, strict=True)),
    }


_ACTIVATION_VALUES = (
    "mean_a", "mean_b", "std_a", "std_b",
    "shift", "shift_error", "shift_p_zero", "shift_q_zero", "shift_p", "shift_q",
    "log_ratio", "log_ratio_error", "ratio_p_zero", "ratio_q_zero", "ratio_p", "ratio_q",
)  # fmt: skip
