"""The order of a run: the first early artifact is made as soon as what it reads is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.fake_stages import Count, Experiment

from glasso_cli.artifacts.npz import read_npz
from glasso_cli.config import Config
from glasso_cli.files import atomic_write
from glasso_cli.pipeline import run
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.order import early_first

STAGES = ("collect", "fit", "compare", "explorer", "visualize")
EARLY = [("collect", "films"), ("fit", "films"), ("explorer", "films")]


def test_without_anything_early_the_order_stays() -> None:
    work = [("collect", "a"), ("collect", "b"), ("fit", "a")]
    assert early_first(work, lambda item: False, lambda item: [("collect", "a")]) == work


def test_all_that_an_early_one_reads_comes_before_it_and_nothing_else() -> None:
    work = [("collect", "a"), ("collect", "b"), ("fit", "a"), ("fit", "b"), ("page", "b"), ("page", "a")]
    reads = {("page", "b"): [("fit", "b"), ("gone", "b")], ("fit", "b"): [("collect", "b")]}
    ordered = early_first(work, lambda item: item[0] == "page", lambda item: reads.get(item, []))
    assert ordered == [work[1], work[3], work[4], work[0], work[2], work[5]]


@pytest.fixture
def with_pages(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment whose ``visualize`` takes an early stage ``explorer`` along, over both corpora and their pair."""
    stages = experiment.stages.stages()

    def upstream(config: Config, name: str) -> list[tuple[str, str]]:
        return [("fit", name)] if name in config.corpora else [("compare", name)]

    stages["explorer"] = replace(
        stages["fit"],
        paths=lambda config, name: (
            config.folder / "explorer" / f"{name}.npz",
            (config.folder / "explorer" / f"{name}.dot",),
        ),
        make=lambda job: _page(experiment, job),
        targets=lambda config: [*config.corpora, "films-vs-books"],
        upstream=upstream,
        early=True,
        optional=lambda config, name: name not in config.corpora,
    )
    stages["visualize"] = replace(stages["visualize"], along=("explorer",))
    monkeypatch.setattr(run, "STAGES", STAGES)
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    return experiment


def _page(experiment: Experiment, job: Job) -> str:
    with atomic_write(job.target.companions[0], "w") as file:
        file.write("graph {}\n")
    job.save(Count(job.meta({}), np.array(len(job.upstream))))
    experiment.stages.made.append(("explorer", job.corpus))
    return "a page"


def test_a_run_makes_the_first_page_first_and_the_figures_last(with_pages: Experiment) -> None:
    pair = "films-vs-books"
    rest = [("collect", "books"), ("fit", "books"), ("compare", pair), ("explorer", "books"), ("explorer", pair)]
    figures = [("visualize", "films"), ("visualize", "books")]
    plan = [(step.stage, step.corpus) for step in with_pages.pipeline().plan(STAGES)]
    assert plan == [*EARLY, *rest, *figures]
    assert with_pages.run(*STAGES) == plan
    assert with_pages.run(*STAGES) == []


def test_an_error_after_the_first_page_leaves_it_and_the_next_run_goes_on(with_pages: Experiment) -> None:
    def interrupt(job: Job) -> None:
        if job.corpus == "books":
            raise KeyboardInterrupt

    with_pages.stages.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        with_pages.run(*STAGES)
    assert with_pages.stages.made == EARLY
    with_pages.stages.before = lambda job: None
    assert with_pages.run(*STAGES)[0] == ("collect", "books")


def test_a_stage_that_is_taken_along_runs_with_the_one_that_takes_it(with_pages: Experiment) -> None:
    with_pages.run("collect", "fit")
    pages = [("explorer", "films"), ("explorer", "books")]
    assert with_pages.run("visualize") == [*pages, ("visualize", "films"), ("visualize", "books")]
    assert with_pages.run("visualize", force=True) == [*pages, ("visualize", "films"), ("visualize", "books")]
    assert with_pages.run("explorer", force=True) == pages
    assert "films-vs-books: left out" in with_pages.said()


def test_the_order_changes_no_byte(with_pages: Experiment) -> None:
    with_pages.run(*STAGES)
    early = with_pages.bytes()
    for stage in STAGES:
        with_pages.run(stage, force=True)
    assert with_pages.bytes() == early
    assert read_npz(with_pages.out / "explorer" / "films.npz")[0]["count"] == 1
