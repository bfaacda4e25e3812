"""Artifacts that a stage reads only where they are up to date."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.fake_stages import INPUTS, Experiment

from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.pipeline import run

STAGES = ("collect", "fit", "influence", "visualize")


@pytest.fixture
def with_extra(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment whose ``visualize`` also draws what ``influence`` made, if it made something."""
    stages = experiment.stages.stages()
    stages["influence"] = replace(
        stages["fit"],
        paths=lambda config, corpus: (
            config.folder / "influence" / f"{corpus}.npz",
            (config.folder / "influence" / f"{corpus}.dot",),
        ),
        settings=lambda config, corpus: {"effect": config.influence.min_effect},
        unasked=lambda config: "influence" in config.model_fields_set,
    )
    stages["visualize"] = replace(stages["visualize"], uses=("influence",))
    monkeypatch.setattr(run, "STAGES", STAGES)
    monkeypatch.setattr(run, "stage_named", stages.__getitem__)
    return experiment


def read(experiment: Experiment, corpus: str) -> set[str]:
    """The stages that the figures of a corpus were drawn from."""
    return set(stored_meta(experiment.out / "figures" / corpus / "figures.json")["material"]["inputs"]["upstream"])


def plan(experiment: Experiment, *stages: str) -> list[tuple[str, str, str]]:
    return [(step.stage, step.corpus, step.reason) for step in experiment.pipeline().plan(stages) if not step.fresh]


def test_what_was_never_made_is_not_read_and_not_asked_for(with_extra: Experiment) -> None:
    with_extra.run("collect", "fit", "visualize")
    assert read(with_extra, "films") == {"collect", "fit"}
    assert "influence" not in with_extra.said()


def test_what_was_made_is_read_and_makes_the_reader_run_again(with_extra: Experiment) -> None:
    with_extra.run("collect", "fit", "visualize")
    with_extra.run("influence")
    assert [corpus for _, corpus, _ in plan(with_extra, "visualize")] == ["films", "books"]
    assert with_extra.run("visualize") == [("visualize", "films"), ("visualize", "books")]
    assert read(with_extra, "films") == {"collect", "fit", "influence"}
    assert with_extra.run("visualize") == []


def test_what_is_about_to_be_made_is_in_the_plan(with_extra: Experiment) -> None:
    with_extra.run("collect", "fit", "visualize")
    assert ("visualize", "films", "influence will run first") in plan(with_extra, *STAGES)
    with_extra.run(*STAGES)
    assert read(with_extra, "films") == {"collect", "fit", "influence"}


def test_what_is_out_of_date_is_left_out_and_named(with_extra: Experiment) -> None:
    with_extra.run(*STAGES)
    (INPUTS / "films.txt").write_text("other words here")
    with_extra.run("collect", "fit")
    with_extra.said()
    assert with_extra.run("visualize") == [("visualize", "films")]
    assert read(with_extra, "films") == {"collect", "fit"}
    assert read(with_extra, "books") == {"collect", "fit", "influence"}
    said = with_extra.said()
    assert (
        "influence/films.npz is not up to date and is left out; to include it, run `glasso influence c.yaml` first"
        in (said.replace("\n", " "))
    )
    assert "books" not in said.split("left out")[0].rsplit("visualize", 1)[0]
