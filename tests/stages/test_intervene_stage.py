"""The stage `intervene` on a tiny model: its files, what it reads, what changes it, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, overrides

from glasso_cli.artifacts import Interventions
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.errors import ConfigError, InputError, UpstreamError


@pytest.fixture
def two_layers(runner: Runner) -> Runner:
    """The small experiment with two layers and a section `intervene`."""
    text = (
        Path("c.yaml")
        .read_text()
        .replace("[mlp.1]", "[mlp.0, mlp.1]")
        .replace("blocks: 4", "blocks: 4, max_tokens: 250")
    )
    Path("c.yaml").write_text(
        text + "intervene: {sources: 6, stratify: [write_norm], tokens: 120, min_effect: 0.001, fdr: 0.5}\n"
    )
    return runner


def load(name: str = "words") -> Interventions:
    return Interventions.load(Path(f"out/intervene/{name}.npz"))


@pytest.mark.slow
def test_it_writes_an_artifact_and_a_table_that_show_explains(two_layers: Runner) -> None:
    two_layers.run("collect", "intervene")
    made = load()
    assert sorted(path.name for path in Path("out/intervene").iterdir()) == ["words.csv", "words.npz"]
    assert made.effects.shape == (2, 6, 48)
    with open("out/intervene/words.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(item.found for item in made.metrics.effects) == made.found.sum()
    assert made.metrics.texts.held_out
    source = str(made.source_ids[0])
    shown = two_layers.command("show", "out/intervene/words.npz").output
    for word in ("6 neurons and 0 groups at layers.0.mlp", "sign flips", "impossible effects: 0", "linearity", "range"):
        assert word in shown
    one = two_layers.command("show", "out/intervene/words.npz", "--neuron", source).output
    assert f"step of {source}" in one
    assert "layers.1.mlp[" in one
    assert (
        f"on {made.target_ids[3]}"
        in two_layers.command("show", "out/intervene/words.npz", "--neuron", str(made.target_ids[3])).output
    )
    refused = two_layers.command("show", "out/intervene/words.npz", "--neuron", "layers.7.mlp[0]")
    assert refused.exit_code == 2
    assert "neither a source nor a target" in " ".join(refused.output.split())
    assert two_layers.command("show", "out/collect/words.npz", "--neuron", source).exit_code == 2


@pytest.mark.slow
def test_it_is_up_to_date_until_something_changes(two_layers: Runner) -> None:
    two_layers.run("collect", "intervene")
    before = Path("out/intervene/words.npz").read_bytes()
    two_layers.said()
    two_layers.run("intervene")
    assert "up to date" in two_layers.said()
    two_layers.run("intervene", set_=overrides(intervene={"delta": 0.25}))
    assert load().metrics.delta == 0.25
    two_layers.run("intervene")
    assert Path("out/intervene/words.npz").read_bytes() == before
    two_layers.run("intervene", set_=overrides(intervene={"all_pairs": True}))
    assert len(Path("out/intervene/words.csv").read_text().splitlines()) == 1 + 2 * 6 * 48


@pytest.mark.slow
def test_degrees_and_communities_come_from_the_fit(two_layers: Runner) -> None:
    two_layers.run("collect")
    asked = overrides(intervene={"stratify": ["degree"], "communities": [0]})
    with pytest.raises(UpstreamError, match=r"fit/words\.npz"):
        two_layers.run("intervene", set_=asked)
    two_layers.run("fit", "intervene", set_=asked)
    made = load()
    assert (made.source_degrees[:6] >= 0).all()
    assert 0 in made.source_degrees[:6]
    assert made.source_ids[6] == "community 0"
    assert (made.member_sources == 6).sum() > 1
    assert made.source_weights[:6].sum() == pytest.approx(48)
    with pytest.raises(InputError, match="Community 40"):
        two_layers.run("intervene", set_=overrides(intervene={"communities": [40]}))


@pytest.mark.slow
def test_texts_are_held_out_where_there_are_enough_or_of_another_corpus(pair: Runner) -> None:
    text = Path("c.yaml").read_text().replace("[mlp.1]", "[mlp.0, mlp.1]")
    Path("c.yaml").write_text(text + "intervene: {sources: 3, stratify: [], tokens: 120}\n")
    pair.run("collect", "intervene")
    assert not load().metrics.texts.held_out
    pair.run("intervene", set_=overrides(intervene={"corpus": "others"}))
    texts = load().metrics.texts
    assert (texts.corpus, texts.held_out) == ("others", True)
    assert np.abs(load().effects - load("others").effects).max() > 0


@pytest.mark.slow
def test_without_a_section_run_leaves_it_out_and_the_command_says_how(runner: Runner) -> None:
    with pytest.raises(ConfigError, match="no section `intervene`"):
        runner.run("intervene")
    runner.run("collect", "fit", "intervene")
    assert not Path("out/intervene").exists()
    with pytest.raises(InputError, match="nothing to measure effects on"):
        runner.run("intervene", set_=overrides(intervene={"sources": 3, "stratify": []}))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["attention", "direct"])
def test_other_modes_and_outputs(two_layers: Runner, mode: str) -> None:
    two_layers.run("collect")
    outputs = {"outputs": ["loss", "kl", "logit_difference"], "logit_tokens": [" the", " of"]}
    two_layers.run("intervene", set_=overrides(intervene={"mode": mode, **outputs}))
    made = load()
    assert made.metrics.mode == mode
    assert made.outputs.tolist() == ["loss", "kl", "logit_difference"]
    assert (made.output_effects[:, :, 1] > 0).all()
    assert (made.output_errors > 0).all()
    one = two_layers.command("show", "out/intervene/words.npz", "--neuron", str(made.source_ids[0])).output
    assert one.count("output: logit_difference") == 2
    turned = oriented(made)
    signs = made.source_orientation[:, None]
    np.testing.assert_array_equal(turned.output_effects[0, :, [0, 2]], (made.output_effects[0] * signs)[:, [0, 2]].T)
    np.testing.assert_array_equal(turned.output_effects[:, :, 1], made.output_effects[:, :, 1])


@pytest.mark.slow
def test_a_model_in_bfloat16(two_layers: Runner) -> None:
    settings = overrides(model={"dtype": "bfloat16"}, intervene={"changes": ["step", "mean", "resample", "zero"]})
    two_layers.run("collect", "intervene", set_=settings)
    assert np.isfinite(load().effects).all()
    assert load().metrics.impossible.self_patch == 0


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(two_layers: Runner) -> None:
    more = overrides(intervene={"tokens": 1_500}, collect={"max_tokens": 200})
    two_layers.run("collect", "intervene", set_=more)
    one = [Path(f"out/intervene/words.{ending}").read_bytes() for ending in ("npz", "csv")]
    Path("out/intervene/words.npz").unlink()
    two_layers.said()
    two_layers.run("intervene", set_=(*more, "engine={kind: processes, workers: 2}"))
    assert [Path(f"out/intervene/words.{ending}").read_bytes() for ending in ("npz", "csv")] == one
    assert "fewer than the 2 processes" not in two_layers.said()
