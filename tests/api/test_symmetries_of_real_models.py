"""The built-in models with the signs of half of a layer's neurons changed: what is shown stays the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support.symmetries import Symmetry, symmetry, transformed

import glasso_cli as g
from glasso_cli.corpora import topics
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.builtin import BUILTIN_MODELS

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning"),
]
NEURONS = 120
FIT: dict[str, Any] = {"alpha": [0.2, 0.15], "select": {"rule": "fixed", "alpha": 0.15}, "fdr": 0.5, "half_samples": 0}


@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_the_signs_of_half_the_neurons_change_nothing(name: str) -> None:
    loaded = g.load_model(f"builtin:{name}")
    (point,) = resolve_hook_points(loaded.model, ["mlp.5"])
    change = symmetry("sign", point.width)
    other = transformed(loaded.model, "llama", point.module, change)  # both have its names of modules
    ids = torch.tensor([loaded.tokenizer("Nobody answered the second letter.")["input_ids"]])
    with torch.no_grad():
        torch.testing.assert_close(other(ids).logits, loaded.model(ids).logits)
    texts = topics.passages(topics.TOPICS[0])[:16]
    names = [f"{point.label}[{index}]" for index in range(NEURONS)]
    before, after = (
        g.collect(model, loaded.tokenizer, texts, ["mlp.5"], max_tokens=1_500, neurons=names, blocks=8)
        for model in (loaded.model, other)
    )
    assert_turned(before, after, change)
    tables = [g.fit(stats, **FIT).edges_frame().drop(columns="orientation") for stats in (before, after)]
    assert len(tables[0]) > 5
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-3, atol=1e-5)  # the tolerance of the solver


def assert_turned(before: g.ActivationStats, after: g.ActivationStats, change: Symmetry) -> None:
    flips = change.factors[:NEURONS]
    assert set(before.orientation.tolist()) == {-1, 1}
    np.testing.assert_array_equal(after.orientation, before.orientation * flips)
    np.testing.assert_array_equal(after.mean, before.mean * flips)
    for neuron in range(20):
        assert (
            after.contexts(neuron)
            .query("group.str.endswith('pole')")
            .equals(before.contexts(neuron).query("group.str.endswith('pole')"))
        )
