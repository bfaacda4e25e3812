"""Oriented copies of artifacts: signs turned once, in the copy alone, and the contexts of both poles."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import build_study

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.artifact import Artifact
from glasso_cli.artifacts.orientation import oriented, poles_of
from glasso_cli.report.plots.study import Study

SIGNS = np.array([1, -1, 1, -1, -1, 1, 1, -1] * 5, np.int8)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return build_study(tmp_path_factory.mktemp("study"), p=40, edges=70)


def turned(artifact: Any, sign: np.ndarray = SIGNS) -> Any:
    return replace(artifact, orientation=sign)


def assert_equal(one: Artifact, other: Artifact) -> None:
    for field in fields(one):
        if field.name not in ("meta", "orientation"):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def test_positive_orientations_change_nothing(study: Study) -> None:
    assert_equal(oriented(study.fit), study.fit)
    assert_equal(oriented(study.stats), study.stats)


def test_a_copy_of_a_copy_is_the_copy(study: Study) -> None:
    fit = oriented(turned(study.fit))
    assert oriented(fit) is fit


def test_an_oriented_copy_cannot_be_saved(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be saved"):
        oriented(study.fit).save(tmp_path / "fit.npz")


def test_a_precision_matrix_is_turned_from_both_sides(study: Study) -> None:
    fit: PrecisionPath = turned(study.fit)
    for index in range(len(fit.alphas)):
        expected = SIGNS[:, None] * fit.precision(index).toarray() * SIGNS[None, :]
        np.testing.assert_array_equal(oriented(fit).precision(index).toarray(), expected)


def test_the_sign_of_a_cycle_of_edges_stays(study: Study) -> None:
    """The trace of a power of the matrix sums over cycles."""
    raw, copy = study.fit.precision().toarray(), oriented(turned(study.fit)).precision().toarray()
    np.testing.assert_allclose(np.trace(raw @ raw @ raw), np.trace(copy @ copy @ copy))


@given(st.lists(st.sampled_from([-1, 1]), min_size=40, max_size=40))
def test_a_model_with_other_signs_shows_the_same(study: Study, flips: list[int]) -> None:
    """A model whose neurons and whose orientation are turned together gives the same oriented numbers."""
    sign = np.array(flips, np.int8)
    for artifact in (turned(study.fit), turned(study.stats)):
        other = turned(replace(oriented(turned(artifact, sign)), meta=artifact.meta), (SIGNS * sign).astype(np.int8))
        assert_equal(oriented(other), oriented(artifact))


def test_the_table_says_how_its_signs_were_turned(study: Study) -> None:
    fit = turned(study.fit)
    table, raw = fit.edges_frame(), study.fit.edges_frame()
    assert set(table["orientation"]) == {-1, 1}
    for name in ("partial_correlation", "debiased", "z", "correlation"):
        np.testing.assert_array_equal(table[name] * table["orientation"], raw[name])
    for name in ("standard_error", "q_value", "frequency"):
        np.testing.assert_array_equal(table[name], raw[name])


def contexts_of(stats: ActivationStats, neuron: int) -> list[tuple[int, list[float]]]:
    middle = stats.top_values.shape[2] // 2
    return [(pole.sign, pole.values[:, middle].tolist()) for pole in poles_of(stats, neuron)]


def with_peaks(stats: ActivationStats, high: float, low: float, skewness: float) -> ActivationStats:
    top, bottom = np.full_like(stats.top_values, high), np.full_like(stats.bottom_values, low)
    return replace(stats, top_values=top, bottom_values=bottom, skewness=np.full_like(stats.skewness, skewness))


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize(
    ("high", "low", "skewness", "sign", "expected"),
    [
        (3.0, -2.0, 1.0, 1, [(1, 3.0), (-1, -2.0)]),
        (3.0, -2.0, -1.0, 1, [(-1, -2.0), (1, 3.0)]),  # the corpus disagrees with the reference texts
        (3.0, -2.0, 1.0, -1, [(-1, -3.0), (1, 2.0)]),
        (2.0, -3.0, -1.0, -1, [(1, 3.0), (-1, -2.0)]),
        (3.0, -0.125, 1.0, 1, [(1, 3.0)]),  # the least that an activation function gives
        (3.0, 0.5, 1.0, 1, [(1, 3.0)]),
        (-1.0, -3.0, -1.0, -1, [(1, 3.0)]),
        (0.0, 0.0, 0.0, 1, []),
    ],
)
def test_the_heavier_pole_leads(
    study: Study, high: float, low: float, skewness: float, sign: int, expected: list[tuple[int, float]], copy: bool
) -> None:
    stats = turned(with_peaks(study.stats, high, low, skewness), np.full(40, sign, np.int8))
    found = contexts_of(oriented(stats) if copy else stats, 7)
    assert [(pole, values[0]) for pole, values in found] == expected


def test_the_frame_of_contexts_is_oriented(study: Study) -> None:
    stats = turned(with_peaks(study.stats, 3.0, -2.0, 1.0), -np.ones(40, np.int8))
    frame = stats.contexts(7)
    assert frame["group"].drop_duplicates().tolist()[:2] == ["negative pole", "positive pole"]
    assert set(frame[frame["group"] == "negative pole"]["value"]) == {-3.0}
    middle = stats.quantile_values.shape[3] // 2
    lowest = frame[frame["group"] == "fifth 1"]["value"]
    np.testing.assert_allclose(lowest, -stats.quantile_values[7, -1, ::-1, middle])
