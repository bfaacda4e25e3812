"""Hard correlations: the Newton solver against gglasso and scikit-learn, each to a certified gap of 1e-7.

    python benchmarks/hard_problems.py            the small problems, then the large ones
    python benchmarks/hard_problems.py --only small --solvers newton

A line has the seconds and the gap of every solver, and how many times longer Newton took than the fastest solver with a
certificate. A solver that needs more than ``--limit`` seconds stops there. ``--out`` gets hard_problems.csv.
"""

from __future__ import annotations

import argparse
import csv
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.hard_problems import HUGE, LARGE, SMALL, Hard, few_samples

from glasso_cli.solvers import solve

SOLVERS = ("newton", "gglasso", "sklearn")
PEERS = SOLVERS[1:]


def main() -> None:
    arguments = _arguments()
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()), flush=True)
    problems = {"small": SMALL, "large": [*LARGE, *HUGE], "all": [*SMALL, *LARGE, *HUGE]}[arguments.only]
    for solver in arguments.solvers:  # compiled code and imports are not of the first problem
        solve(few_samples(60, 2), 0.01, solver=solver)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / "hard_problems.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["problem", "alpha", "solver", "seconds", "gap", "converged"])
        for problem in problems:
            row = {solver: timed(problem, solver, arguments.limit) for solver in arguments.solvers}
            for solver, found in row.items():
                writer.writerow([problem.name, problem.alpha, solver, *found])
            print(line(problem, row), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["small", "large", "all"], default="all")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--limit", type=int, default=60, help="seconds for one solver on one problem")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def timed(problem: Hard, solver: str, limit: int) -> tuple[float, float, bool]:
    """Seconds, gap in nats per neuron, and whether that is a certificate; an infinite gap after ``limit`` seconds."""
    S, alpha = problem.covariance, problem.alpha
    signal.signal(signal.SIGALRM, _stop)
    start = time.perf_counter()
    signal.alarm(limit)
    try:
        result = solve(S, alpha, solver=solver, tol=1e-7)
    except TimeoutError:
        return limit, float("inf"), False
    finally:
        signal.alarm(0)
    return time.perf_counter() - start, result.duality_gap, result.converged


def _stop(number: int, frame: FrameType | None) -> Any:
    raise TimeoutError


def line(problem: Hard, row: dict[str, tuple[float, float, bool]]) -> str:
    """One row of the table: ``-`` stands for no certificate."""
    cells = [f"{seconds:8.3f} s {gap:7.0e} {' ' if ok else '-'}" for seconds, gap, ok in row.values()]
    best = min((row[peer][0] for peer in PEERS if peer in row and row[peer][2]), default=None)
    ratio = f"{row['newton'][0] / best:6.1f}" if best and "newton" in row else "     -"
    return f"{problem.name:34} {' | '.join(cells)} | {ratio}"


if __name__ == "__main__":
    main()
