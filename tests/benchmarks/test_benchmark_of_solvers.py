"""The whole benchmark on small problems: rows, tables, and going on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import solvers
from peers import PEERS, available
from problems import correlation
from report import markdown
from results import Results, Row, read_machine, read_rows
from support.benchmark_rows import ROW
from worker import Worker, write_matrix

OVER = replace(ROW, solver="skglm", status="over the limit", seconds=600.0, gap=np.inf, note="best gap 1.0e-05")


def run(folder: Path, *more: str) -> list[Row]:
    solvers.main(
        [
            "--generators",
            "sparse",
            "--sizes",
            "60",
            "--degrees",
            "4",
            "--out",
            str(folder),
            "--repeats",
            "1",
            "--threads",
            "1",
            *more,
        ]
    )
    return read_rows(folder / "solvers.csv")


@pytest.mark.slow
def test_a_run_gives_rows_a_table_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(tmp_path, "--solvers", "newton", "scikit-learn", "--targets", "1e-4", "1e-7", "--limit", "60")
    cold = [row for row in rows if row.kind == "cold"]
    assert {(row.solver, row.target) for row in cold} == {
        (solver, target) for solver in ("newton", "scikit-learn") for target in (1e-4, 1e-7)
    }
    assert {row.solver for row in rows if row.kind == "path"} == {"newton", "scikit-learn"}
    assert {row.status for row in rows} == {"reached"}
    assert all(row.gap <= row.target and row.seconds > 0 and row.ci > 0 and row.ratio > 0 for row in rows)
    assert all(3 < row.degree < 5.5 for row in cold)
    assert "| newton |" in (tmp_path / "solvers.md").read_text()
    assert (tmp_path / "solvers.png").stat().st_size > 1000

    kept = (tmp_path / "solvers.csv").read_text().splitlines()
    (tmp_path / "solvers.csv").write_text("\n".join(kept[:-1]) + "\n")
    capsys.readouterr()
    again = run(tmp_path, "--solvers", "newton", "scikit-learn", "--targets", "1e-4", "1e-7", "--resume")
    assert repr(again[:-1]) == repr(rows[:-1])  # the last row alone was made anew
    assert again[-1].key == rows[-1].key


def test_tables_have_a_row_for_every_solver_and_a_column_for_every_size() -> None:
    table = markdown([ROW, OVER, replace(ROW, p=2048, seconds=3.6, ci=44, degree=52)], {"cpu": "one"})
    assert "- cpu: one" in table
    assert "| | 1,000 neurons, α = 0.1, 37 edges each; layer 9, 15,000 tokens | 2,048 neurons" in table
    assert "| newton | 1.2 s (59 CI) · 1e-08 | 3.6 s (44 CI) · 1e-08 |" in table
    assert "| skglm | over 600 s; best gap 1.0e-05 |  |" in table
    assert "0.50 GB for 1,000 neurons (9.0 arrays of p × p)" in table
    assert markdown([], {"cpu": "one"}) == "- cpu: one\n"


def test_rows_are_read_as_they_were_written_and_only_on_the_same_machine(tmp_path: Path) -> None:
    file, machine = tmp_path / "solvers.csv", {"cpu": "one: fast", "load": "3"}
    results = Results(file, machine, resume=True)
    results.add(ROW)
    results.add(OVER)
    with open(file, "a") as out:
        out.write("cold,real,10")  # cut off
    assert read_machine(file) == machine
    assert Results(file, machine | {"load": "0"}, resume=True).rows == [ROW, OVER]
    with pytest.raises(SystemExit, match="of another machine \\(cpu differ\\)"):
        Results(file, {"cpu": "two", "load": "3"}, resume=True)
    assert Results(file, machine, resume=False).rows == []


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["scikit-learn", "R glasso"])
def test_a_solve_over_the_limit_is_ended_and_leaves_nothing(
    solver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not available(solver):
        pytest.skip(f"{solver} is not installed")
    monkeypatch.setattr("worker.GRACE", 0.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = write_matrix(correlation("neuron-like", 200), tmp_path / "S")
    with Worker(solver, file, [1e-4], 1) as worker:
        answer = worker.solve(PEERS[solver].ladder[-1], 0.1)
        assert answer.over_limit
        assert not answer.files
    assert [left.name for left in tmp_path.iterdir()] == ["S"]


@pytest.mark.slow
def test_a_solver_that_fails_says_why(tmp_path: Path) -> None:
    file = write_matrix(np.full((5, 5), np.nan), tmp_path / "S")
    with Worker("newton", file, [0.1], 1) as worker:
        assert "NaN" in worker.solve("tol=1e-7", 60).trouble
