"""What was over the limit on an easier problem is not tried on a harder one."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grid import Case, Grid, Task
from problems import Problem
from results import Results
from support.benchmark_rows import ROW

OVER = replace(
    ROW, problem="hub", p=100, wanted="degree 20", solver="R glasso", status="over the limit", setting="thr=1e-4"
)


def task(p: int, wanted: str, alpha: float, kind: str = "cold", threads: int = 2, name: str = "hub") -> Task:
    case = Case(name, Problem(np.eye(p), ""), Path("S"), threads, 1.0)
    return Task(kind, case, wanted, (alpha,), "R glasso", (1e-7,))


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    results = Results(tmp_path / "solvers.csv", {}, resume=False)
    results.add(OVER)
    return Grid(Namespace(solvers=["newton", "R glasso"], path_solvers=["R glasso"]), results)


@pytest.mark.parametrize(
    "harder",
    [
        task(200, "degree 20", 0.2),
        task(200, "degree 50", 0.05),
        task(100, "degree 50", 0.05),
        task(100, "degree 20", 0.1, kind="path"),
        task(100, "alpha 0.1", 0.1, kind="path"),
    ],
)
def test_harder_problems_are_spared(grid: Grid, harder: Task) -> None:
    settings, why = grid._settings(harder)
    assert settings == ("thr=1e-2", "thr=1e-3")
    assert why == "thr=1e-4 was over the limit at p = 100, degree 20"


@pytest.mark.parametrize(
    "other",
    [
        task(100, "degree 20", 0.1),  # the same, continued
        task(100, "degree 5", 0.3),
        task(200, "degree 5", 0.3),
        task(50, "degree 20", 0.1),
        task(200, "degree 20", 0.1, threads=1),
        task(200, "degree 20", 0.1, name="band"),
        task(200, "alpha 0.1", 0.1),  # not comparable
    ],
)
def test_other_problems_are_not(grid: Grid, other: Task) -> None:
    settings, why = grid._settings(other)
    assert settings[-1] == "thr=1e-7"
    assert why == ""


def test_our_settings_are_the_targets(grid: Grid) -> None:
    ours = replace(task(50, "degree 20", 0.1), solver="newton", targets=(1e-7, 1e-4))
    assert grid._settings(ours) == (["tol=0.0001", "tol=1e-07"], "")
