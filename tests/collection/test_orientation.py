"""The orientation of neurons: the sign of their skewness on texts that are always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from support.symmetries import GATED, symmetry, transformed

from glasso_cli.collection.orientation import reference_orientation, sign_of_skewness
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory

Load = Callable[[str], LoadedModel]


def orientation_of(loaded: LoadedModel, *patterns: str) -> np.ndarray:
    points = resolve_hook_points(loaded.model, patterns)
    gated = [point.name in check_hook_points(loaded, points).gated for point in points]
    with record(loaded.model, points) as recorder:
        return reference_orientation(loaded, recorder, points, gated)


def test_the_sign_is_that_of_the_skewness() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((500, 300)) ** 2 * rng.choice([-1, 1], 300) + 7
    expected = np.sign(stats.skew(values, axis=0))
    np.testing.assert_array_equal(sign_of_skewness(torch.from_numpy(values).float()), expected)


def test_without_skewness_the_sign_is_positive() -> None:
    values = torch.tensor([[0.0, 1.0, 5.0], [0.0, -1.0, 5.0]])
    assert sign_of_skewness(values).tolist() == [1, 1, 1]
    assert sign_of_skewness(values[:0]).tolist() == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", GATED)
def test_gated_neurons_have_an_orientation_that_turns_with_their_sign(loaded: Load, name: str) -> None:
    model = loaded(name)
    (point,) = resolve_hook_points(model.model, ["mlp.1"])
    before = orientation_of(model, "mlp.1")
    assert set(before.tolist()) == {-1, 1}
    change = symmetry("sign", point.width)
    other: Any = transformed(model.model, name, point.module, change)
    with loaded_in_memory(other, model.tokenizer) as turned:
        np.testing.assert_array_equal(orientation_of(turned, "mlp.1"), before * change.factors)


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "opt", "bert"])
def test_neurons_without_a_gate_are_as_they_are(loaded: Load, name: str) -> None:
    assert (orientation_of(loaded(name), "mlp.1") == 1).all()


def test_only_gated_hook_points_are_turned(loaded: Load) -> None:
    llama = loaded("llama")
    stream = orientation_of(llama, "resid.1")
    assert (stream == 1).all()
    both = orientation_of(llama, "mlp.1", "resid.1")
    assert both.tolist() == [*orientation_of(llama, "mlp.1").tolist(), *stream.tolist()]


def test_a_module_by_its_full_name_is_the_same_hook_point(loaded: Load) -> None:
    llama = loaded("llama")
    named = orientation_of(llama, "model.layers.1.mlp.down_proj:in")
    np.testing.assert_array_equal(named, orientation_of(llama, "mlp.1"))
