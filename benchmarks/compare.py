"""Time of a comparison of two corpora and of its parts, in CI: the time of a Cholesky factorisation with inverse.

    python benchmarks/compare.py RUN A B        for example, after `make demo`: runs/demo climate ai

RUN is a folder in which both corpora were collected and fitted on the inverse or at one alpha.
Of every part the least of ``--repeats`` times, in seconds and in CI; one CI is measured in the same process between
them. Parts:

- estimates: the correlation of both corpora and its inverse (or the fit at a common penalty);
- all pairs: every pair by typical errors, and the candidates;
- own errors: the candidates by a jackknife over blocks, without communities;
- halves: all three for both halves of both corpora, without communities;
- these four: their sum; communities: what they add, in both corpora and in their halves; activations: of every neuron;
- compare: the whole of `glasso compare` for the pair, once its artifacts are loaded.

Writes compare.csv to ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.comparison import pairwise
from glasso_cli.comparison.activation import activation_differences
from glasso_cli.comparison.estimates import Corpus, common_neurons, estimate_both
from glasso_cli.comparison.run import compare_pair
from glasso_cli.config import CompareSection, FitSection
from glasso_cli.linalg.cholesky import invert

SECTION = CompareSection()
FIT = FitSection(alpha=(0.1,), half_samples=0)


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    first, second = (stored(arguments.run, name) for name in (arguments.first, arguments.second))
    rows = measured(first, second, arguments.repeats)
    with open(arguments.out / "compare.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("first", help="the name of a corpus")
    parser.add_argument("second")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def stored(run: Path, name: str) -> Corpus:
    """A corpus of a run."""
    stats, fit = (run / stage / f"{name}.npz" for stage in ("collect", "fit"))
    return Corpus(name, ActivationStats.load(stats), PrecisionPath.load(fit))


# -- the parts --------------------------------------------------------------------------------------


def measured(first: Corpus, second: Corpus, repeats: int) -> list[dict[str, Any]]:
    """A row for every part."""
    common = common_neurons(first, second)
    both = estimate_both(first, second, common, FIT)
    graphs = [pairwise.drawn_edges(corpus.fit, places) for corpus, places in zip((first, second), common.places)]
    S = both.first.blocks.correlation()
    found = pairwise.candidates(both.first, both.second, SECTION, *graphs)

    def halves() -> None:
        for side in (both.first, both.second):
            parts = side.halves()
            if parts is not None:
                pairwise.candidates(*parts, SECTION).tested(SECTION.fdr, most=SECTION.fdr)

    parts: dict[str, Callable[[], object]] = {
        "estimates": lambda: estimate_both(first, second, common, FIT),
        "all pairs": lambda: pairwise.candidates(both.first, both.second, SECTION, *graphs),
        "own errors": lambda: found.tested(SECTION.fdr),
        "halves": halves,
        "activations": lambda: activation_differences(
            first.stats, second.stats, fdr=SECTION.fdr, min_shift=SECTION.min_shift, min_ratio=SECTION.min_ratio
        ),
        "compare": lambda: compare_pair(first, second, SECTION, FIT),
    }
    for part in parts.values():  # compiles
        part()
    units, times = [], {name: float("inf") for name in parts}
    for _ in range(repeats):  # in turn, so that a busy moment of the machine is not that of one part
        units.append(seconds(lambda: invert(S)))
        for name, part in parts.items():
            times[name] = min(times[name], seconds(part))
    unit = min(*units, seconds(lambda: invert(S)))
    four = sum(times[name] for name in ("estimates", "all pairs", "own errors", "halves"))
    whole, active = times.pop("compare"), times.pop("activations")
    times |= {
        "these four": four,
        "communities": max(0.0, whole - four - active),
        "activations": active,
        "compare": whole,
    }
    print(f"{len(S):,} neurons, {len(found.rows):,} candidates; 1 CI is {unit:.3f} s")
    rows = [{"part": name, "seconds": round(took, 3), "CI": round(took / unit, 2)} for name, took in times.items()]
    for row in rows:
        print(f"{row['part']:<12} {row['seconds']:8.3f} s {row['CI']:8.2f} CI", flush=True)
    return rows


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
