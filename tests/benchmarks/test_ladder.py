"""Settings are tried from the loosest, each once, and no further than they can help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ladder import FAILED, MISSED, OVER, REACHED, SKIPPED, Outcome, Trial, as_definite, climb, judged
from problems import correlation
from scipy.sparse import csr_array, save_npz
from worker import Answer

TARGETS = [1e-4, 1e-6, 1e-8]


class Solver:
    """Gives the next of its trials, and remembers what it was asked."""

    def __init__(self, **trials: dict[str, Any]) -> None:
        self.trials = trials
        self.asked: list[str] = []

    def __call__(self, setting: str) -> Trial:
        self.asked.append(setting)
        return Trial(setting, **self.trials[setting])

    def climb(self, **more: Any) -> list[Outcome]:
        return list(climb(list(self.trials), TARGETS, self, **more))


def test_the_first_setting_that_is_good_enough_counts() -> None:
    solver = Solver(a={"seconds": 1, "gap": 1e-5}, b={"seconds": 2, "gap": 1e-9}, c={"seconds": 3, "gap": 1e-12})
    outcomes = solver.climb()
    assert [(each.status, each.trial.setting) for each in outcomes] == [(REACHED, "a"), (REACHED, "b"), (REACHED, "b")]
    assert solver.asked == ["a", "b"]


def test_the_best_gap_is_told_where_no_setting_is_good_enough() -> None:
    solver = Solver(a={"seconds": 1, "gap": 1e-5}, b={"seconds": 2, "gap": 3e-7}, c={"seconds": 3, "gap": 5e-7})
    outcomes = solver.climb()
    assert [each.status for each in outcomes] == [REACHED, REACHED, MISSED]
    assert outcomes[-1].note == "best gap 3.0e-07 after 2.0 s (b)"


def test_nothing_tighter_is_tried_over_the_limit() -> None:
    solver = Solver(a={"seconds": 1, "gap": 1e-5}, b={"seconds": 9, "over_limit": True}, c={"seconds": 3, "gap": 0.0})
    outcomes = solver.climb()
    assert [each.status for each in outcomes] == [REACHED, OVER, OVER]
    assert solver.asked == ["a", "b"]
    assert outcomes[-1].trial.setting == "b"
    assert "best gap 1.0e-05" in outcomes[-1].note


def test_a_failure_ends_the_ladder_and_says_why() -> None:
    solver = Solver(a={"seconds": 1, "trouble": "FloatingPointError: no"}, b={"seconds": 1, "gap": 0.0})
    outcomes = solver.climb()
    assert [each.status for each in outcomes] == [FAILED] * 3
    assert outcomes[0].note == "FloatingPointError: no"
    assert solver.asked == ["a"]


def test_what_was_over_the_limit_elsewhere_is_left_out_with_a_word() -> None:
    outcomes = Solver(a={"seconds": 1, "gap": 1e-5}).climb(cut="over the limit at p = 9")
    assert [each.status for each in outcomes] == [REACHED, SKIPPED, SKIPPED]
    assert outcomes[-1].note.endswith("; over the limit at p = 9")
    assert [each.note for each in climb([], TARGETS, Solver(), cut="why")] == ["why"] * 3


def test_a_budget_ends_the_ladder() -> None:
    solver = Solver(a={"seconds": 5, "gap": 1e-5}, b={"seconds": 6, "gap": 1e-9})
    outcomes = solver.climb(budget=4)
    assert [each.status for each in outcomes] == [REACHED, SKIPPED, SKIPPED]
    assert "its settings took 5 s so far" in outcomes[-1].note


def test_a_result_is_made_definite_and_certified(tmp_path: Path) -> None:
    S = correlation("band", 20)
    files = []
    for name, result in {"good": np.diag(np.ones(20)), "indefinite": np.diag(-np.ones(20))}.items():
        files.append(tmp_path / f"{name}.npz")
        save_npz(files[-1], csr_array(result))
    trial = judged(Answer(2.0, tuple(files)), "tol=1", S, [1.0, 0.05])
    assert trial.indefinite
    assert 0 < trial.gap < np.inf
    assert judged(Answer(2.0, (files[0],)), "tol=1", S, [1.0]).gap == pytest.approx(0, abs=1e-12)
    assert judged(Answer(2.0, over_limit=True), "tol=1", S, [1.0]).ended


def test_nan_is_made_definite_too() -> None:
    S = correlation("band", 5)
    found, moved = as_definite(np.full((5, 5), np.nan), S, 0.1)
    assert moved
    assert np.linalg.eigvalsh(found)[0] > 0
