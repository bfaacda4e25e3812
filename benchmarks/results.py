"""Rows of the benchmark: kept in a CSV file from the moment they are known, and read again to go on from there."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

COLD, PATH = "cold", "path"


@dataclass(frozen=True)
class Row:
    """Time of one solver to one certified gap."""

    kind: str  # cold, or a path of several alphas
    problem: str
    p: int
    source: str  # of S
    wanted: str  # "degree 20" or "alpha 0.1"
    alpha: float  # of a path: the last one
    threads: int
    solver: str
    target: float  # nats per neuron
    status: str
    setting: str
    seconds: float
    ci: float  # seconds over those of one Cholesky factorisation with inverse
    ratio: float  # seconds over those of one cold fit of ours to the same gap
    gap: float  # certified, nats per neuron
    kkt: float
    degree: float  # edges per neuron of this result
    peak_gb: float  # resident memory of the process
    buffers: float  # what the solve needs, S included, in numbers of (p, p) float64 arrays
    note: str

    @property
    def key(self) -> tuple[Any, ...]:
        return self.kind, self.problem, self.p, self.wanted, self.threads, self.solver, self.target


def density(wanted: str) -> float:
    """A number that grows with the density of the graph: comparable among degrees, and among alphas."""
    name, value = wanted.split()
    return float(value) if name == "degree" else -float(value)


_TYPES = {"int": int, "float": float, "str": str}
_NAMES = [field.name for field in fields(Row)]


class Results:
    """The rows known so far, in a file with the machine in its first lines."""

    def __init__(self, file: Path, machine: dict[str, str], resume: bool) -> None:
        self.rows: list[Row] = []
        self._file = file
        if resume and file.exists():
            _check_same(machine, read_machine(file), file)
            self.rows = read_rows(file)
        with open(file, "w", newline="", encoding="utf-8") as out:
            out.writelines(f"# {name}: {value}\n" for name, value in machine.items())
            writer = csv.DictWriter(out, _NAMES)
            writer.writeheader()
            writer.writerows(asdict(row) for row in self.rows)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        with open(self._file, "a", newline="", encoding="utf-8") as out:
            csv.DictWriter(out, _NAMES).writerow(asdict(row))

    def find(self, *key: Any) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def alpha(self, problem: str, p: int, wanted: str) -> float | None:
        """The alpha that an earlier run found for a degree."""
        same = (row.alpha for row in self.rows if (row.problem, row.p, row.wanted) == (problem, p, wanted))
        return next(same, None)


def read_machine(file: Path) -> dict[str, str]:
    with open(file, encoding="utf-8") as lines:
        pairs = [line[2:].rstrip("\n").partition(": ") for line in lines if line.startswith("# ")]
    return {name: value for name, _, value in pairs}


def read_rows(file: Path) -> list[Row]:
    """The rows of a file, without one that was cut off."""
    with open(file, newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(line for line in lines if not line.startswith("# "))
        return list(_whole(reader))


def _whole(raw: Iterator[dict[str, str]] | csv.DictReader[str]) -> Iterator[Row]:
    for each in raw:
        if None not in each.values() and None not in each:
            yield Row(**{field.name: _TYPES[str(field.type)](each[field.name]) for field in fields(Row)})


def _check_same(now: dict[str, str], before: dict[str, str], file: Path) -> None:
    different = [name for name in now if name != "load" and now[name] != before.get(name)]
    if different:
        raise SystemExit(f"{file} is of another machine ({', '.join(different)} differ); leave --resume out.")


def buffers(extra: float, p: int) -> float:
    """Bytes as a number of (p, p) float64 arrays; NaN for so small ones that other memory outweighs them."""
    return float(np.round(extra / (8 * p * p), 1)) if p >= 1000 else np.nan
