"""What the jobs of one run share: loaded once, gone where room is short, ended with the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.fake_stages import Experiment

from glasso_cli.pipeline import shared
from glasso_cli.pipeline.job import Job


@pytest.mark.parametrize(("roomy", "loads"), [(True, ["collect"]), (False, ["collect", "fit"])])
def test_a_model_is_loaded_once_in_a_run_that_has_room_for_it(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, roomy: bool, loads: list[str]
) -> None:
    """Where room is short, it is gone when the next stage begins, and all corpora of a stage share it still."""
    loaded: list[str] = []
    monkeypatch.setattr(shared, "is_roomy", lambda: roomy)
    experiment.stages.before = lambda job: job.shared.once("model", lambda: loaded.append(job.target.stage))
    experiment.run("collect", "fit")
    assert loaded == loads


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_what_has_an_end_is_ended_with_the_run(experiment: Experiment, error: type[BaseException] | None) -> None:
    said: list[str] = []

    @contextmanager
    def processes() -> Iterator[str]:
        said.append("begun")
        try:
            yield "processes"
        finally:
            said.append("ended")

    def use(job: Job) -> None:
        assert job.shared.entered_once("processes", processes) == "processes"
        said.append(job.corpus)
        if error is not None and job.corpus == "books":
            raise error

    experiment.stages.before = use
    if error is None:
        experiment.run("collect")
    else:
        with pytest.raises(error):
            experiment.run("collect")
    assert said == ["begun", "films", "books", "ended"]


def test_another_run_shares_nothing(experiment: Experiment) -> None:
    loaded: list[str] = []
    experiment.stages.before = lambda job: job.shared.once("model", lambda: loaded.append(job.target.stage))
    for stage in ("collect", "fit"):
        experiment.run(stage)
    assert loaded == ["collect", "fit"]
