"""The benchmark of `collect`: its texts, its ratios, and the file that the table of goals reads."""

from __future__ import annotations

import sys
from pathlib import Path

import collect
import goals
import numpy as np
import pytest
from collect import Times


def test_sentences_are_the_passages_cut_up() -> None:
    passages, sentences = (collect.texts_of(name, "text") for name in ("topics", "sentences"))
    assert len(sentences) > 3 * len(passages)
    assert " ".join(" ".join(sentences).split()) == " ".join(" ".join(passages).split())
    lengths = [len(sentence.split()) for sentence in sentences]
    assert max(lengths) > 3 * np.median(lengths) > 0


def test_a_ratio_is_the_median_over_pairs() -> None:
    slow, fast = (
        Times(clock, [2 * each for each in clock], np.empty(0)) for clock in ([8.0, 9.0, 50.0], [1.0, 3.0, 10.0])
    )
    assert fast.ratio_to(slow) == (5.0, 5.0)


def test_the_goals_read_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "OUT", tmp_path)
    ratio = ("ratio to naive float32", "topics", "float32", 6.25, "×", "")
    monkeypatch.setattr(collect, "_speed", lambda arguments: [collect._row(*ratio)])
    monkeypatch.setattr(sys, "argv", ["collect.py", "--speed-only"])
    collect.main()
    found = {goal.what: goal for goal in goals.goals(tmp_path)}["collect, float32, topics"]
    assert (found.measured, found.verdict) == (6.25, "yes")
