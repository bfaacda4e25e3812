"""The table of goals says what was measured, and names what was not."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import goals
import pytest
from results import Results, Row
from support.benchmark_rows import ROW

COLD = replace(ROW, p=2048, ci=11.0, buffers=5.5)
ALL = [
    COLD,
    replace(COLD, solver="R huge", seconds=50.0, ratio=14.2, buffers=float("nan")),
    replace(COLD, kind="path", ratio=1.25),
]


def write(file: Path, rows: list[Row]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    results = Results(file, {"cpu": "one"}, resume=False)
    for row in rows:
        results.add(row)


def write_collect(out: Path, ratios: list[tuple[str, str, float]]) -> None:
    rows: list[dict[str, Any]] = []
    for texts, dtype, ratio in ratios:
        for other, value in (("float32", ratio), ("bfloat16", ratio / 2)):
            measure = f"ratio to naive {other}"
            rows.append({"measure": measure, "texts": texts, "dtype": dtype, "value": f"{value:.4g}"})
    with open(out / "collect.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def table(out: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """The rows of the CSV file by what they are of, which are also printed."""
    goals.main(["--out", str(out)])
    with open(out / "goals.csv", newline="") as file:
        rows = {row["what"]: row for row in csv.DictReader(file)}
    printed = capsys.readouterr().out
    assert all(name in printed and row["met"] in printed for name, row in rows.items())
    return rows


def test_every_goal_is_met_or_not_by_its_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "solvers.csv", ALL)
    write(tmp_path / "layers" / "solvers.csv", [replace(ROW, p=16384, ci=26.0, peak_gb=13.0, degree=9.7)])
    write_collect(
        tmp_path, [("topics", "float32", 6.5), ("film.jsonl", "float32", 7.5), ("film.jsonl", "bfloat16", 13)]
    )
    (tmp_path / "edge_tests.csv").write_text(
        "neurons,dtype,what,seconds,ci\n2048,float32,with errors of edges,2,9\n2048,float32,all pairs,1,3.5\n"
    )
    rows = table(tmp_path, capsys)
    assert {name: (row["measured"].split()[0], row["met"]) for name, row in rows.items()} == {
        "2,048 real neurons, alpha 0.1, cold, gap 1e-07": ("11", "yes"),
        "the same by R huge": ("14.2", "shown"),
        "2,048 real neurons, ten alphas": ("1.25", "yes"),
        "2,048 real neurons, peak memory of the fit": ("5.5", "no"),
        "tests of all pairs on the inverse, 2,048 neurons": ("3.5", "no"),
        "16,384 real neurons of eight layers, 9.7 edges each, cold, gap 1e-07": ("26", "no"),
        "16,384 real neurons of eight layers, memory of the solver": ("13", "yes"),
        "collect, float32, film.jsonl": ("7.5", "no"),
        "collect, float32, topics": ("6.5", "yes"),
        "collect, bfloat16, film.jsonl": ("13", "yes"),
    }


def test_what_was_not_measured_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goals, "available", lambda name: name != "R huge")
    rows = table(tmp_path, capsys)
    assert {row["met"] for row in rows.values()} == {"not measured"}
    assert rows["the same by R huge"]["note"] == "R huge is not installed"
    assert "make bench-layers" in rows["16,384 real neurons of eight layers, cold, gap 1e-07"]["note"]
    goals.main(["--out", str(tmp_path)])
    assert "not installed here, so not compared: R huge" in capsys.readouterr().out


def test_a_fit_that_missed_its_gap_is_not_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "solvers.csv", [replace(COLD, status="not reached", note="best gap 1e-06")])
    row = table(tmp_path, capsys)["2,048 real neurons, alpha 0.1, cold, gap 1e-07"]
    assert (row["met"], row["note"]) == ("not measured", "not reached; best gap 1e-06")
