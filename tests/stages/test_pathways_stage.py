"""The stage `pathways`: its files, its cache, trials on the network, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError, UpstreamError

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
    assert np.isnan(made.length_errors).all()
    assert not any(row["onto_targets_standard_error"] for row in rows_of("out/pathways/words.neurons.csv"))
    assert "sums over paths have none" in " ".join(runner.command("show", "out/pathways/words.npz").output.split())
    with pytest.raises(InputError, match=r"fit\.order is not set"):
        runner.run("fit", "pathways", set_=(*settings, "fit.order=none"))


SCALAR = overrides(
    **BASE,
    score={"tokens": 150, "held_out": 60, "top": 0, "sample": 0, "shares": [], "forms": ["plain"]},
    pathways={"count": 8, "to": "scalar"},
)


def rows_of(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_paths_end_in_the_scalar(runner: Runner) -> None:
    with pytest.raises(UpstreamError, match="reads out/score"):
        runner.run("collect", "influence", "pathways", set_=SCALAR)
    runner.run("score", "pathways", set_=SCALAR)
    made, scores = load(), g.load("out/score/words.npz")
    assert isinstance(scores, g.Scores)
    assert made.metrics.scalar is not None
    rows = rows_of("out/pathways/words.paths.csv")
    place = {name: number for number, name in enumerate(made.neuron_ids.tolist())}
    for row in rows:
        *neurons, end = row["path"].split(" > ")
        assert end == "loss"
        assert int(row["edges"]) == len(neurons) >= 2
        numbers = [place[name] for name in neurons]
        product = made.exits[numbers[-1]] * made.orientation[numbers[0]]
        for source, target in pairwise(numbers):
            (edge,) = np.flatnonzero((made.sources == source) & (made.targets == target))
            product *= made.weights[edge]
        assert float(row["effect"]) == pytest.approx(product, rel=1e-5)
        assert float(row["standard_error"]) > 0
    # In the units of influence, which are those of all tokens.
    influence = g.load("out/influence/words.npz")
    assert isinstance(influence, g.Influence)
    own = [scores.neuron_ids.tolist().index(name) for name in made.neuron_ids.tolist()]
    assert scores.direct_slopes is not None
    np.testing.assert_allclose(made.exits, scores.direct_slopes[own] * influence.std)
    table = {row["neuron"]: row for row in rows_of("out/pathways/words.neurons.csv")}
    sums = ("through", "through_standard_error", "through_absolute", "through_absolute_standard_error")
    for name in (*sums, "direct", "slope", "slope_standard_error", "influence_standard_error"):
        assert np.isfinite([float(row[name]) for row in table.values()]).all()
    last = [row for row in table.values() if row["layer"] == "2"]
    assert all(float(row["through"]) == 0 and row["slope"] == row["direct"] for row in last)
    assert (made.length_errors[-1] > 0).all()
    assert made.metrics.absolute_error is not None
    assert '-> "loss"' in Path("out/pathways/words.dot").read_text()
    said = runner.command("show", "out/pathways/words.npz").output.replace("\n", " ")
    assert "strongest from" in said
    assert "to the loss" in said
    assert "block jackknife of the products and their sums" in " ".join(said.split())
    assert f"{made.metrics.absolute:.4g} ± {made.metrics.absolute_error:.2g} in absolute values" in " ".join(
        said.split()
    )
    assert "times the sum of the products" in " ".join(said.split())
    assert runner.command("show", "out/pathways/words.dot").exit_code == 0


def test_a_run_makes_the_scores_that_paths_end_in(runner: Runner) -> None:
    settings = [part for item in overrides(**BASE, pathways={"to": "scalar"}) for part in ("--set", item)]
    planned = runner.command("plan", "c.yaml", *settings, "--json").output
    stages = [json.loads(line)["stage"] for line in planned.splitlines() if line.startswith("{")]
    assert stages.index("score") < stages.index("pathways")
    planned = runner.command("plan", "c.yaml", *settings, "--set", "pathways.to=neurons", "--json").output
    assert "pathways" in planned
    assert '"score"' not in planned


def test_other_layers_than_those_of_the_slopes_are_refused(runner: Runner) -> None:
    runner.run("collect", "influence", "score", set_=(*SCALAR, "score.hook_points=['mlp.*']"))
    runner.run("pathways", set_=(*SCALAR, "score.hook_points=['mlp.*']"))  # the network has these three layers
    for setting, words in (
        ("score.held=['mlp.1']", r"score\.held to the hook points of the graph \(\[mlp\.0, mlp\.1, mlp\.2\]\)"),
        ("score.hook_points=['mlp.1', 'mlp.2']", "add them to score.hook_points"),
    ):
        runner.run("score", set_=(*SCALAR, setting))
        with pytest.raises(InputError) as refused:
            runner.run("pathways", set_=(*SCALAR, setting))
        assert re.search(words, refused.value.message + refused.value.hint)
    kl = (*SCALAR, "score.scalar=kl", "score.forms=['integrated']", "score.steps=1")
    runner.run("score", set_=kl)
    with pytest.raises(InputError, match="slope at the clean network is zero"):
        runner.run("pathways", set_=kl)


@pytest.mark.parametrize(
    ("setting", "words"),
    [("targets=['layers.2.mlp[0]']", "to: scalar ends them"), ("mediate=3", "mediate tries paths")],
)
def test_one_end_at_a_time(runner: Runner, setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        runner.run("pathways", set_=(*SCALAR, f"pathways.{setting}"))


def test_unknown_neurons_are_refused(runner: Runner) -> None:
    runner.run("collect", "influence", set_=SETTINGS)
    with pytest.raises(InputError, match=r"pathways\.sources names 'layers\.0\.mlp\[9999\]'"):
        runner.run("pathways", set_=(*SETTINGS, "pathways.sources=['layers.0.mlp[9999]']"))
