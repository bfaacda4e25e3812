"""Artifacts travel: what still runs where the inputs of an earlier stage are not at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_stages import INPUTS, Experiment

from glasso_cli.config import Config
from glasso_cli.errors import InputError, ServiceError, UpstreamError
from glasso_cli.pipeline import run

EVERYTHING = [(stage, corpus) for stage in ("collect", "fit", "visualize") for corpus in ("films", "books")]


def test_artifacts_are_usable_where_the_inputs_are_not(experiment: Experiment, tmp_path: Path) -> None:
    experiment.run("collect")
    (INPUTS / "films.txt").unlink()
    experiment.said()
    assert experiment.run("fit", "visualize") == EVERYTHING[2:]
    warnings = [line for line in experiment.said().splitlines() if line.startswith("warning")]
    assert warnings == [
        "warning: There is no file texts/films.txt. Taking out/collect/films.npz as it is, without checking its inputs."
    ]
    assert set(experiment.plan().values()) == {"up to date"}


def test_a_stage_does_with_a_service_that_is_down_and_not_with_a_wrong_input(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.run()
    (INPUTS / "films.txt").unlink()
    with pytest.raises(InputError, match="There is no file"):
        experiment.run("collect")

    def offline(config: Config, corpus: str) -> dict[str, Any]:
        raise ServiceError("The hub does not answer.", "Try again.")

    stages = experiment.stages.stages()
    stages["collect"] = replace(stages["collect"], pins=offline)
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    experiment.said()
    assert experiment.run() == []
    assert "The hub does not answer. Taking out/collect/films.npz as it is" in experiment.said()
    with pytest.raises(ServiceError, match="does not answer"):
        experiment.run("collect", set_=("model.id=another/model",))


def test_a_changed_field_still_counts_where_the_inputs_are_not(experiment: Experiment) -> None:
    experiment.run("collect")
    (INPUTS / "films.txt").unlink()
    with pytest.raises(UpstreamError, match="max_tokens"):
        experiment.run("fit", set_=("collect.max_tokens=7",))


def test_missing_inputs_without_an_artifact_are_an_error(experiment: Experiment) -> None:
    (INPUTS / "films.txt").unlink()
    with pytest.raises(InputError, match=r"There is no file texts/films\.txt"):
        experiment.run()
