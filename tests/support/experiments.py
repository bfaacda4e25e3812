"""Fixtures: a working folder with a tiny model, texts and a configuration, for tests of the real stages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.real_runs import Runner
from support.tiny_models import TEXT


def documents() -> list[str]:
    """Forty short documents, a long one, and two without words."""
    rng = np.random.default_rng(0)
    words = TEXT.split()
    lengths = [*rng.integers(3, 20, 40).tolist(), 90]
    texts = [" ".join(rng.choice(words, length)) for length in lengths]
    return [*texts[:7], "", *texts[7:], "   "]


@pytest.fixture
def runner(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model_dir: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> Runner:
    """Runs the stages of a small experiment in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    with open("texts.jsonl", "w") as file:
        file.writelines(json.dumps({"text": text, "id": str(n)}) + "\n" for n, text in enumerate(documents()))
    Path("c.yaml").write_text(
        f"""\
out: out
model: {{id: {model_dir("gemma3")}}}
corpora: {{words: {{files: [texts.jsonl], text: text}}}}
collect: {{hook_points: [mlp.1], max_length: 32, lags: 4, blocks: 4, mask: {{massive: null}}}}
fit: {{alpha: [0.6, 0.4, 0.3], select: {{rule: fixed, alpha: 0.4}}, fdr: 0.99, min_effect: 0, half_samples: 2}}
visualize: {{cards: 1, dpi: 60, formats: [png]}}
"""
    )
    return Runner(capsys)


@pytest.fixture
def pair(runner: Runner) -> Runner:
    """Two corpora: the documents of the small experiment, and the same in another order of words."""
    lines = [json.loads(line) for line in Path("texts.jsonl").read_text().splitlines()]
    with open("others.jsonl", "w") as file:
        file.writelines(json.dumps({"text": " ".join(reversed(line["text"].split()))}) + "\n" for line in lines)
    text = Path("c.yaml").read_text()
    Path("c.yaml").write_text(
        text.replace(
            "corpora: {words: {files: [texts.jsonl], text: text}}",
            "corpora:\n  words: {files: [texts.jsonl]}\n  others: {files: [others.jsonl]}",
        )
    )
    return runner


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each corpus has one figure instead of all, where it does not matter which."""
    from glasso_cli.report import plots

    monkeypatch.setattr(plots, "PLOTS", {"degrees": plots.PLOTS["degrees"]})
    monkeypatch.setattr(plots, "ACROSS", {"effects": plots.ACROSS["effects"]})
