"""Processor time and memory of the bootstraps of `audit`, on simulated effects and scores.

    python benchmarks/audit.py [--sources 40 160] [--targets 2048] [--replicates 200] [--scores 12]

Two changes, 16 blocks of documents, and six truths, as `audit` has them. A few scores are mostly zero, as those of a graph are.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.judge import judge
from glasso_cli.auditing.measures import Settings
from glasso_cli.auditing.scores import CORRELATION, Score, random_score
from glasso_cli.auditing.truth import Truth

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, nargs="*", default=[40, 160])
    parser.add_argument("--targets", type=int, default=2_048)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--scores", type=int, default=12)
    arguments = parser.parse_args()
    print("| sources | targets | scores | replicates | processor time | peak memory of the process |")
    print("| --- | --- | --- | --- | --- | --- |")
    for sources in arguments.sources:
        effects, scores = simulated(sources, arguments.targets, arguments.scores)
        began = time.process_time()
        judge(effects, TRUTHS, scores, Settings(TOP, arguments.replicates, SPLITS, seed=0))
        seconds = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"| {sources:,} | {arguments.targets:,} | {len(scores)} | {arguments.replicates} | {seconds:.1f} s | {peak:.2f} GB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
