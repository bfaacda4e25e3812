"""Planted effects: every measure is what is known, under permutation, signs and scale, and intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.judge import Judged, judge
from glasso_cli.auditing.measures import CEILING, Settings
from glasso_cli.auditing.scores import Score, random_score
from glasso_cli.auditing.truth import Truth

STEP = Truth("step", "mean", "strongest", 0.02)
SETTINGS = Settings(top=20, replicates=60, splits=4, seed=0)
S, T, B = 12, 150, 8


def planted(seed: int = 0, noise: float = 0.0, sources: int = S) -> tuple[np.ndarray, Effects]:
    """Known mean effects, and their sums over blocks with noise: standard deviation ``noise`` in the mean of all blocks."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 0.4, (sources, 1)))
    true = size * rng.standard_normal((sources, T)) ** 3
    counts = rng.integers(20, 60, B)
    spread = noise * np.sqrt(B) * rng.standard_normal((sources, B, T))
    means = true[:, None] + spread
    sums = means * counts[:, None]
    return true, Effects(("step",), counts, sums[None], (means**2 * counts[:, None])[None])


def of(rows: list[Judged], score: str, truth: Truth = STEP) -> Judged:
    (row,) = [row for row in rows if row.score == score and row.truth == truth]
    return row


def test_a_score_that_is_the_effect_is_perfect_and_chance_is_the_base_rate() -> None:
    true, effects = planted()
    scores = [
        random_score(S, T),
        Score("correlation", "association", np.random.default_rng(9).standard_normal((S, T))),
        Score("exact", "influence", true, unit=("step", "mean")),
        Score("half", "influence", -2 * true, unit=("step", "mean")),
        Score("sizes", "weights", np.abs(true), sign_of=""),
    ]
    rows = judge(effects, [STEP], scores, SETTINGS)
    exact, half = of(rows, "exact"), of(rows, "half")
    assert (exact.precision.value, exact.by_source.value, exact.signs.value) == pytest.approx((1, 1, 1))
    assert exact.slope.value == pytest.approx(1)
    assert exact.top.value == pytest.approx(1)
    assert half.signs.value == 0
    assert half.slope.value == pytest.approx(-0.5)
    assert half.precision.value == pytest.approx(exact.precision.value)
    sizes = of(rows, "sizes")
    assert sizes.precision.value == pytest.approx(1)
    assert np.isnan([sizes.signs.value, sizes.slope.value]).all()
    chance = of(rows, "random")
    assert chance.true == 36
    assert chance.base == 0.02
    assert abs(chance.precision.value - chance.base) < 0.006
    assert chance.top.value == pytest.approx(chance.base)
    assert exact.gain.low > 0.5
    assert of(rows, "correlation").gain.value == 0
    assert of(rows, CEILING).precision.value == pytest.approx(1)


def test_nothing_depends_on_the_order_the_signs_or_the_scale() -> None:
    _, effects = planted(noise=0.5)
    rng = np.random.default_rng(4)
    values = planted(noise=2.0)[0] + rng.standard_normal((S, T))
    score = Score("correlation", "association", values, unit=("step", "mean"))
    before = of(judge(effects, [STEP], [score], SETTINGS), "correlation")
    rows, columns = rng.permutation(S), rng.permutation(T)
    signs = np.outer(rng.choice([-1, 1], S), rng.choice([-1, 1], T))
    turned = (effects.sums[0] * signs[:, None])[rows][..., columns] * 3
    squares = effects.squares[0][rows][..., columns] * 9
    moved = Effects(("step",), effects.counts, turned[None], squares[None])
    changed = Score("correlation", "association", (values * signs)[rows][:, columns] * 3, unit=("step", "mean"))
    after = of(judge(moved, [STEP], [changed], SETTINGS), "correlation")
    for name in ("precision", "by_source", "top", "signs", "slope"):
        assert getattr(after, name).value == pytest.approx(getattr(before, name).value)


def test_more_noise_lowers_the_ceiling_and_widens_the_intervals() -> None:
    found = []
    for noise in (0.1, 4.0):
        true, effects = planted(noise=noise)
        rows = judge(effects, [STEP], [Score("exact", "influence", true)], SETTINGS)
        found.append((of(rows, CEILING).precision.value, of(rows, "exact").precision))
    assert found[0][0] > found[1][0] + 0.1
    assert found[0][1].error < found[1][1].error


def test_root_mean_squares_and_least_effects_are_truths_of_their_own() -> None:
    true, effects = planted()
    truths = [STEP, Truth("step", "rms", "strongest", 0.02), Truth("step", "mean", "beyond", 3.0)]
    rows = judge(effects, truths, [Score("exact", "influence", true, unit=("step", "mean"))], SETTINGS)
    rms, beyond = (of(rows, "exact", truth) for truth in truths[1:])
    assert rms.precision.value == pytest.approx(1)
    assert np.isnan([rms.signs.value, rms.slope.value]).all()
    assert beyond.true == (np.abs(true) > 3).sum()
    assert beyond.precision.value == pytest.approx(1)


def test_the_ceiling_of_a_truth_does_not_depend_on_the_others() -> None:
    _, effects = planted(noise=0.5)
    truths = [STEP, Truth("step", "rms", "strongest", 0.05), Truth("step", "mean", "beyond", 3.0)]
    together = judge(effects, truths, [random_score(S, T)], SETTINGS)
    for truth in truths:
        alone = judge(effects, [truth], [random_score(S, T)], SETTINGS)
        assert repr(of(alone, CEILING, truth)) == repr(of(together, CEILING, truth))


def test_one_source_or_one_block_has_no_interval() -> None:
    _, effects = planted()
    one = Effects(("step",), effects.counts[:1], effects.sums[:, :, :1], effects.squares[:, :, :1])
    rows = judge(one, [STEP], [random_score(S, T)], SETTINGS)
    assert [row.score for row in rows] == ["random"]
    assert np.isnan(rows[0].precision.low)


@pytest.mark.slow
def test_intervals_cover_the_average_precision_of_all_sources() -> None:
    """The value for very many sources and exact effects is in about 95 % of the intervals of 40 sources and noisy ones."""

    def noisy(true: np.ndarray, seed: int) -> Score:
        return Score("score", "influence", true + np.random.default_rng([seed, 5]).standard_normal(true.shape))

    true, effects = planted(seed=99, sources=3_000)
    exact = of(judge(effects, [STEP], [noisy(true, 99)], Settings(20, 0, 1, 0)), "score").precision.value
    inside = []
    for seed in range(40):
        true, effects = planted(seed, noise=0.05, sources=40)
        found = of(judge(effects, [STEP], [noisy(true, seed)], Settings(20, 60, 1, seed)), "score").precision
        inside.append(found.low <= exact <= found.high)
    assert 0.85 <= np.mean(inside) <= 1
