"""Topics from the package's passages to statistics: files, what reads them, and what makes them stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.real_runs import Runner

from glasso_cli.artifacts import ActivationStats
from glasso_cli.corpora import topics
from glasso_cli.errors import BelowBar, UpstreamError

TEXTS = Path("out/synth/climate.jsonl")


@pytest.fixture
def on_topics(runner: Runner) -> Runner:
    """The experiment on a topic of the package and one corpus of files."""
    text = Path("c.yaml").read_text()
    words = "corpora: {words: {files: [texts.jsonl], text: text}"
    assert words in text
    Path("c.yaml").write_text(
        text.replace(words, f"{words}, climate: {{topic: climate change}}") + "synth: {examples: 8}\n"
    )
    return runner


def written() -> list[dict[str, Any]]:
    return [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_topics_go_through_a_file_and_other_corpora_do_not(on_topics: Runner) -> None:
    on_topics.run("synth", "collect")
    assert sorted(path.name for path in Path("out/synth").iterdir()) == ["climate.json", "climate.jsonl"]
    rows = written()
    assert [row["text"] for row in rows] == topics.passages("climate change")[:8]
    assert {row["topic"] for row in rows} == {"climate change"}
    assert all(row["attributes"]["genre"] and row["request_key"] is None for row in rows)
    for name, documents in (("climate", 8), ("words", 41)):
        assert ActivationStats.load(Path(f"out/collect/{name}.npz")).metrics.documents.read == documents
    upstream = {
        name: ActivationStats.load(Path(f"out/collect/{name}.npz")).meta["material"]["inputs"]["upstream"]
        for name in ("climate", "words")
    }
    assert set(upstream["climate"]) == {"synth"}
    assert upstream["words"] == {}
    assert on_topics.command("show", "out/synth/climate.json").stdout.startswith("out/synth/climate.json\n  kind ")


def test_collect_alone_says_to_run_synth_first(on_topics: Runner) -> None:
    with pytest.raises(UpstreamError, match=r"collect reads out/synth/climate\.json.*not made yet") as caught:
        on_topics.run("collect")
    assert "glasso synth c.yaml" in caught.value.hint
    assert "glasso run c.yaml" in caught.value.hint


@pytest.mark.slow
def test_another_topic_or_number_makes_both_stale_and_the_same_texts_do_not(on_topics: Runner) -> None:
    on_topics.run("synth", "collect")
    with pytest.raises(UpstreamError, match=r"synth\.examples 8 → 9"):
        on_topics.run("collect", set_=("synth.examples=9",))
    with pytest.raises(UpstreamError, match="topic"):
        on_topics.run("collect", set_=("corpora.climate.topic=quantum computing",))
    before = Path("out/collect/climate.npz").stat().st_mtime_ns
    on_topics.run("synth", "collect", set_=("synth.temperature=0.1",))  # which the passages do not depend on
    assert Path("out/collect/climate.npz").stat().st_mtime_ns == before


@pytest.mark.slow
def test_texts_changed_by_hand_are_not_read(on_topics: Runner) -> None:
    on_topics.run("synth")
    TEXTS.write_text(TEXTS.read_text().replace("the", "our"))
    with pytest.raises(UpstreamError, match=r"climate.jsonl was changed or damaged"):
        on_topics.run("collect")
    on_topics.run("synth")
    on_topics.run("collect")


@pytest.mark.slow
def test_texts_that_are_gone_are_written_again(on_topics: Runner) -> None:
    on_topics.run("synth")
    TEXTS.unlink()
    assert "climate.jsonl is missing" in on_topics.command("synth", "c.yaml", "-n").stdout
    on_topics.run("synth", "collect")


@pytest.mark.slow
def test_more_texts_than_the_package_has(on_topics: Runner) -> None:
    with pytest.raises(BelowBar, match=r"climate: 60 of the 100 texts asked for \(the package has no more\)"):
        on_topics.run("synth", set_=("synth.examples=100",))
    assert len(written()) == 60
    on_topics.run("collect", set_=("synth.examples=100",))


def test_a_topic_that_the_package_does_not_have(on_topics: Runner) -> None:
    result = on_topics.command("synth", "c.yaml", "--set", "corpora.climate.topic=zebras")
    assert result.exit_code == 2
    assert "has no texts on the topic 'zebras'" in result.stderr
    assert "artificial intelligence, climate change, quantum computing" in result.stderr
    assert "synth.provider" in result.stderr


def test_a_configuration_without_topics(runner: Runner) -> None:
    result = runner.command("synth", "c.yaml")
    assert result.exit_code == 2
    assert "No corpus of this configuration is a topic." in result.stderr
    runner.run("synth", "collect")


def test_a_dry_run_of_passages(on_topics: Runner) -> None:
    assert "8 passages of the package on 'climate change'" in on_topics.command("synth", "c.yaml", "-n").stdout
    assert not Path("out").exists()
