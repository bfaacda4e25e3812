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
    refused = scored.command("score", "c.yaml", "--top", "0")
    assert refused.exit_code == 2
    assert "no share" in refused.output


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
