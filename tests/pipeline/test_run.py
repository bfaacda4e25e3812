"""What runs, why, and what is left behind, with stages that only shuffle text."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_stages import FAKES, INPUTS, Experiment

from glasso_cli.config import Config
from glasso_cli.errors import BelowBar, ConfigError, ForeignFileError, ServiceError, UpstreamError
from glasso_cli.pipeline import cache, run
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.run import STAGES, stage_range
from glasso_cli.pipeline.stage import sections_of, stage_named

EVERYTHING = [(stage, corpus) for stage in ("collect", "fit", "visualize") for corpus in ("films", "books")]


# -- freshness ----------------------------------------------------------------------------------------


def test_everything_is_made_once_in_order(experiment: Experiment) -> None:
    assert experiment.run() == EVERYTHING
    artifacts = experiment.bytes()
    assert experiment.run() == []
    assert experiment.bytes() == artifacts
    assert set(experiment.plan().values()) == {"up to date"}


def test_the_plan_says_what_would_run_and_why(experiment: Experiment) -> None:
    assert experiment.plan() == {
        **{("collect", corpus): "not made yet" for corpus in ("films", "books")},
        **{("fit", corpus): "collect will run first" for corpus in ("films", "books")},
        **{("visualize", corpus): "collect will run first" for corpus in ("films", "books")},
    }
    experiment.run()
    changed = experiment.plan("fit.tol=1e-3")
    assert changed["collect", "films"] == "up to date"
    assert changed["fit", "films"] == "fit.tol 1e-07 → 0.001"
    assert changed["visualize", "films"] == "fit will run first"
    (INPUTS / "books.txt").write_text("c d e")
    assert experiment.plan()["collect", "books"] == "text changed"
    assert experiment.plan()["collect", "films"] == "up to date"


def test_a_plan_makes_nothing(experiment: Experiment) -> None:
    experiment.plan()
    assert experiment.stages.made == []
    assert not experiment.out.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("collect.max_tokens=7", ["collect"]),  # the words are the same, so the cascade stops
        ("fit.tol=1e-3", ["fit"]),
        ("visualize.edges=3", ["visualize"]),
        ("model.device=cpu", []),
        ("collect.batch_tokens=32", []),
        ("name=another", []),
    ],
)
def test_a_changed_field_runs_its_stage_and_a_runtime_field_none(
    experiment: Experiment, override: str, stages: list[str]
) -> None:
    experiment.run()
    made = experiment.run(set_=(override,))
    assert made == [(stage, corpus) for stage in stages for corpus in ("films", "books")]


def test_a_changed_input_runs_its_corpus_and_all_that_follows(experiment: Experiment) -> None:
    experiment.run()
    (INPUTS / "films.txt").write_text("a b c")
    assert experiment.run() == [(stage, "films") for stage in FAKES]


def test_unchanged_content_stops_the_cascade(experiment: Experiment) -> None:
    experiment.run()
    (INPUTS / "films.txt").write_text("b a b a")  # other text, the same words
    assert experiment.run() == [("collect", "films")]


def test_two_models_never_share_a_result(experiment: Experiment) -> None:
    experiment.run("collect")
    assert experiment.run("collect", set_=("model.id=another/model",)) == [("collect", "films"), ("collect", "books")]


def test_a_new_stage_version_runs_the_stage_again(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment.run()
    stages = experiment.stages.stages()
    stages["fit"] = replace(stages["fit"], version=2)
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    assert experiment.plan()["fit", "films"] == "stage_version 1 → 2"
    assert experiment.run() == [("fit", "films"), ("fit", "books")]


def test_a_deleted_companion_or_picture_is_made_again(experiment: Experiment) -> None:
    experiment.run()
    (experiment.out / "fit" / "films.dot").unlink()
    (experiment.out / "figures" / "books" / "net.svg").unlink()
    assert experiment.plan()["fit", "films"] == "films.dot is missing"
    assert experiment.run() == [("fit", "films"), ("visualize", "books")]


def test_inputs_are_looked_up_once_a_run(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    stages, asked = experiment.stages.stages(), []

    def pins(config: Config, corpus: str) -> dict[str, Any]:
        asked.append(corpus)
        return {}

    stages["collect"] = replace(stages["collect"], pins=pins)
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    experiment.run()
    assert asked == ["films", "books"]


# -- force ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["collect", "fit", "visualize"])
def test_force_runs_that_stage_only_and_changes_no_byte(experiment: Experiment, stage: str) -> None:
    experiment.run()
    artifacts = experiment.bytes()
    assert experiment.run(stage, force=True) == [(stage, "films"), (stage, "books")]
    assert experiment.bytes() == artifacts
    assert experiment.run() == []


def test_a_forced_plan_says_so(experiment: Experiment) -> None:
    experiment.run()
    steps = list(experiment.pipeline(force=True).plan(["fit"]))
    assert [(step.fresh, step.reason) for step in steps] == [(False, "forced")] * 2


def test_force_starts_from_nothing(experiment: Experiment) -> None:
    def leave_a_piece(job: Job) -> None:
        assert not job.pieces.exists()
        job.pieces.mkdir(parents=True)

    experiment.stages.before = leave_a_piece
    experiment.run("collect", force=True)
    piece = cache.partial_folder(experiment.out, experiment.pipeline()._target("collect", "films"))
    piece.mkdir(parents=True)
    experiment.run("collect", force=True)


# -- upstream -------------------------------------------------------------------------------------------


def test_a_missing_upstream_names_the_command_to_run(experiment: Experiment) -> None:
    with pytest.raises(UpstreamError) as caught:
        experiment.run("fit")
    assert caught.value.exit_code == 3
    assert caught.value.message == "fit reads out/collect/films.npz, which is not up to date: not made yet."
    assert "glasso collect c.yaml" in caught.value.hint
    assert experiment.stages.made == []


def test_a_stale_upstream_names_the_field_that_changed(experiment: Experiment) -> None:
    experiment.run()
    with pytest.raises(UpstreamError, match=r"collect\.max_tokens 200000 → 7") as caught:
        experiment.run("visualize", set_=("collect.max_tokens=7",))
    assert "glasso collect" in caught.value.hint
    with pytest.raises(UpstreamError, match=r"visualize reads out/fit/films\.npz.*fit\.tol"):
        experiment.run("visualize", set_=("fit.tol=1e-3",))


def test_a_damaged_upstream_is_stale_and_made_again(experiment: Experiment) -> None:
    experiment.run()
    artifacts = experiment.bytes()
    path = experiment.out / "collect" / "films.npz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UpstreamError, match="is truncated or damaged"):
        experiment.run("fit")
    assert experiment.run() == [("collect", "films")]
    assert experiment.bytes() == artifacts


# -- files of others -----------------------------------------------------------------------------------


def test_a_file_of_somebody_else_is_not_overwritten_unless_forced(experiment: Experiment) -> None:
    path = experiment.out / "collect" / "films.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, mine=np.arange(3))
    mine = path.read_bytes()
    with pytest.raises(ForeignFileError, match="was not written by glasso and would be overwritten"):
        experiment.run()
    assert path.read_bytes() == mine
    assert experiment.run("collect", force=True) == [("collect", "films"), ("collect", "books")]


# -- below the bar ----------------------------------------------------------------------------------------


def test_work_below_the_bar_is_saved_and_said_at_the_end_also_when_cached(experiment: Experiment) -> None:
    experiment.stages.below = {"films": "films did not converge", "books": "books did not converge"}
    for made in (EVERYTHING, []):
        before = len(experiment.stages.made)
        with pytest.raises(BelowBar) as caught:
            experiment.run()
        assert caught.value.exit_code == 5
        assert caught.value.message == "films did not converge\n  books did not converge"
        assert experiment.stages.made[before:] == made


# -- what is left behind ------------------------------------------------------------------------------------


def test_pieces_are_kept_when_interrupted_and_dropped_at_the_end(experiment: Experiment) -> None:
    def interrupt(job: Job) -> None:
        job.pieces.mkdir(parents=True)
        (job.pieces / "piece").touch()
        raise KeyboardInterrupt

    seen: list[bool] = []
    experiment.stages.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        experiment.run("collect")
    experiment.stages.before = lambda job: seen.append((job.pieces / "piece").exists())
    experiment.run("collect")
    assert seen == [True, False]
    assert not (experiment.out / ".partial").exists()


def test_pieces_of_another_key_are_not_given_to_a_stage(experiment: Experiment) -> None:
    pieces: list[Path] = []
    experiment.stages.before = lambda job: pieces.append(job.pieces)
    experiment.run("collect")
    experiment.run("collect", set_=("model.id=another/model",))
    assert len(set(pieces)) == 4


def test_every_run_is_logged_with_the_way_it_ended(experiment: Experiment) -> None:
    def fail(job: Job) -> None:
        raise ValueError("a bug")

    with pytest.raises(UpstreamError):
        experiment.run("fit")
    experiment.stages.before = fail
    with pytest.raises(ValueError, match="a bug"):
        experiment.run("collect")
    assert "error: fit reads out/collect/films.npz" in (experiment.out / "logs" / "fit.log").read_text()
    log = (experiment.out / "logs" / "collect.log").read_text()
    assert "Traceback" in log
    assert "ValueError: a bug" in log


def test_the_summary_says_what_was_made_and_what_was_not(experiment: Experiment) -> None:
    experiment.run("collect")
    said = experiment.said()
    assert "collect films: not made yet\n" in said
    assert re.search(r"^collect films: 2 words \(\d+\.\d s\)$", said, re.MULTILINE)
    experiment.run("collect")
    assert "collect films: up to date\n" in experiment.said()


def test_records_are_the_same_whether_made_or_found(experiment: Experiment) -> None:
    def records() -> list[dict[str, Any]]:
        experiment.pipeline(as_json=True).run(FAKES)
        return [json.loads(line) for line in experiment.capsys.readouterr().out.splitlines()]

    made, found = records(), records()
    assert [record.pop("cached") for record in made] == [False] * 12
    assert [record.pop("cached") for record in found] == [True] * 12
    for record in (*made, *found):
        assert record.pop("seconds") >= 0
    assert made == found
    assert set(made[0]) == {"stage", "corpus", "path", "key", "metrics"}
    assert all(Path(record["path"]).exists() for record in made)


# -- two at once, and kills -----------------------------------------------------------------------------------

# Runs the fake stages; collect announces itself and waits until it is told to go on.
WORKER = """
import sys
from support.fake_stages import FAKES, FakeStages
from glasso_cli.pipeline import run
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from pathlib import Path

def wait(job):
    job.pieces.mkdir(parents=True, exist_ok=True)
    (job.pieces / "piece").touch()
    print(job.target.stage, flush=True)
    sys.stdin.readline()

stages = FakeStages(before=wait)
run.STAGES = FAKES
run.stage_named = lambda stage: stages.stages()[stage]
run.Pipeline(load_config(Path("c.yaml")), Console(quiet=True)).run(["collect"])
"""


def start_worker() -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "collect\n"
    return worker


@pytest.mark.slow
def test_two_processes_do_not_work_in_one_folder(experiment: Experiment) -> None:
    worker = start_worker()
    with pytest.raises(ServiceError, match="Another glasso is working in out"):
        experiment.run()
    assert set(experiment.plan().values()) == {"not made yet", "collect will run first"}  # asking needs no lock
    assert worker.communicate("\n\n")[0].split() == ["out/collect/films.npz", "collect", "out/collect/books.npz"]
    assert worker.returncode == 0
    assert experiment.run() == EVERYTHING[2:]


@pytest.mark.slow
def test_a_killed_run_leaves_its_pieces_and_no_lock(experiment: Experiment) -> None:
    worker = start_worker()
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    seen: list[bool] = []
    experiment.stages.before = lambda job: seen.append((job.pieces / "piece").exists())
    assert experiment.run("collect") == EVERYTHING[:2]
    assert seen == [True, False]


# -- names of stages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "stages"),
    [
        (None, None, ["collect", "fit", "visualize"]),
        ("fit", None, ["fit", "visualize"]),
        (None, "fit", ["collect", "fit"]),
        ("fit", "fit", ["fit"]),
    ],
)
def test_a_range_of_stages(experiment: Experiment, first: str | None, last: str | None, stages: list[str]) -> None:
    assert stage_range(first, last) == stages


def test_a_range_that_is_none(experiment: Experiment) -> None:
    with pytest.raises(ConfigError, match="no stage 'fti'"):
        stage_range("fti", None)
    with pytest.raises(ConfigError, match="'visualize' comes after 'fit'"):
        stage_range("visualize", "fit")


def test_every_stage_reads_stages_before_it() -> None:
    for index, name in enumerate(STAGES):
        assert {*stage_named(name).after, *stage_named(name).uses} <= set(STAGES[:index])


def test_the_sections_of_a_stage_are_those_of_all_before_it() -> None:
    assert sections_of(["synth"]) == {"corpora", "synth"}
    assert sections_of(["fit"]) == {"corpora", "synth", "model", "collect", "fit"}
    assert sections_of(STAGES) == set(Config.model_fields) - {"name", "out", "seed", "engine"}
