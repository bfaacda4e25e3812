"""Processor time of the tests of all pairs of a corpus on the inverse, in CI: that of a Cholesky factorisation with inverse.

    OMP_NUM_THREADS=1 python benchmarks/edge_tests.py RUN NAME        for example, after `make demo`: runs/demo climate

RUN is a folder in which the corpus was collected. Both are the least of ``--repeats`` times: the tests of all pairs, and, if
the corpus was fitted there, with the standard errors of all edges of the selected alpha. Each in float32, and beside it in
float64. ``--out`` gets edge_tests.csv.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.inference import jackknife
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import EdgeTests, edge_tests
from glasso_cli.inference.estimates import inverse_estimate


def main(given: list[str] | None = None) -> None:
    arguments = _arguments(given)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    stats = ActivationStats.load(arguments.run / "collect" / f"{arguments.name}.npz")
    neurons, edges = _edges(arguments.run / "fit" / f"{arguments.name}.npz", stats)
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, neurons)
    S, R = blocks.correlation(), stats.autocorrelation[neurons]
    steep = jackknife._STEEP

    def tests(rows: np.ndarray, cols: np.ndarray, limit: float) -> EdgeTests:
        jackknife._STEEP = limit
        return edge_tests(inverse_estimate(S), S, blocks, R, rows, cols, min_effect=0.02)

    ci = _least(lambda: inverse_estimate(S), arguments.repeats)[0]
    print(f"{len(S):,} neurons, 1 CI = {ci:.3f} s")
    rows = []
    for name, limit in {"float32": steep, "float64": 0.0}.items():
        for what, pairs in edges.items():
            seconds, found = _least(lambda: tests(*pairs, limit), arguments.repeats)  # noqa: B023
            print(f"{name}, {what}: {seconds:.2f} s, {seconds / ci:.1f} CI, inflation {found.inflation:.7f}")
            rows.append({"neurons": len(S), "dtype": name, "what": what, "seconds": seconds, "ci": seconds / ci})
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / "edge_tests.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _edges(file: Path, stats: ActivationStats) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """The neurons to test, and rows and columns of the edges whose standard errors are wanted: of none, and of a fit."""
    nothing = np.zeros(0, np.int32)
    edges = {"all pairs": (nothing, nothing)}
    if not file.exists():
        return stats.usable(), edges
    fit = PrecisionPath.load(file)
    part = fit.part()
    print(f"{part.stop - part.start:,} edges")
    return fit.neurons, edges | {"with errors of edges": (fit.rows[part], fit.cols[part])}


def _least(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least processor time of some calls, in seconds, and what the last one returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("name", help="the name of a corpus")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
