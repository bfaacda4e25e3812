"""Time to an equal certified gap: the Newton solver against the others, on the same covariances in one run.

    python benchmarks/solvers.py                  the full grid, many hours: what `make bench-full` runs
    python benchmarks/solvers.py --problem FILE.npz --sizes 1000 2048 --alphas 0.1

`make bench` runs the problems of the README's table.

Cold: every peer climbs a ladder of its own tolerances, the loosest first, until the gap of its result is at or
below each target; a row has the time of the first setting that gets there. Newton's settings are the targets. The gap
is that of our certificate for all alike, computed outside the time; a result that is not positive definite is
made so. Path: ten alphas from 0.5 down, for the solvers that have one, every point as good as the
target. A solve runs in a process of its own that is ended after ``--limit`` seconds; tighter settings, and
settings as tight on larger or denser problems of that kind, are then left out, and the row says so. CI, the unit
of cost, is one Cholesky factorisation with inverse of that size, timed in the same run.

Real problems are the neurons of the built-in Gemma 3 270M (one layer for every 2,048) on the built-in texts, or
on ``--texts``; or a ``--problem`` file with a correlation matrix S, whole or as its packed upper triangle without
the diagonal. R packages (glasso, huge) and skglm take part where they are installed. ``--out`` gets solvers.csv
(a row as soon as it is known; ``--resume`` goes on from there), solvers.md and solvers.png.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any

import machine
from grid import Grid
from peers import PEERS, available
from problems import PROBLEMS
from report import markdown, picture
from results import COLD, PATH, Results, Row

Preset = dict[str, Any]
FULL: Preset = {
    "generators": list(PROBLEMS),
    "sizes": [500, 1000, 2048, 4096, 8192],
    "degrees": [5.0, 20.0, 50.0],
    "targets": [1e-4, 1e-5, 1e-6, 1e-7, 1e-8],
    "limit": 600.0,
    "budget": math.inf,
    "path_solvers": [name for name, peer in PEERS.items() if peer.has_path],
}


def main(given: list[str] | None = None) -> None:
    arguments = _arguments(given)
    arguments.out.mkdir(parents=True, exist_ok=True)
    here = machine.described()
    results = Results(arguments.out / "solvers.csv", here, arguments.resume)
    print("\n".join(f"{name}: {value}" for name, value in here.items()))
    for missing in [name for name in arguments.solvers if not available(name)]:
        print(f"{missing}: not installed, left out")
    try:
        for row in Grid(arguments, results).rows():
            print(_line(row), flush=True)
        print(f"peak memory of collecting, of the certificates and of S: {machine.peak_bytes() / 1e9:.1f} GB")
    finally:
        (arguments.out / "solvers.md").write_text(markdown(results.rows, here), encoding="utf-8")
        picture(results.rows, arguments.out / "solvers.png")


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", type=Path, help="a correlation matrix; the built-in model's if left out")
    parser.add_argument("--texts", type=Path, help="a .jsonl file with a text in each line; else the built-in topics")
    parser.add_argument("--generators", nargs="+", choices=PROBLEMS, help="'real' is the model's")
    parser.add_argument("--sizes", type=int, nargs="+", help="neurons")
    parser.add_argument("--degrees", type=float, nargs="+", help="edges per neuron")
    parser.add_argument("--alphas", type=float, nargs="+", help="instead of --degrees")
    parser.add_argument("--solvers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--targets", type=float, nargs="+", help="certified gaps, nats per neuron")
    parser.add_argument("--kinds", nargs="+", choices=[COLD, PATH], default=[COLD, PATH])
    parser.add_argument("--path-solvers", nargs="+", choices=FULL["path_solvers"], help="of them, those for paths")
    parser.add_argument("--path-end", type=float, help="last alpha of a path; 0.1 for real problems, else the densest")
    parser.add_argument("--threads", type=int, nargs="+", default=[os.cpu_count() or 1])
    parser.add_argument("--repeats", type=int, default=3, help="of the Newton solver; peers run once a setting")
    parser.add_argument("--limit", type=float, help="seconds a solve of a peer may take")
    parser.add_argument("--budget", type=float, help="seconds after which a peer tries no further setting on a problem")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--resume", action="store_true", help="keep the rows there are and go on")
    arguments = parser.parse_args(given)
    preset = FULL
    if arguments.problem:
        preset = preset | {"generators": ["real"]}
    for name, value in preset.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def _line(row: Row) -> str:
    return (
        f"{row.kind} {row.problem} p={row.p} {row.wanted} alpha={row.alpha:.4g} threads={row.threads} {row.solver:<12} "
        f"gap<={row.target:.0e} {row.status:<14} {row.setting:<9} {row.seconds:8.2f} s {row.ci:7.1f} CI  "
        f"gap {row.gap:.1e}  kkt {row.kkt:.1e}  {row.note}"
    )


if __name__ == "__main__":
    main()
