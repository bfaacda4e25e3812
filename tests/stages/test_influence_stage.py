"""The stage `influence`: its files, its cache, and when `glasso run` makes it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.artifacts.orientation import oriented

SETTINGS = overrides(
    collect={"hook_points": ["mlp.0", "mlp.1"]}, influence={"min_effect": 0.05, "layers": [[0, 1]], "fdr": 0.2}
)
pytestmark = pytest.mark.slow


def test_it_writes_an_artifact_a_table_and_a_directed_graph(runner: Runner) -> None:
    runner.run("collect", "influence", set_=SETTINGS)
    influence = g.load("out/influence/words.npz")
    assert isinstance(influence, g.Influence)
    rows = list(csv.DictReader(Path("out/influence/words.edges.csv").read_text().splitlines()))
    assert len(rows) == influence.metrics.edges > 0
    order = influence.strongest()
    assert [row["source"] for row in rows] == influence.neuron_ids[influence.sources[order]].tolist()
    assert [float(row["influence"]) for row in rows] == pytest.approx(oriented(influence).mean[order].tolist())
    assert all(row["source"].startswith("layers.0.") and row["target"].startswith("layers.1.") for row in rows)
    graph = Path("out/influence/words.dot").read_text().splitlines()
    assert json.loads(graph[0].removeprefix("// glasso: "))["edges"] == len(rows)
    assert graph[1] == "digraph {"
    assert sum(" -> " in line for line in graph) == len(rows)
    for name in ("words.npz", "words.dot"):
        said = runner.command("show", f"out/influence/{name}").output
        assert rows[0]["source"] in said
        assert rows[0]["target"] in said
    source = rows[0]["source"]
    one = runner.command("show", "out/influence/words.npz", "--neuron", source).output
    assert f"{source} on the next layer" in one
    assert f"{float(rows[0]['influence']):+.3f} ± {float(rows[0]['standard_error']):.3f}" in one
    assert f"on {source}, from the layer before  0 edges" in one
    refused = runner.command("show", "out/influence/words.npz", "--neuron", "layers.7.mlp[0]")
    assert refused.exit_code == 2
    assert "is not among the" in " ".join(refused.output.split())
    assert "standard deviations of the target per standard deviation of the source" in runner.command(
        "show", "out/influence/words.npz"
    ).output.replace("\n", " ")


def test_it_is_kept_until_something_that_it_reads_changes(runner: Runner) -> None:
    runner.run("collect", "influence", set_=SETTINGS)
    written = Path("out/influence/words.npz").read_bytes()
    runner.run("influence", set_=SETTINGS)
    assert "influence words: up to date" in runner.said()
    runner.run("influence", set_=(*SETTINGS, "influence.fdr=0.01"))
    assert Path("out/influence/words.npz").read_bytes() != written
    runner.run("influence", set_=SETTINGS)
    assert Path("out/influence/words.npz").read_bytes() == written


def test_a_run_makes_it_only_where_the_section_is_given(runner: Runner) -> None:
    assert "influence" not in runner.command("plan", "c.yaml").output
    Path("c.yaml").write_text(Path("c.yaml").read_text() + "influence: {}\n")
    assert "influence" in runner.command("plan", "c.yaml").output


def test_one_layer_is_refused_in_a_sentence(runner: Runner) -> None:
    runner.run("collect")
    result = runner.command("influence", "c.yaml")
    assert result.exit_code == 2
    assert "Influence is between the MLPs of two neighbouring layers" in result.output


def test_the_latents_of_a_dictionary_are_refused(runner: Runner) -> None:
    result = runner.command("influence", "c.yaml", "--set", "collect.sae.file=missing")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[[0, 2]]", "is no pair of neighbouring layers"),
        ("[]", "is empty"),
        ("[[0, 1], [0, 1]]", "names a pair of layers twice"),
        ("[0, 1]", "should be a list of pairs of layers"),
        ("[[0, 1, 2]]", "should be a list of pairs of layers"),
        ("[[true, 1]]", "should be a list of pairs of layers"),
        ("all", "should be a list"),
    ],
)
def test_wrong_layers_are_refused(runner: Runner, value: str, said: str) -> None:
    result = runner.command("check", "c.yaml", "--set", f"influence.layers={value}")
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_it_is_made_where_it_is_named(runner: Runner) -> None:
    made = g.run("c.yaml", "collect", "influence", set=SETTINGS)
    assert Path("out/influence/words.npz") in made
    assert "influence" not in {path.parent.name for path in g.run("c.yaml")}
