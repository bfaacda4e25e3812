"""Processor time of the tests of all pairs of a corpus on the inverse, in CI: that of a Cholesky factorisation with inverse.

    OMP_NUM_THREADS=1 python benchmarks/edge_tests.py RUN NAME        for example, after `make demo`: runs/demo climate

RUN is a folder in which the corpus was collected and fitted. Both are the least of ``--repeats`` times: the tests of all pairs,
and with the standard errors of all edges of the selected alpha. Each in float32, and beside it in float64.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.inference import jackknife
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import EdgeTests, edge_tests
from glasso_cli.inference.estimates import inverse_estimate


def main() -> None:
    arguments = _arguments()
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    stats = ActivationStats.load(arguments.run / "collect" / f"{arguments.name}.npz")
    fit = PrecisionPath.load(arguments.run / "fit" / f"{arguments.name}.npz")
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, fit.neurons)
    S, R, part = blocks.correlation(), stats.autocorrelation[fit.neurons], fit.part()
    steep = jackknife._STEEP

    def tests(chosen: slice, limit: float) -> EdgeTests:
        jackknife._STEEP = limit
        rows, cols = fit.rows[part][chosen], fit.cols[part][chosen]
        return edge_tests(inverse_estimate(S), S, blocks, R, rows, cols, min_effect=0.02)

    ci = _least(lambda: inverse_estimate(S), arguments.repeats)[0]
    print(f"{len(S):,} neurons, {part.stop - part.start:,} edges, 1 CI = {ci:.3f} s")
    for name, limit in {"float32": steep, "float64": 0.0}.items():
        for what, chosen in {"all pairs": slice(0), "with errors of edges": slice(None)}.items():
            seconds, found = _least(lambda: tests(chosen, limit), arguments.repeats)  # noqa: B023
            print(f"{name}, {what}: {seconds:.2f} s, {seconds / ci:.1f} CI, inflation {found.inflation:.7f}")


def _least(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least processor time of some calls, in seconds, and what the last one returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("name", help="the name of a corpus")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
