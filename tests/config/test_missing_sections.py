"""Every stage asks for the sections that it reads, and for no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.real_runs import Runner

from glasso_cli.config.experiment import without_default
from glasso_cli.config.load import load_config
from glasso_cli.errors import ConfigError
from glasso_cli.pipeline.run import STAGES
from glasso_cli.pipeline.stage import sections_of

SYNTH_ONLY = """\
corpora: {ai: {topic: artificial intelligence}}
synth: {examples: 2}
"""


@pytest.fixture
def texts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that says nothing of a model or of what to collect."""
    monkeypatch.chdir(tmp_path)
    Path("texts.yaml").write_text(SYNTH_ONLY)
    return Path("texts.yaml")


def test_texts_need_neither_a_model_nor_hook_points(texts_only: Path) -> None:
    assert Runner.command("synth", str(texts_only)).exit_code == 0
    assert len(Path("runs/texts/synth/ai.jsonl").read_text().splitlines()) == 2
    assert Runner.command("synth", str(texts_only), "--dry-run").exit_code == 0
    assert Runner.command("run", str(texts_only), "--to", "synth").exit_code == 0


@pytest.mark.parametrize("command", ["collect", "fit", "compare", "visualize", "run", "plan"])
def test_what_reads_them_asks_for_both_at_once(texts_only: Path, command: str) -> None:
    result = Runner.command(command, str(texts_only))
    assert result.exit_code == 2
    assert "model    missing" in result.output
    assert "collect  missing" in result.output


def test_check_says_what_can_run(texts_only: Path) -> None:
    result = Runner.command("check", str(texts_only))
    assert result.exit_code == 0
    assert "has no section model or collect, so that only synth can run" in result.output


def test_a_section_that_is_given_is_checked_even_where_nobody_reads_it(texts_only: Path) -> None:
    texts_only.write_text(SYNTH_ONLY + "collect: {hook_point: [mlp.1]}\nmodel: {}\n")
    result = Runner.command("synth", str(texts_only))
    assert result.exit_code == 2
    assert "did you mean 'hook_points'" in result.output
    assert "model.id" in result.output


def test_texts_always_need_corpora(texts_only: Path) -> None:
    texts_only.write_text("synth: {examples: 2}\n")
    with pytest.raises(ConfigError, match="corpora"):
        load_config(texts_only, needed=sections_of(["synth"]))


def test_some_stage_reads_every_section_without_a_default() -> None:
    assert set(without_default()) == {"model", "collect"}
    assert set(without_default()) <= sections_of(STAGES)
