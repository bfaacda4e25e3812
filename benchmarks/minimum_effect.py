"""Does the test against a minimum effect hold its error rate where tests against zero do not?

    python benchmarks/minimum_effect.py --quick        two minutes on two cores
    python benchmarks/minimum_effect.py --repeats 4    the tables in docs/inference.md: twenty minutes
    python benchmarks/minimum_effect.py                ten repetitions

``small``: every pair of p neurons has a partial correlation of half to one and a half times 0.02, and a sparse graph (mean degree 4) of
0.05 to 0.4 stands beside them; a pair below 0.02 that is reported is false. ``sparse``: the sparse graph alone, with heavy tails or
two hidden factors; any other pair that is reported is false. ``test``: H0: |rho| <= 0.02, as `fit` does it.
``cut-off``: H0: rho = 0, and then the pairs whose estimate is at least 0.02. Writes minimum_effect.csv and .md to ``--out``.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from calibration import autocorrelation, dealt_out
from planted import SCENARIOS, documents, planted, planted_small
from repetitions import rate as rate_in_words
from repetitions import repeat

from glasso_cli.inference.edges import edge_tests
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.inference.estimates import ENOUGH, inverse_estimate, lasso_estimate
from glasso_cli.solvers.path import fit_from

MIN_EFFECT, RATE = 0.02, 0.05
DATA = {"small": (("independent", "ar", "heavy"), (100, 400, 1600)), "sparse": (("heavy", "factors"), (100, 400, 800))}


@dataclass(frozen=True)
class Case:
    """One data set to draw."""

    truth: str  # small or sparse
    scenario: str
    p: int
    documents: int
    seed: int


@dataclass(frozen=True)
class Reported:
    """What one rule reports in one data set."""

    truth: str
    scenario: str
    p: int
    documents: int
    seed: int
    rule: str
    estimate: str
    n_effective: float
    false: int
    true: int
    above: int  # pairs above the minimum effect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 neurons, 4 repetitions")
    parser.add_argument("--truths", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    sizes, repeats = ([200], 4) if arguments.quick else ([200, 1000], 10)
    cases = [
        Case(truth, scenario, p, count, seed)
        for truth in arguments.truths
        for p, scenario, count in itertools.product(sizes, *DATA[truth])
        for seed in range(arguments.repeats or repeats)
    ]
    repeat(measure, cases, Reported, markdown, arguments.out / "minimum_effect.csv", arguments.workers)


def measure(case: Case) -> list[Reported]:
    """Both rules on one data set."""
    truth = planted_small(case.p, case.seed, MIN_EFFECT) if case.truth == "small" else planted(case.p, case.seed)
    tokens = documents(truth, SCENARIOS[case.scenario], case.documents, seed=case.seed)
    blocks, R = dealt_out(tokens), autocorrelation(tokens)
    del tokens
    S = blocks.correlation()
    n_effective = effective_n(R, blocks.n_tokens).median
    inverse = n_effective >= ENOUGH * case.p
    if inverse:
        estimate = inverse_estimate(S)
    else:
        alpha = math.sqrt(math.log(case.p) / n_effective)
        estimate = lasso_estimate(fit_from(S, alpha, None, tol=1e-6).precision(), S)
    every = np.triu_indices(case.p, 1)
    tests = edge_tests(estimate, S, blocks, R, *every, min_effect=MIN_EFFECT)
    above = truth.edges[every]
    rules = {
        "test": tests.q <= RATE,
        "cut-off": (tests.q_zero <= RATE) & (np.abs(tests.partial_correlation) >= MIN_EFFECT),
    }
    return [
        Reported(
            **asdict(case), rule=rule, estimate="inverse" if inverse else "lasso", n_effective=round(n_effective),
            false=int((taken & ~above).sum()), true=int((taken & above).sum()), above=int(above.sum()),
        )
        for rule, taken in rules.items()
    ]  # fmt: skip


def markdown(rows: list[Reported]) -> str:
    """One row per kind of data."""
    lines = [
        "| truth | p | tokens | data | effective tokens | estimate | FDR, cut-off | FDR, test | true pairs reported by the test |",
        "|" + " --- |" * 9,
    ]
    groups: dict[tuple[str, int, int, str], list[Reported]] = {}
    for row in rows:
        groups.setdefault((row.truth, row.p, row.documents, row.scenario), []).append(row)
    for (kind, p, count, scenario), group in sorted(groups.items()):
        shares = {
            rule: rate_in_words(np.array([r.false / max(1, r.false + r.true) for r in group if r.rule == rule]), RATE)
            for rule in ("cut-off", "test")
        }
        tested = [r for r in group if r.rule == "test"]
        lines.append(
            f"| {kind} | {p} | {SCENARIOS[scenario].length * count:,} | {SCENARIOS[scenario].title} | {tested[0].n_effective:,.0f} | "
            f"{tested[0].estimate} | {shares['cut-off']} | {shares['test']} | {np.mean([r.true for r in tested]):,.0f} of {np.mean([r.above for r in tested]):,.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
