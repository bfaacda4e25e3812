"""The stage `score` on a tiny model: its files, what changes it, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.artifacts import Scores
from glasso_cli.errors import ConfigError, InputError
from glasso_cli.models.load import load_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ASKED: dict[str, Any] = {"tokens": 120, "held_out": 100, "top": 3, "sample": 4, "draws": 1, "shares": [0.1, 0.5, 1.0]}

LAYERS: dict[str, Any] = {"collect": {"hook_points": ["mlp.0", "mlp.1", "mlp.2"]}}
GRAPHS: dict[str, Any] = {
    "collect": {"hook_points": ["mlp.0", "mlp.1"]},
    "fit": {"alpha": [0.2], "select": {"alpha": 0.2}, "min_effect": 0.0, "fdr": 0.9, "half_samples": 0},
    "influence": {"min_effect": 0.0, "fdr": 0.9},
}


@pytest.fixture
def scored(runner: Runner) -> Runner:
    """The small experiment with a section `score` over two layers."""
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(text + f"score: {{hook_points: [mlp.0, mlp.1], {str(ASKED)[1:-1]}}}\n".replace("'", ""))
    return runner


def load() -> Scores:
    return Scores.load(Path("out/score/words.npz"))


def test_it_writes_an_artifact_and_tables_that_show_explains(scored: Runner) -> None:
    scored.run("score")  # without collect
    made = load()
    assert sorted(path.name for path in Path("out/score").iterdir()) == [
        "words.communities.csv",
        "words.neurons.csv",
        "words.npz",
    ]
    with open("out/score/words.neurons.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(made.neuron_ids) == 96
    values = [float(row["plain_absolute"]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert sum(bool(row["effect"]) for row in rows) == 7
    shown = scored.command("show", "out/score/words.npz").output
    for word in ("scalar", "frozen", "rank correlation", "missed", "minus write norm", "most important neurons"):
        assert word in shown


def test_it_is_up_to_date_until_something_changes(scored: Runner) -> None:
    scored.run("score")
    before = Path("out/score/words.npz").read_bytes()
    scored.said()
    scored.run("score")
    assert "up to date" in scored.said()
    scored.run("score", set_=overrides(score={"baseline": "resample"}))
    assert load().metrics.baseline == "resample"
    scored.run("score")
    assert Path("out/score/words.npz").read_bytes() == before


def test_communities_come_from_the_fit_where_it_is_up_to_date(scored: Runner) -> None:
    scored.run("score")
    assert (load().communities == -1).all()
    scored.run("collect", "fit")
    scored.run("score")
    made, fit = load(), g.load("out/fit/words.npz")
    assert isinstance(fit, g.PrecisionPath)
    of = dict(zip(fit.neuron_ids.tolist(), fit.communities.tolist()))
    assert [of.get(name, -1) for name in made.neuron_ids.tolist()] == made.communities.tolist()


def test_the_first_neurons_become_files_that_intervene_takes(scored: Runner) -> None:
    assert scored.command("score", "c.yaml", "--top", "5%").exit_code == 0
    top = load().order()[:5]
    ids = load().neuron_ids[top].tolist()
    with open("out/score/words.top.csv", newline="", encoding="utf-8") as file:
        assert [row["neuron"] for row in csv.DictReader(file)] == ids
    lists = sorted(Path("out/score").glob("words.top.*.txt"))
    assert sorted(line for path in lists for line in path.read_text().split()) == sorted(ids)
    dot = Path("out/score/words.top.dot").read_text()
    assert all(f'"{name}"' in dot for name in ids)
    scored.run("collect", set_=overrides(collect={"hook_points": ["mlp.0", "mlp.1", "mlp.2"]}))
    path = lists[0]
    source = {"layers.0.mlp": "mlp.0", "layers.1.mlp": "mlp.1"}[
        path.name.removeprefix("words.top.").removesuffix(".txt")
    ]
    both = overrides(
        collect={"hook_points": ["mlp.0", "mlp.1", "mlp.2"]},
        intervene={"source": source, "sources": str(path), "stratify": [], "tokens": 100},
    )
    scored.run("intervene", set_=both)
    effects = g.load("out/intervene/words.npz")
    assert isinstance(effects, g.Interventions)
    assert sorted(effects.source_ids.tolist()) == sorted(path.read_text().split())
    assert Path("out/score/words.top.txt").read_text().split() == ids
    refused = scored.command("score", "c.yaml", "--top", "0")
    assert refused.exit_code == 2
    assert "no share" in refused.output


def edges_of_top() -> list[dict[str, str]]:
    with open("out/score/words.top.edges.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_edges_between_the_first_neurons_are_of_influence_or_of_the_fit(scored: Runner) -> None:
    said = scored.command("score", "c.yaml", "--top", "50%")
    assert "no edges" in said.output
    assert edges_of_top() == []
    assert "no graph for edges" in Path("out/score/words.top.dot").read_text()
    config = "c.yaml", *(part for item in overrides(**GRAPHS) for part in ("--set", item))
    scored.run("collect", "fit", set_=overrides(**GRAPHS))
    assert scored.command("score", *config, "--top", "50%").exit_code == 0
    ids = set(load().neuron_ids[load().order()[:48]].tolist())
    fit = g.load("out/fit/words.npz")
    assert isinstance(fit, g.PrecisionPath)
    drawn = {
        (row["neuron_i"], row["neuron_j"]): row
        for _, row in fit.edges_frame().iterrows()
        if row["drawn"] and row["neuron_i"] in ids
    }
    expected = {ends for ends in drawn if ends[1] in ids}
    found = edges_of_top()
    assert {(row["source"], row["target"]) for row in found} == expected
    assert {row["graph"] for row in found} == {"fit"}
    for row in found:
        assert float(row["partial_correlation"]) == pytest.approx(
            drawn[row["source"], row["target"]]["partial_correlation"], rel=1e-4
        )
    dot = Path("out/score/words.top.dot").read_text()
    assert dot.count(" -- ") == len(found) > 0
    assert "partial correlations of the fit" in dot
    scored.run("influence", set_=overrides(**GRAPHS))
    assert scored.command("score", *config, "--top", "50%").exit_code == 0
    found = edges_of_top()
    assert {row["graph"] for row in found} == {"influence"}
    influence = g.load("out/influence/words.npz")
    assert isinstance(influence, g.Influence)
    table = {(row["source"], row["target"]): row["influence"] for _, row in influence.edges_frame().iterrows()}
    for row in found:
        assert row["source"] in ids
        assert row["target"] in ids
        assert float(row["influence"]) == pytest.approx(table[row["source"], row["target"]], rel=1e-4)
    dot = Path("out/score/words.top.dot").read_text()
    assert dot.count(" -> ") == len(found) > 0
    assert "edges of influence" in dot
    shown = scored.command("show", "out/score/words.top.dot").output
    assert f"{len(found):,} edges of influence" in " ".join(shown.split())


def test_one_file_of_all_hook_points_is_taken(scored: Runner) -> None:
    """Neurons of other hook points than the source are left out, and said to be."""
    scored.run("score")
    made = load()
    neurons = [f"layers.{layer}.mlp[{number}]" for layer in (0, 1) for number in (3, 7)]
    assert set(neurons) <= set(made.neuron_ids.tolist())
    Path("some.txt").write_text("\n".join(neurons))
    scored.run("collect", set_=overrides(**LAYERS))
    settings = [
        part
        for item in overrides(**LAYERS, intervene={"source": "mlp.1", "stratify": [], "tokens": 100})
        for part in ("--set", item)
    ]
    result = scored.command("intervene", "c.yaml", *settings, "--neurons", "some.txt")
    assert result.exit_code == 0, result.output
    assert "2 neurons of some.txt are of other hook points than layers.1.mlp" in " ".join(result.output.split())
    effects = g.load("out/intervene/words.npz")
    assert isinstance(effects, g.Interventions)
    assert sorted(effects.source_ids.tolist()) == neurons[2:]
    for text, words in (
        ("layers.0.mlp[3]", "has no neuron of layers.1.mlp"),
        ("layers.1.mlp[3]\nlayers.1.mlp[9999]", "There is no neuron 'layers.1.mlp[9999]'"),
        ("word", "There is no neuron 'word'"),
        ("", "contains no neuron ids"),
    ):
        Path("some.txt").write_text(text)
        refused = scored.command("intervene", "c.yaml", *settings, "--neurons", "some.txt")
        assert refused.exit_code == 2
        assert words in " ".join(refused.output.split())
    refused = scored.command("intervene", "c.yaml", *settings, "--neurons", "nowhere.txt")
    assert refused.exit_code == 2
    assert "nowhere.txt cannot be read" in " ".join(refused.output.split())


def test_a_smaller_share_leaves_no_list_of_a_larger_one(scored: Runner) -> None:
    assert scored.command("score", "c.yaml", "--top", "100%").exit_code == 0
    assert len(list(Path("out/score").glob("words.top.*.txt"))) == 2
    assert scored.command("score", "c.yaml", "--top", "1%").exit_code == 0
    assert len(list(Path("out/score").glob("words.top.*.txt"))) == 1


def test_the_pictures_are_drawn_from_the_scores_alone(scored: Runner) -> None:
    scored.run("score", "visualize", set_=overrides(visualize={"formats": ["png"]}))
    folder = Path("out/figures/words.score")
    names = {path.name for path in folder.iterdir()}
    assert {"curves-resample.png", "curves-resample.csv", "agreement.png", "agreement.csv", "figures.txt"} <= names
    assert not Path("out/figures/words/figures.json").exists()


def test_the_function_gives_the_numbers_of_the_stage(scored: Runner) -> None:
    from support.experiments import documents

    scored.run("score")
    loaded = load_model(Path("c.yaml").read_text().split("model: {id: ")[1].split("}")[0])
    made = g.score(loaded.model, loaded.tokenizer, documents(), ["mlp.0", "mlp.1"], **ASKED)
    stage = load()
    for name in ("attributions", "effects", "deletion", "areas"):
        np.testing.assert_array_equal(getattr(made, name), getattr(stage, name))
    assert list(made.neurons_frame()["neuron"]) == stage.neuron_ids[stage.order()].tolist()
    with pytest.raises(ConfigError, match="unknown key"):
        g.score(loaded.model, loaded.tokenizer, documents(), ["mlp.0"], form="plain")


def test_a_scalar_that_the_network_does_not_give_is_refused(scored: Runner) -> None:
    with pytest.raises(InputError, match="one vector of logits per row"):
        scored.run("score", set_=overrides(score={"scalar": "class_logit", "forms": ["plain"]}))
