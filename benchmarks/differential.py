"""Do the error rates of a comparison hold? Two planted graphs that differ in 25 edges, and what is found to differ.

    python benchmarks/differential.py --quick        a minute on two cores
    python benchmarks/differential.py                the table in docs/compare.md

A sparse precision matrix is planted among p neurons (mean degree 4); the second corpus has the same but for 10 edges removed,
10 added and 5 with the other sign. Documents of 40 tokens as in calibration.py, sixteen blocks of them; the same number for
each corpus; false discovery rate asked for: 0.05 and 0.1, no smallest effect. ``same`` compares two corpora of one graph.
Per row the observed false discovery rate (false / found, mean over repetitions with its standard error; for ``same`` the
share of repetitions that find anything) and the share found of each kind. ``formula`` takes the errors of the fits alone, as
if an edge varied no more than a pair without one. Writes differential.csv and differential.md to ``--out``.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from calibration import autocorrelation, dealt_out
from planted import SCENARIOS, Truth, documents, planted_precision, truth_of
from repetitions import rate as rate_in_words
from repetitions import repeat

from glasso_cli.comparison.estimates import CorpusEstimate
from glasso_cli.comparison.pairwise import difference_tests
from glasso_cli.config import CompareSection
from glasso_cli.inference.edges import edge_tests
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.inference.estimates import inverse_estimate

RATES = (0.05, 0.1)
KINDS = {"removed": 10, "added": 10, "flipped": 5}


@dataclass(frozen=True)
class Case:
    """Two data sets to draw."""

    scenario: str
    p: int
    documents: int
    same: bool
    seed: int


@dataclass(frozen=True)
class Found:
    """What is found in them."""

    scenario: str
    p: int
    documents: int
    same: bool
    seed: int
    errors: str
    rate: float
    false: int
    removed: int
    added: int
    flipped: int
    spread: float
    n_effective: float


def main() -> None:
    arguments = _arguments()
    cases = list(_cases(arguments))
    repeat(measure, cases, Found, markdown, arguments.out / "differential.csv", arguments.workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 neurons, 5 repetitions")
    parser.add_argument("--p", type=int)
    parser.add_argument("--documents", type=int, nargs="+", help="of 40 tokens, in each corpus")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=["independent", "ar", "heavy"])
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    arguments.p = arguments.p or (100 if arguments.quick else 200)
    arguments.documents = arguments.documents or ([200] if arguments.quick else [100, 400, 1600])
    arguments.repeats = arguments.repeats or (5 if arguments.quick else 50)
    return arguments


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    for scenario, count, same in itertools.product(arguments.scenarios, arguments.documents, (False, True)):
        for seed in range(arguments.repeats):
            yield Case(scenario, arguments.p, count, same, seed)


# -- one pair of data sets ----------------------------------------------------------------------------


def pair_of_truths(p: int, seed: int) -> tuple[Truth, Truth, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Two graphs of one diagonal, and the pairs of each kind; every other partial correlation is the same."""
    random = np.random.default_rng([seed, 3])
    first = planted_precision(p, seed)
    upper = np.triu(first, 1)
    edges, free = np.argwhere(upper), np.argwhere(np.triu(upper == 0, 1))
    edges, free = random.permutation(edges), random.permutation(free)
    removed, flipped, added = edges[:10], edges[10:15], free[:10]
    second = upper.copy()
    second[tuple(removed.T)] = 0
    second[tuple(flipped.T)] *= -1
    second[tuple(added.T)] = random.uniform(0.2, 0.4, 10) * random.choice([-1, 1], 10)
    second += second.T
    np.fill_diagonal(first, 0)
    diagonal = np.maximum(1.1 * np.maximum(np.abs(first).sum(axis=1), np.abs(second).sum(axis=1)), 1.0)
    for matrix in (first, second):
        np.fill_diagonal(matrix, diagonal)
    kinds = {"removed": removed, "added": added, "flipped": flipped}
    return truth_of(first), truth_of(second), {name: tuple(pairs.T) for name, pairs in kinds.items()}


def measure(case: Case) -> list[Found]:
    """Both kinds of errors on one pair of data sets."""
    first, second, kinds = pair_of_truths(case.p, case.seed)
    truths = (first, first) if case.same else (first, second)
    sides = [
        estimate_corpus(documents(truth, SCENARIOS[case.scenario], case.documents, seed=2 * case.seed + number))
        for number, truth in enumerate(truths)
    ]
    found = []
    for rate in RATES:
        result = difference_tests(sides[0], sides[1], CompareSection(fdr=rate, min_effect=0))
        alone = result.all_pairs.discoveries(rate)
        differs = (result.pairs.rows[result.differs], result.pairs.cols[result.differs])
        for errors, pairs in (("formula", alone), ("own", differs)):
            taken = np.zeros((case.p, case.p), dtype=bool)
            taken[pairs] = True
            counts: dict[str, Any] = {
                name: 0 if case.same else int(taken[_upper(where)].sum()) for name, where in kinds.items()
            }
            found.append(
                Found(
                    **asdict(case), errors=errors, rate=rate, false=int(taken.sum()) - sum(counts.values()), **counts,
                    spread=round(result.all_pairs.spread, 4), n_effective=round(sides[0].n_effective, 1),
                )
            )  # fmt: skip
    return found


def _upper(where: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(*where), np.maximum(*where)


def estimate_corpus(tokens: np.ndarray) -> CorpusEstimate:
    """A corpus of documents ``(D, T, p)`` as `fit` leaves it, on the inverse."""
    blocks, R = dealt_out(tokens), autocorrelation(tokens)
    S = blocks.correlation()
    estimate = inverse_estimate(S)
    none = np.zeros(0, dtype=np.int64)
    tests = edge_tests(estimate, S, blocks, R, none, none)
    n = effective_n(R, blocks.n_tokens).median
    least = float(tests.variance == "jackknife")
    return CorpusEstimate(blocks, estimate, None, np.zeros((0, 0)), 0, R, n, tests.inflation, tests.freedom, least)


# -- the table --------------------------------------------------------------------------------------


def markdown(found: list[Found]) -> str:
    """One row per data and kind of errors."""
    head = [
        "p",
        "tokens each",
        "data",
        "errors",
        *(f"FDR at {rate:g}" for rate in RATES),
        *(f"{k} found" for k in KINDS),
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    groups: dict[tuple[object, ...], list[Found]] = {}
    for row in found:
        groups.setdefault((row.p, row.documents, row.scenario, row.same, row.errors), []).append(row)
    for (p, count, scenario, same, errors), rows in groups.items():
        kind = SCENARIOS[str(scenario)]
        data = kind.title + (", same graph" if same else "")
        cells = [rate_in_words(_shares(row for row in rows if row.rate == rate), rate) for rate in RATES]
        at_first = [row for row in rows if row.rate == RATES[0]]
        power = ["" if same else f"{np.mean([getattr(row, k) for row in at_first]) / n:.2f}" for k, n in KINDS.items()]
        lines.append(
            "| " + " | ".join([str(p), f"{kind.length * int(str(count)):,}", data, str(errors), *cells, *power]) + " |"
        )
    return "\n".join(lines) + "\n"


def _shares(rows: Iterable[Found]) -> np.ndarray:
    return np.array([row.false / max(1, row.false + row.removed + row.added + row.flipped) for row in rows])


if __name__ == "__main__":
    main()
