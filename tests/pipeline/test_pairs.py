"""Artifacts of another name than a corpus: stages over pairs of corpora, and targets that are left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.fake_stages import INPUTS, Experiment

from glasso_cli.artifacts.npz import read_npz
from glasso_cli.config import Config
from glasso_cli.errors import ConfigError, NoPairsError, UpstreamError
from glasso_cli.pipeline import run
from glasso_cli.pipeline.job import Job


@pytest.fixture
def with_pairs(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment with a stage over pairs of corpora."""
    monkeypatch.setattr(run, "STAGES", (*run.STAGES, "compare"))
    return experiment


def test_a_stage_over_pairs_reads_the_artifacts_of_both(with_pairs: Experiment) -> None:
    with_pairs.run("collect", "fit")
    assert with_pairs.run("compare") == [("compare", "films-vs-books")]
    arrays, meta = read_npz(with_pairs.out / "compare" / "films-vs-books.npz")
    assert arrays["difference"] == 0
    assert set(meta["material"]["inputs"]["upstream"]) == {"fit/films", "fit/books"}
    assert with_pairs.run("compare") == []
    (INPUTS / "books.txt").write_text("c d e")
    assert with_pairs.run("collect", "fit", "compare")[-1] == ("compare", "films-vs-books")


def test_a_stage_over_pairs_names_the_one_that_is_missing(with_pairs: Experiment) -> None:
    with pytest.raises(UpstreamError, match=r"compare reads .*fit/films\.npz.* not up to date: collect will run first"):
        with_pairs.run("compare")
    plan = with_pairs.pipeline().plan(["compare"])
    assert [(step.corpus, step.reason) for step in plan] == [("films-vs-books", "fit/films will run first")]


def test_a_stage_with_nothing_to_make_is_an_error_only_when_it_is_run_alone(with_pairs: Experiment) -> None:
    with_pairs.config.write_text(with_pairs.config.read_text().replace("  books: {topic: books}\n", ""))
    assert with_pairs.run("collect", "fit", "compare") == [("collect", "films"), ("fit", "films")]
    with pytest.raises(ConfigError, match="There is one corpus"):
        with_pairs.run("compare")


# -- targets that are left out where what they are made from was never made -------------------------------


@pytest.fixture
def drawing_pairs(with_pairs: Experiment, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment whose ``visualize`` draws the pair of corpora too, where it was compared."""
    stages = with_pairs.stages.stages()

    def upstream(config: Config, name: str) -> list[tuple[str, str]]:
        return [("fit", name)] if name in config.corpora else [("compare", name)]

    stages["visualize"] = replace(
        stages["visualize"],
        targets=lambda config: [*config.corpora, "films-vs-books"],
        upstream=upstream,
        optional=lambda config, name: name not in config.corpora,
    )
    monkeypatch.setattr(run, "STAGES", ("collect", "fit", "compare", "visualize"))
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    return with_pairs


def test_a_comparison_that_was_not_made_is_not_drawn(drawing_pairs: Experiment) -> None:
    drawing_pairs.run("collect", "fit")
    drawing_pairs.said()
    assert drawing_pairs.run("visualize") == [("visualize", "films"), ("visualize", "books")]
    assert "visualize films-vs-books: left out, since it needs `glasso compare c.yaml` first\n" in drawing_pairs.said()


def test_a_comparison_that_is_about_to_be_made_is_in_the_plan(drawing_pairs: Experiment) -> None:
    steps = list(drawing_pairs.pipeline().plan(run.STAGES))
    assert [step.corpus for step in steps if step.stage == "visualize"] == ["films", "books", "films-vs-books"]
    assert drawing_pairs.run(*run.STAGES)[-1] == ("visualize", "films-vs-books")


def test_a_comparison_that_is_stale_is_not_drawn_without_a_word(drawing_pairs: Experiment) -> None:
    drawing_pairs.run(*run.STAGES)
    (INPUTS / "books.txt").write_text("c d e")
    drawing_pairs.run("collect", "fit")
    with pytest.raises(UpstreamError, match=r"films-vs-books\.npz, which is not up to date"):
        drawing_pairs.run("visualize")


def test_a_comparison_that_nobody_asked_for_is_left_out_where_it_cannot_be_made(drawing_pairs: Experiment) -> None:
    """All else is made. A comparison that is named, or that has its own section, is an error."""

    def refused(job: Job) -> None:
        if job.target.stage == "compare":
            raise NoPairsError("There are no moments.", "Collect others.")

    drawing_pairs.stages.before = refused
    replace(drawing_pairs.pipeline(), unasked=True).run(run.STAGES)
    assert drawing_pairs.stages.made[-2:] == [("visualize", "films"), ("visualize", "books")]
    assert "compare films-vs-books: left out. There are no moments. Collect others.\n" in drawing_pairs.said()
    with pytest.raises(NoPairsError):
        drawing_pairs.run("compare")
    drawing_pairs.config.write_text(drawing_pairs.config.read_text() + "compare: {fdr: 0.1}\n")
    with pytest.raises(NoPairsError):
        replace(drawing_pairs.pipeline(), unasked=True).run(run.STAGES)
