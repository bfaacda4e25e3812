"""The stage `pathways`: its files, its cache, trials on the network, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.errors import InputError

BASE = {"collect": {"hook_points": ["mlp.0", "mlp.1", "mlp.2"]}, "influence": {"min_effect": 0.0, "fdr": 0.9}}
SETTINGS = overrides(**BASE, pathways={"count": 8, "mediate": 2, "tokens": 60})
pytestmark = pytest.mark.slow


def load() -> g.Pathways:
    made = g.load("out/pathways/words.npz")
    assert isinstance(made, g.Pathways)
    return made


def test_it_writes_paths_tables_and_a_view(runner: Runner) -> None:
    runner.run("collect", "influence", "pathways", set_=SETTINGS)
    made = load()
    rows = list(csv.DictReader(Path("out/pathways/words.paths.csv").read_text().splitlines()))
    assert len(rows) == len(made.paths) == 8
    for row in rows:
        layers = [name.split(".")[1] for name in row["path"].split(" > ")]
        assert layers == ["0", "1", "2"]
    assert sum(bool(row["through"]) for row in rows) == 2
    assert len(list(csv.DictReader(Path("out/pathways/words.neurons.csv").read_text().splitlines()))) == len(
        made.neuron_ids
    )
    assert "digraph" in Path("out/pathways/words.dot").read_text()
    said = runner.command("show", "out/pathways/words.npz").output.replace("\n", " ")
    assert "the 8 strongest" in said
    assert "2 paths on" in said
    assert rows[0]["path"].split(" > ")[1] in said
    assert "measured through the middle" in said
    assert "strongest" in runner.command("show", "out/pathways/words.dot").output


def test_it_is_kept_until_something_that_it_reads_changes(runner: Runner) -> None:
    settings = overrides(**BASE, pathways={"count": 8})
    runner.run("collect", "influence", "pathways", set_=settings)
    written = Path("out/pathways/words.npz").read_bytes()
    runner.run("pathways", set_=settings)
    assert "pathways words: up to date" in runner.said()
    runner.run("pathways", set_=(*settings, "pathways.count=3"))
    assert len(load().paths) == 3
    runner.run("pathways", set_=settings)
    assert Path("out/pathways/words.npz").read_bytes() == written


def test_associations_are_paths_too(runner: Runner) -> None:
    settings = overrides(
        collect=BASE["collect"],
        fit={
            "order": "layers",
            "alpha": [0.05],
            "select": {"alpha": 0.05},
            "min_effect": 0.0,
            "fdr": 0.9,
            "neurons": 30,
            "half_samples": 0,
        },
        pathways={"graph": "association", "count": 5},
    )
    runner.run("collect", "fit", "pathways", set_=settings)
    made = load()
    assert made.metrics.graph == "association"
    assert (np.abs(made.effects) > 0).all()
    with pytest.raises(InputError, match=r"fit\.order is not set"):
        runner.run("fit", "pathways", set_=(*settings, "fit.order=none"))


def test_unknown_neurons_are_refused(runner: Runner) -> None:
    runner.run("collect", "influence", set_=SETTINGS)
    with pytest.raises(InputError, match=r"pathways\.sources names 'layers\.0\.mlp\[9999\]'"):
        runner.run("pathways", set_=(*SETTINGS, "pathways.sources=['layers.0.mlp[9999]']"))
