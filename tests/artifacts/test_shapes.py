"""The dimensions and types that an artifact declares for its arrays are facts, and a file that breaks them is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.artifacts import (
    ActivationStats,
    Artifact,
    Comparison,
    Influence,
    Interventions,
    JointPrecision,
    OrderedGraph,
    PrecisionPath,
    Scores,
)
from glasso_cli.artifacts.artifact import misfits
from glasso_cli.errors import InputError

KINDS = (ActivationStats, PrecisionPath, OrderedGraph, Comparison, JointPrecision, Influence, Interventions, Scores)
COLLECT: dict[str, Any] = {"lags": 4, "blocks": 4, "null": True, "mask": {"massive": None}}
FIT: dict[str, Any] = {
    "alpha": [0.6, 0.4, 0.3],
    "select": {"rule": "fixed", "alpha": 0.3},
    "fdr": 0.99,
    "min_effect": 0.0,
}


def arrays_of(artifact: Artifact) -> dict[str, np.ndarray]:
    return {item.name: getattr(artifact, item.name) for item in fields(artifact) if item.name != "meta"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_declares_its_dimensions(kind: type[Artifact]) -> None:
    arrays = [item for item in fields(kind) if item.name != "meta"]
    assert arrays
    assert all({"dimensions", "dtype"} <= set(item.metadata) for item in arrays)


@pytest.mark.slow
def test_the_dimensions_are_those_of_real_artifacts(pair: Runner) -> None:
    pair.run("collect", "fit", "compare", set_=overrides(collect=COLLECT, fit=FIT))
    made = [g.load(path) for path in sorted(Path("out").glob("*/*.npz"))]
    pair.run("compare", set_=overrides(collect=COLLECT, fit=FIT, compare={"method": "fused", "neurons": 8}))
    made.append(g.load("out/compare/words-vs-others.npz"))
    layers = {**COLLECT, "hook_points": ["mlp.0", "mlp.1"]}
    asked = {"sources": 3, "stratify": [], "outputs": ["loss"]}
    pair.run("collect", "influence", "intervene", set_=(*overrides(collect=layers, intervene=asked), "out=other"))
    made.append(g.load("other/influence/words.npz"))
    made.append(g.load("other/intervene/words.npz"))
    few = {"tokens": 120, "held_out": 100, "top": 2, "sample": 2, "draws": 1, "shares": [0.1, 1.0]}
    pair.run("score", set_=(*overrides(collect=layers, score=few), "out=other"))
    made.append(g.load("other/score/words.npz"))
    # tests/stages/test_ordered_fit.py looks at an ordered graph.
    assert {type(artifact) for artifact in made} == set(KINDS) - {OrderedGraph}
    for artifact in made:
        assert misfits(type(artifact), arrays_of(artifact)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("std", lambda values: values[:-1], r"std is \(47,\), not \(p\)"),
        ("counts", lambda values: values.astype(float), "counts is float64, not int64"),
        ("moments", lambda values: values[:, :-1], r"moments is \(4, 1175\), not \(B, p\(p\+1\)/2\)"),
        ("neuron_ids", lambda values: np.arange(len(values)), "neuron_ids is int64, not str"),
        ("top_values", lambda values: values[..., 0], "top_values is"),
        ("crop_of", lambda _: np.zeros(3, np.int32), "lacks crop_boxes, crop_extent, crop_field"),
    ],
)
def test_an_inconsistent_artifact_is_refused(runner: Runner, name: str, change: Any, said: str) -> None:
    stats = runner.collect()
    changed = replace(stats, **{name: change(getattr(stats, name))})
    changed.save(Path("changed.npz"))
    with pytest.raises(InputError, match=said):
        g.load("changed.npz")
