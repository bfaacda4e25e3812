"""What `make bench` measured, beside the goals of the project: one table.

    python benchmarks/goals.py [--out benchmarks/out]

Reads the files that solvers.py, collect.py and edge_tests.py left in ``--out``, and that of `make bench-layers` in its folder
``layers``. Prints the table and writes it to goals.csv. What was not measured is in the table too, with the reason.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from collect import NOTEBOOK, TOPICS
from ladder import REACHED
from peers import OURS, PEERS, available
from results import COLD, PATH, Row, read_rows

NEURONS, LAYERS = 2_048, 16_384
TARGET = 1e-7  # nats per neuron
HUGE = "R huge"


@dataclass(frozen=True)
class Goal:
    """A ratio and its bound; ``measured`` is NaN where there is none, for the reason in ``note``."""

    what: str
    measured: float
    unit: str
    at_most: float = np.nan
    at_least: float = np.nan
    note: str = ""
    when: str = ""  # the file was written

    @property
    def bound(self) -> str:
        """In words, empty where a ratio is only shown."""
        bounds = {"at most": self.at_most, "at least": self.at_least}
        return "".join(f"{word} {value:g} {self.unit}" for word, value in bounds.items() if np.isfinite(value))

    @property
    def verdict(self) -> str:
        if np.isnan(self.measured):
            return "not measured"
        if not self.bound:
            return "shown"
        return "no" if self.measured > self.at_most or self.measured < self.at_least else "yes"


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    out = parser.parse_args(given).out
    rows = [_cells(goal) for goal in goals(out)]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "goals.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(_table(rows))
    for name in [name for name in PEERS if not available(name)]:
        print(f"not installed here, so not compared: {name}")


def goals(out: Path) -> Iterator[Goal]:
    """Every goal with what the files in ``out`` say of it."""
    file = out / "solvers.csv"
    solved = read_rows(file) if file.exists() else []
    yield from _fits(solved, _when(file))
    yield from _tests(out / "edge_tests.csv")
    file = out / "layers" / "solvers.csv"
    yield from _layers(read_rows(file) if file.exists() else [], _when(file))
    yield from _collecting(out / "collect.csv")


def _fits(rows: list[Row], when: str) -> Iterator[Goal]:
    name = f"{NEURONS:,} real neurons"
    cold = _row(rows, COLD, OURS)
    yield _goal(
        f"{name}, alpha 0.1, cold, gap {TARGET:.0e}", cold, lambda row: row.ci, "CI", at_most=12, note=_gap, when=when
    )
    huge = _row(rows, COLD, HUGE)
    missing = "" if available(HUGE) else f"{HUGE} is not installed"
    yield _goal(f"the same by {HUGE}", huge, lambda row: row.ratio, "× as long", missing=missing, note=_gap, when=when)
    path = _row(rows, PATH, OURS)
    yield _goal(
        f"{name}, ten alphas", path, lambda row: row.ratio, "× the single fit", at_most=1.3, note=_gap, when=when
    )
    yield _goal(
        f"{name}, peak memory of the fit", cold, lambda row: row.buffers, "matrices p × p", at_most=5, when=when
    )


def _layers(rows: list[Row], when: str) -> Iterator[Goal]:
    name, missing = f"{LAYERS:,} real neurons of eight layers", "needs make bench-layers TEXTS=FILE.jsonl"
    found = next((row for row in rows if (row.kind, row.p, row.solver) == (COLD, LAYERS, OURS)), None)
    edges = f", {found.degree:.1f} edges each" if found else ""
    yield _goal(
        f"{name}{edges}, cold, gap {TARGET:.0e}",
        found,
        lambda row: row.ci,
        "CI",
        at_most=25,
        missing=missing,
        note=_gap,
        when=when,
    )
    yield _goal(
        f"{name}, memory of the solver", found, lambda row: row.peak_gb, "GB", at_most=24, missing=missing, when=when
    )


def _tests(file: Path) -> Iterator[Goal]:
    found = next((row for row in _read(file) if row["dtype"] == "float32" and row["what"] == "all pairs"), None)
    what = f"tests of all pairs on the inverse, {int(found['neurons']):,} neurons" if found else "tests of all pairs"
    value = float(found["ci"]) if found else np.nan
    note = "processor time of one thread" if found else f"no row in {file.name}"
    yield Goal(what, value, "CI", at_most=3, note=note, when=_when(file))


def _collecting(file: Path) -> Iterator[Goal]:
    rows = _read(file)
    unequal = next((row["texts"] for row in rows if row["texts"] != TOPICS), "texts of unequal length")
    for dtype, texts, at_least in (("float32", unequal, 8.0), ("float32", TOPICS, 6.0), ("bfloat16", unequal, 12.0)):
        wanted = (f"ratio to naive {NOTEBOOK}", texts, dtype)
        found = next((row for row in rows if (row["measure"], row["texts"], row["dtype"]) == wanted), None)
        what, value = f"collect, {dtype}, {texts}", float(found["value"]) if found else np.nan
        fast = "; this processor may have no products in it" if dtype != NOTEBOOK else ""
        note = "" if found else f"no row in {file.name}{fast}"
        yield Goal(what, value, "× the notebook in float32", at_least=at_least, note=note, when=_when(file))


# -- one row --------------------------------------------------------------------------------------


def _row(rows: list[Row], kind: str, solver: str) -> Row | None:
    """The row of the real problem at alpha 0.1 to the tightest target."""
    wanted = (kind, "real", NEURONS, "alpha 0.1", solver, TARGET)
    some = (row for row in rows if (row.kind, row.problem, row.p, row.wanted, row.solver, row.target) == wanted)
    return next(some, None)


def _gap(row: Row) -> str:
    return f"gap {row.gap:.0e}, {row.seconds:.1f} s"


def _goal(
    what: str,
    row: Row | None,
    value: Callable[[Row], float],
    unit: str,
    *,
    at_most: float = np.nan,
    missing: str = "",
    note: Callable[[Row], str] = lambda row: row.note,
    when: str = "",
) -> Goal:
    """A goal of a fit: not measured where there is no row, or the fit did not reach its gap."""
    if row is None:
        return Goal(what, np.nan, unit, at_most, note=missing or "no row in solvers.csv")
    if row.status != REACHED:
        return Goal(what, np.nan, unit, at_most, note=f"{row.status}; {row.note}", when=when)
    return Goal(what, value(row), unit, at_most, note=note(row), when=when)


# -- files and the table --------------------------------------------------------------------------


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _when(file: Path) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(file.stat().st_mtime)) if file.exists() else ""


def _cells(goal: Goal) -> dict[str, str]:
    measured = "" if np.isnan(goal.measured) else f"{goal.measured:.3g} {goal.unit}"
    return {
        "what": goal.what,
        "measured": measured,
        "goal": goal.bound,
        "met": goal.verdict,
        "note": goal.note,
        "of": goal.when,
    }


def _table(rows: list[dict[str, str]]) -> str:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


if __name__ == "__main__":
    main()
