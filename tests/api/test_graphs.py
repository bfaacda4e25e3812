"""`g.structure` and `g.pathways` in memory give what the stages give."""

from __future__ import annotations

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError

pytestmark = pytest.mark.slow


def test_structure_gives_the_numbers_of_the_stage(runner: Runner) -> None:
    runner.run("collect", "fit", "structure", set_=overrides(structure={"subsets": 4}))
    stage, stats, fit = (g.load(f"out/{name}/words.npz") for name in ("structure", "collect", "fit"))
    assert isinstance(stage, g.Structure)
    assert isinstance(stats, g.ActivationStats)
    assert isinstance(fit, g.PrecisionPath)
    made = g.structure(stats, fit, subsets=4)
    assert made.names.tolist() == stage.names.tolist()
    np.testing.assert_array_equal(made.values, stage.values)
    np.testing.assert_array_equal(made.errors, stage.errors)
    with pytest.raises(ConfigError, match="did you mean 'subsets'"):
        g.structure(stats, fit, subset=4)


def test_pathways_give_the_numbers_of_the_stage(runner: Runner) -> None:
    collect = {"hook_points": ["mlp.0", "mlp.1", "mlp.2"]}
    score = {"tokens": 120, "held_out": 60, "top": 0, "sample": 0, "shares": [], "forms": ["plain"]}
    wide = overrides(collect=collect, influence={"min_effect": 0.0, "fdr": 0.9}, pathways={"count": 8}, score=score)
    runner.run("collect", "influence", "pathways", set_=wide)
    stage, stats, influence = (g.load(f"out/{name}/words.npz") for name in ("pathways", "collect", "influence"))
    assert isinstance(stage, g.Pathways)
    assert isinstance(stats, g.ActivationStats)
    assert isinstance(influence, g.Influence)
    made = g.pathways(influence, stats, count=8)
    np.testing.assert_array_equal(made.paths, stage.paths)
    np.testing.assert_array_equal(made.effect_errors, stage.effect_errors)
    assert made.metrics.jackknife
    runner.run("score", "pathways", set_=(*wide, "pathways.to=scalar"))
    stage, scores = (g.load(f"out/{name}/words.npz") for name in ("pathways", "score"))
    assert isinstance(stage, g.Pathways)
    assert isinstance(scores, g.Scores)
    made = g.pathways(influence, stats, scores, count=8)
    assert made.path_columns()["path"].tolist() == stage.path_columns()["path"].tolist()
    np.testing.assert_array_equal(made.effect_errors, stage.effect_errors)
    with pytest.raises(InputError, match="need scores"):
        g.pathways(influence, stats, to="scalar")
    with pytest.raises(InputError, match="need the model"):
        g.pathways(influence, mediate=2)
