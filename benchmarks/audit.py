"""Processor time and memory of the bootstraps of `audit`, on simulated effects and scores.

    python benchmarks/audit.py [--sources 40 160] [--targets 2048] [--replicates 200] [--scores 12] [--workers 0]

Two changes, 16 blocks of documents, and six truths, as `audit` has them. A few scores are mostly zero, as those of a graph are.
With workers, Dask makes the replicates in that many processes of one thread each; processor time counts them too.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.judge import judge
from glasso_cli.auditing.measures import Settings
from glasso_cli.auditing.replicates import Workplace
from glasso_cli.auditing.scores import CORRELATION, Score, random_score
from glasso_cli.auditing.truth import Truth
from glasso_cli.console import PythonWarnings
from glasso_cli.engine import threads
from glasso_cli.engine.dask_engine import DaskEngine
from glasso_cli.engine.tasks import using

BLOCKS, TOKENS = 16, 100  # tokens of a block
SPLITS, TOP = 10, 100
TRUTHS = (
    *(Truth(change, statistic, "strongest", 0.005) for change in ("step", "mean") for statistic in ("mean", "rms")),
    Truth("step", "mean", "beyond", 0.05),  # 2 % of the pairs
    Truth("mean", "rms", "beyond", 0.1),  # 13 %
)


def simulated(sources: int, targets: int, scores: int, seed: int = 0) -> tuple[Effects, list[Score]]:
    """Effects with heavy tails and noise in every block, and scores that are these effects with noise."""
    random = np.random.default_rng(seed)
    true = (random.standard_t(3, (sources, targets)) * 0.01).astype(np.float32)
    shape = (2, sources, BLOCKS, targets)
    sums, squares = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for change in range(2):
        for block in range(BLOCKS):
            noise = random.standard_normal((2, sources, targets), dtype=np.float32)
            sums[change, :, block] = TOKENS * (true + 0.005 * noise[0])
            squares[change, :, block] = TOKENS * (true**2 + 0.01 * np.abs(noise[1]))
    made = [random_score(sources, targets)]
    for number in range(1, scores):
        values = true + 0.01 * random.standard_normal((sources, targets))
        if number % 5 == 0:
            values[np.abs(values) < np.quantile(np.abs(values), 0.98)] = 0
        unit = ("step", "mean") if number % 2 == 0 else None
        made.append(Score(CORRELATION if number == 1 else f"score {number}", "association", values, unit=unit))
    return Effects(("step", "mean"), np.full(BLOCKS, TOKENS), sums, squares), made


def judged(effects: Effects, scores: list[Score], replicates: int, workers: int) -> None:
    """Judge the scores in this process, or with the replicates on a cluster of this machine."""
    engine = DaskEngine(environments=[threads.variables(1)] * workers) if workers else None
    with tempfile.TemporaryDirectory() as folder, using(engine):
        place = Workplace(Path(folder, "parts"), "audit", PythonWarnings())
        judge(effects, TRUTHS, scores, Settings(TOP, replicates, SPLITS, seed=0), place)
    if engine is not None:
        engine.close()


def processor_time() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, nargs="*", default=[40, 160])
    parser.add_argument("--targets", type=int, default=2_048)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--scores", type=int, default=12)
    parser.add_argument("--workers", type=int, default=0, help="processes of Dask; 0 is this process alone")
    arguments = parser.parse_args()
    print("| sources | targets | scores | replicates | processor time | wall time | peak memory of the process |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for sources in arguments.sources:
        effects, scores = simulated(sources, arguments.targets, arguments.scores)
        before, began = processor_time(), time.monotonic()
        judged(effects, scores, arguments.replicates, arguments.workers)
        seconds, wall = processor_time() - before, time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"| {sources:,} | {arguments.targets:,} | {len(scores)} | {arguments.replicates} | {seconds:.1f} s | {wall:.1f} s "
            f"| {peak:.2f} GB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
