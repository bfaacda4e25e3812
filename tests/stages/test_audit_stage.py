"""The stage `audit` on a tiny model: its files, what it reads where it is there, what changes it, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.artifacts import Audit
from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.errors import ConfigError, UpstreamError

SECTIONS = """intervene: {sources: 6, stratify: [], tokens: 120}
audit: {share: 0.1, top: 10, replicates: 30, splits: 4}
influence: {keep: all, ablation: true}
"""


@pytest.fixture
def two_layers(runner: Runner) -> Runner:
    """The small experiment with two layers, of which `collect` leaves some texts unread."""
    text = Path("c.yaml").read_text().replace("[mlp.1]", "[mlp.0, mlp.1]")
    Path("c.yaml").write_text(text.replace("blocks: 4", "blocks: 4, max_tokens: 250") + SECTIONS)
    return runner


def load() -> Audit:
    return Audit.load(Path("out/audit/words.npz"))


def scores(audit: Audit) -> set[str]:
    return set(audit.made_score.tolist())


def read_from() -> set[str]:
    return set(stored_meta(Path("out/audit/words.npz"))["material"]["inputs"]["upstream"])


PLAIN = {"random", "correlation", "partial correlation", "ordered ridge", "ordered lasso", "weights"}
INFLUENCE = {f"influence, {form}" for form in ("mean", "direct", "rms", "ablation", "ablation_rms")}


@pytest.mark.slow
def test_it_reads_what_is_there_and_follows_what_changes(two_layers: Runner) -> None:
    two_layers.run("collect", "intervene", "audit")
    made = load()
    assert scores(made) == PLAIN
    assert read_from() == {"collect", "intervene"}
    assert {item.score: item.reason for item in made.metrics.left_out} == {
        "fitted graph": "there is no fit that is up to date",
        "influence": "there is no influence that is up to date",
    }
    two_layers.run("fit", "influence", "audit")
    assert scores(load()) == PLAIN | INFLUENCE | {"fitted graph"}
    assert read_from() == {"collect", "intervene", "fit", "influence"}
    before = Path("out/audit/words.npz").read_bytes()
    two_layers.said()
    two_layers.run("audit")
    assert "up to date" in two_layers.said()
    ordered = overrides(fit={"order": "layers"})
    two_layers.run("audit", set_=ordered)  # the fit in that order was not made yet
    assert "fitted graph" not in scores(load())
    two_layers.run("fit", set_=ordered)
    two_layers.run("audit", set_=ordered)
    notes = dict(zip(load().made_score.tolist(), load().made_note.tolist()))
    assert "ordered graph at alpha" in notes["ordered lasso"]
    assert Path("out/audit/words.npz").read_bytes() != before


@pytest.mark.slow
def test_a_stale_influence_is_left_out(two_layers: Runner) -> None:
    two_layers.run("collect", "influence", "intervene", "audit")
    assert scores(load()) == PLAIN | INFLUENCE
    other = overrides(influence={"keep": "edges", "min_effect": 0.0, "fdr": 0.9, "ablation": False})
    two_layers.said()
    two_layers.run("audit", set_=other)
    assert "influence/words.npz is not up to date and is left out" in two_layers.said().replace("\n", " ")
    assert scores(load()) == PLAIN
    two_layers.run("influence", "audit", set_=other)
    assert {name for name in scores(load()) if name.startswith("influence")} == {
        f"influence, {form}, edges only" for form in ("mean", "direct", "rms")
    }
    assert "influence, ablation" in {item.score for item in load().metrics.left_out}


@pytest.mark.slow
def test_the_command_measures_judges_and_prints_the_table(two_layers: Runner) -> None:
    two_layers.run("collect", "influence")
    said = two_layers.command("intervene", "c.yaml")
    assert said.exit_code == 0
    assert "half against half" in said.stderr
    assert "average precision" in said.stderr
    assert said.stdout.split() == [
        *("out/intervene/words.npz", "out/intervene/words.csv"),
        *("out/audit/words.npz", "out/audit/words.csv", "out/audit/words.predicted.csv"),
    ]
    again = two_layers.command("audit", "c.yaml")
    assert "half against half" in again.stderr
    quiet = two_layers.command("audit", "c.yaml", "--quiet")
    assert "half against half" not in quiet.stderr
    with open("out/audit/words.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = load()
    assert len(rows) == len(made.score) == 6 * (1 + len(scores(made)))
    assert [row["score"] for row in rows][:2] == ["half against half", "random"]
    shown = two_layers.command("show", "out/audit/words.npz").output
    for word in ("rule", "noise ceiling", "right signs", "at 10", "how scores were made", "R² of"):
        assert word in " ".join(shown.split())
    assert isinstance(g.load("out/audit/words.npz"), Audit)
    assert set(made.scores_frame().columns) == set(rows[0])
    assert len(made.predicted_frame()) == len(scores(made))


@pytest.mark.slow
def test_texts_that_collect_read_give_no_verdict(two_layers: Runner) -> None:
    everything: Any = overrides(collect={"max_tokens": None}, intervene={"tokens": 120})
    two_layers.run("collect", "influence", "intervene", set_=everything)
    two_layers.said()
    two_layers.run("audit", set_=everything)
    assert "no score is said to predict" in two_layers.said().replace("\n", " ")
    made = load()
    assert not any(item.predicts for item in made.metrics.verdicts)
    assert all(item.text.startswith("not judged") for item in made.metrics.verdicts)
    assert "collect read" in made.metrics.unpredicted
    assert len(made.predicted_score) == 0
    assert two_layers.command("show", "out/audit/words.npz").exit_code == 0


@pytest.mark.slow
def test_scores_from_the_texts_of_another_corpus(two_layers: Runner) -> None:
    """A corpus of the same documents in another order: in its own scores and in those from the first one."""
    lines = Path("texts.jsonl").read_text().splitlines()
    Path("others.jsonl").write_text("\n".join(lines[::-1]) + "\n")
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(
        text.replace("{words: {files: [texts.jsonl]", "{others: {files: [others.jsonl]}, words: {files: [texts.jsonl]")
    )
    two_layers.run("collect", "intervene", "audit")
    own = Path("out/audit/words.npz").read_bytes()
    asked = ("audit.scores_from=words",)
    two_layers.said()
    two_layers.run("audit", set_=asked)
    assert "audit words: up to date" in two_layers.said()
    assert Path("out/audit/words.npz").read_bytes() == own
    made = Audit.load(Path("out/audit/others.npz"))
    read = stored_meta(Path("out/audit/others.npz"))["material"]["inputs"]["upstream"]
    assert set(read) == {"collect", "collect/words", "intervene", "intervene/words"}
    measured = {f"effects on words, {c}, {s}" for c in ("step", "ablation") for s in ("mean", "rms")}
    assert scores(made) == PLAIN | measured
    assert made.metrics.scores_from == "words"
    assert all("scores from the texts of words" in item.text for item in made.metrics.verdicts if item.predicts)
    shown = " ".join(two_layers.command("show", "out/audit/others.npz").output.split())
    assert "of others" in shown
    assert "the scores are from the texts of words" in shown
    two_layers.run("influence", "audit", set_=asked)
    made = Audit.load(Path("out/audit/others.npz"))
    assert scores(made) == PLAIN | measured | INFLUENCE
    own_effects = made.rows_of("layers.1.mlp", "step", "mean")
    row = own_effects[made.score[own_effects] == "effects on words, step, mean"][0]
    assert made.precision[row] > 2 * made.base_rate[row]
    assert made.slope[row] > 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("audit.scores_from=nope",), "scores_from 'nope' is not under corpora; those are words"),
        (("audit.scores_from=words",), "is the only corpus"),
        (
            ("corpora.more={files: [texts.jsonl]}", "intervene.corpus=more", "audit.scores_from=words"),
            "both choose texts; delete one of them",
        ),
    ],
)
def test_texts_that_cannot_give_scores_are_refused(two_layers: Runner, asked: tuple[str, ...], said: str) -> None:
    result = two_layers.command("check", "c.yaml", *(word for item in asked for word in ("--set", item)))
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


@pytest.mark.slow
def test_it_needs_effects(two_layers: Runner) -> None:
    two_layers.run("collect")
    with pytest.raises(UpstreamError, match=r"intervene/words\.npz"):
        two_layers.run("audit")
    Path("c.yaml").write_text(Path("c.yaml").read_text().replace("intervene:", "# intervene:"))
    with pytest.raises(ConfigError, match="no section `intervene`"):
        two_layers.run("audit")


@pytest.mark.slow
def test_it_is_the_same_in_memory_and_twice(two_layers: Runner) -> None:
    two_layers.run("collect", "influence", "intervene", "audit")
    stage = load()
    first = Path("out/audit/words.npz").read_bytes()
    two_layers.run("audit", set_=overrides(audit={"top": 11}))
    two_layers.run("audit")
    assert Path("out/audit/words.npz").read_bytes() == first
    stats, made = g.load("out/collect/words.npz"), g.load("out/intervene/words.npz")
    assert isinstance(stats, g.ActivationStats)
    assert isinstance(made, g.Interventions)
    found = g.audit(stats, made, share=0.1, top=10, replicates=30, splits=4)
    assert found.metrics.unpredicted == "the network is not at hand"
    for name in ("correlation", "ordered ridge"):
        own, other = found.score == name, stage.score == name
        np.testing.assert_array_equal(found.precision[own], stage.precision[other])
        np.testing.assert_array_equal(found.precision_low[own], stage.precision_low[other])
