"""The stability of rankings: what is planted is stable, noise is not, and neither depends on signs and numbers of neurons."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import pearsonr
from support.planted import blocks_of, documents

from glasso_cli.linalg.precision import to_partial_correlations
from glasso_cli.scoring.structure.stability import (
    DROPPED,
    Level,
    Stability,
    correlation,
    kept_blocks,
    stability,
    subsets_of,
)

P = 16


def planted() -> np.ndarray:
    """A precision in which neurons have from many neighbours to none."""
    matrix = np.eye(P)
    for i, j in combinations(range(P), 2):
        if i + j <= 12:
            matrix[i, j] = matrix[j, i] = 0.12 if (i + j) % 2 else -0.12
    return matrix + 0.3 * np.eye(P)


def scores_of(S: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over all pairs, in which noise counts as much as anything."""
    T = np.linalg.inv(S)
    rho = to_partial_correlations(np.array(T))
    return {"strength": np.abs(rho).sum(axis=0), "explained": 1 - 1 / T.diagonal()}


def measured(
    precision: np.ndarray, *, n: float = 2_000, subsets: int = 40, turn: np.ndarray | None = None
) -> Stability:
    tokens = documents(precision, 320, 10, seed=3) * (1 if turn is None else turn)
    blocks = blocks_of(tokens)
    levels = subsets_of(blocks, n, subsets=subsets)
    return stability(levels, scores_of(blocks.correlation()), lambda part: scores_of(blocks.correlation(part)))


def test_a_planted_ranking_is_stable_and_noise_is_not() -> None:
    strong, none = measured(planted()), measured(np.eye(P))
    for name in ("strength", "explained"):
        assert strong.coefficient(name) >= 0.5
        assert strong.coefficient(name, ranks=True) >= 0.5
        assert none.coefficient(name) <= 0.25


def test_fewer_documents_give_smaller_correlations() -> None:
    levels = measured(np.eye(P)).levels
    means = [float(level.pearson["strength"].mean()) for level in levels]
    assert means[0] == pytest.approx(1)
    assert means == sorted(means, reverse=True)
    assert [level.dropped for level in levels] == list(DROPPED)


def test_levels_with_fewer_tokens_than_neurons_are_refused() -> None:
    found = measured(planted(), n=2 * P)
    assert [level.subsets > 0 for level in found.levels] == [dropped <= 0.5 for dropped in DROPPED]
    assert found.coefficient("strength") <= 0.5
    nothing = measured(planted(), n=P - 1)
    assert np.isnan(nothing.coefficient("strength"))


def test_flipped_neurons_have_the_same_stability() -> None:
    flips = np.random.default_rng(0).choice([-1, 1], P)
    before, after = measured(planted()), measured(planted(), turn=flips)
    for one, other in zip(before.levels, after.levels, strict=True):
        for name in one.pearson:
            np.testing.assert_allclose(other.pearson[name], one.pearson[name], atol=1e-8)


def test_a_score_that_is_the_same_for_all_has_no_ranking() -> None:
    constant, rising = np.full(5, 0.1), np.arange(5.0)
    assert np.isnan(correlation(constant, rising))
    assert correlation(rising, constant) == 0
    other = np.array([3.0, 1, 4, 1, 5])
    assert correlation(rising, other) == pytest.approx(pearsonr(rising, other)[0])
    level = Level(0.0, 100, 2, {"flat": np.full(2, np.nan)}, {"flat": np.full(2, np.nan)})
    assert np.isnan(Stability((level,)).coefficient("flat"))


def test_every_smaller_level_has_to_pass() -> None:
    def level(dropped: float, correlations: list[float], subsets: int = 1) -> Level:
        return Level(dropped, 100, subsets, {"x": np.array(correlations)}, {"x": np.array(correlations)})

    good, bad = [0.9] * 20, [0.9] * 18 + [0.1] * 2
    assert Stability((level(0, good), level(0.25, good), level(0.5, bad))).coefficient("x") == 0.25
    assert Stability((level(0, good), level(0.25, bad), level(0.5, good))).coefficient("x") == 0
    assert Stability((level(0, bad), level(0.25, good))).coefficient("x") == 0
    assert Stability((level(0, good), level(0.25, good), level(0.5, [], 0))).coefficient("x") == 0.25


def test_subsets_are_all_or_distinct_draws() -> None:
    random = np.random.default_rng(0)
    assert len(kept_blocks(np.arange(16), 15, 100, random)) == 16
    drawn = kept_blocks(np.arange(16), 8, 100, random)
    assert len(drawn) == 100
    assert all(len(set(part)) == 8 for part in drawn)
