"""`g.influence` in memory gives what `glasso influence` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.experiments import documents
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError
from glasso_cli.models.load import load_model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("paths", ["closed", "all"])
def test_it_gives_the_numbers_of_the_stage(runner: Runner, paths: str) -> None:
    asked = {"paths": paths, "min_effect": 0.01, "keep": "all"}
    runner.run("collect", "influence", set_=overrides(collect={"hook_points": ["mlp.0", "mlp.1"]}, influence=asked))
    stage, stats = g.load("out/influence/words.npz"), g.load("out/collect/words.npz")
    assert isinstance(stage, g.Influence)
    assert isinstance(stats, g.ActivationStats)
    loaded = load_model(Path("c.yaml").read_text().split("model: {id: ")[1].split("}")[0])
    made = g.influence(loaded.model, loaded.tokenizer, documents(), stats, **asked)
    for name in ("sources", "targets", "mean", "error", "rms", "q_values", "edge"):
        np.testing.assert_array_equal(getattr(made, name), getattr(stage, name))
    with pytest.raises(ConfigError, match="did you mean 'paths'"):
        g.influence(loaded.model, loaded.tokenizer, documents(), stats, path="all")
    with pytest.raises(InputError, match="the texts or the model are others"):
        g.influence(loaded.model, loaded.tokenizer, documents()[1:], stats, paths="closed")
