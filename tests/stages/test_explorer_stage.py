"""The explorer of a corpus and of a comparison, as `explorer` writes them and `visualize` brings them, and `--open`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from support.real_runs import Runner, overrides

from glasso_cli.artifacts import PrecisionPath

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_figures")]


def manifest_of(page: Path) -> dict[str, object]:
    found = re.search(r'id="manifest">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    manifest: dict[str, object] = json.loads(found[1])
    return manifest


def test_a_corpus_has_its_page_until_it_wants_none(runner: Runner) -> None:
    runner.run("collect", "fit", "visualize")
    page = Path("out/figures/words/explorer.html")
    fit = PrecisionPath.load(Path("out/fit/words.npz"))
    assert manifest_of(page)["p"] == fit.n_neurons
    assert f"explorer words: open {page.resolve()} in a browser (0." in runner.said()
    figures = Path("out/figures/words/figures.json").read_bytes()
    page.unlink()
    runner.run("visualize")
    assert page.is_file()
    assert "visualize words: up to date" in runner.said()
    for _ in range(2):
        runner.run("visualize", set_=overrides(visualize={"explorer": False}))
        assert not page.exists()
    assert "explorer words: up to date" in runner.said()
    assert Path("out/figures/words/figures.json").read_bytes() == figures


def test_two_corpora_have_a_page_with_both(pair: Runner) -> None:
    pair.run("collect", "fit", "compare", "visualize")
    page = Path("out/figures/words-vs-others/explorer.html")
    manifest = manifest_of(page)
    assert [corpus["name"] for corpus in manifest["corpora"]] == ["words", "others"]  # type: ignore[attr-defined]
    assert "change.rows" in manifest["blocks"]  # type: ignore[operator]
    pair.run("visualize", set_=overrides(visualize={"explorer": False}))
    assert not page.exists()


def test_open_opens_the_page_and_nothing_where_there_is_none(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    runner.run("collect", "fit")
    assert runner.command("visualize", "c.yaml", "--open").exit_code == 0
    assert [Path(path).name for path in opened] == ["explorer.html"]
    assert runner.command("visualize", "c.yaml", "--open", "--dry-run").exit_code == 0
    assert runner.command("visualize", "c.yaml", "--open", "--set", "visualize.explorer=false").exit_code == 0
    assert len(opened) == 1
