"""Areas of curves that are known, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.inference.ablation_curves import AREAS, Curves, judged

SHARES = np.array([0.001, 0.01, 0.1, 1.0])


def curves_with(deletion: np.ndarray, insertion: np.ndarray, documents: int = 12, noise: float = 0.0) -> Curves:
    """Heights ``(S, K)`` as sums of documents of different levels; everything costs 1."""
    rng = np.random.default_rng(0)
    levels = rng.random(documents) + 2
    made = [heights[:, :, None] + levels + noise * rng.standard_normal((*heights.shape, documents)) for heights in
            (deletion, 1 - insertion)]  # fmt: skip
    return Curves(SHARES, levels, levels + 1, *made)


def test_the_best_and_the_worst_curve_have_areas_1_and_0() -> None:
    found = judged(curves_with(np.array([[1, 1, 1, 1.0], [0, 0, 0, 0]]), np.array([[1, 1, 1, 1.0], [0, 0, 0, 0]])), 0)
    named = dict(zip(AREAS, found.areas.T))
    width = SHARES[-1] - SHARES[0]
    assert named["deletion"].tolist() == pytest.approx([width, 0])
    assert named["deletion_log"].tolist() == pytest.approx([1, 0])
    assert named["cpr"].tolist() == pytest.approx([width, 0])
    assert named["cpr_log"].tolist() == pytest.approx([1, 0])
    assert named["cmd"].tolist() == pytest.approx([0, width])


def test_a_line_over_log_k_has_a_logarithmic_area_of_a_half() -> None:
    line = np.array([[0, 1 / 3, 2 / 3, 1.0]])
    found = judged(curves_with(line, line), 0)
    assert found.areas[0, AREAS.index("deletion_log")] == pytest.approx(0.5)
    expected = ((line[0, 1:] + line[0, :-1]) / 2 * np.diff(SHARES)).sum()
    assert found.areas[0, AREAS.index("cpr")] == pytest.approx(float(expected))
    assert found.areas[0, AREAS.index("cmd")] == pytest.approx(SHARES[-1] - SHARES[0] - float(expected))


def test_equal_rankings_do_not_differ_and_noise_has_intervals() -> None:
    heights = np.array([[0.3, 0.5, 0.8, 1.0]] * 2)
    found = judged(curves_with(heights, heights), 0)
    assert np.allclose(found.differences, 0)
    assert np.allclose(found.difference_intervals, 0)
    noisy = judged(curves_with(heights, heights, noise=0.3), 0)
    assert (noisy.errors > 0.01).all()
    assert (noisy.intervals[0] < noisy.areas).all()
    assert (noisy.areas < noisy.intervals[1]).all()
