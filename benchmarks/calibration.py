"""Do the error rates of edges hold? Planted graphs, tokens that depend on each other, and what is found in them.

    python benchmarks/calibration.py --quick        a few minutes on two cores
    python benchmarks/calibration.py                the table in docs/inference.md: about an hour

A sparse precision matrix is planted among p neurons (mean degree 4). Tokens come in documents: independent ones, AR(1)
with coefficient 0.7, the same with heavy tails (every document has a scale of its own, chi-squared with 5 degrees of
freedom: excess kurtosis 6), and the same with two factors that move all neurons (half of the variance). Sparse neurons are
zero at 90 to 99.5 % of the tokens, and half of them depend on one other. Sixteen blocks of documents, as `collect` makes
them; alpha = sqrt(log p / n_eff); false discovery rate asked for: 0.05 and 0.1.

Found: pairs of all that are not zero at that rate. Drawn: edges of the sparse graph that are beyond a partial correlation of
0.02 at that rate, which is what `fit` draws. Per row the observed false discovery rate (false / found, mean over repetitions, with its standard error) and
the power (planted edges found). ``tokens`` is the test that takes every token for independent. Writes calibration.csv and
calibration.md to ``--out``.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from planted import SCENARIOS, documents, planted, planted_pairs
from repetitions import rate as rate_in_words
from repetitions import repeat

from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import edge_tests
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.inference.estimates import ENOUGH, Estimate, inverse_estimate, lasso_estimate, latent_estimate
from glasso_cli.inference.factors import leading_factors
from glasso_cli.linalg.moments import pack_upper
from glasso_cli.solvers.path import PathPoint, fit_from

BLOCKS, LAGS, FACTORS = 16, 32, 2
MIN_EFFECT = 0.02  # the default of fit.min_effect
RATES = (0.05, 0.1)
REMEDIES = {"": "", "removed": ", 2 components removed", "latent": ", fit.method: latent"}
METHODS = ("tokens", "normal", "jackknife", "pooled", "auto")


@dataclass(frozen=True)
class Case:
    """One data set to draw and one seed."""

    scenario: str
    p: int
    documents: int
    remedy: str  # against factors: none, two components removed, or latent
    seed: int


@dataclass(frozen=True)
class Found:
    """What one test finds in one data set."""

    scenario: str
    p: int
    documents: int
    remedy: str
    seed: int
    method: str
    rate: float
    edges: str  # found or drawn
    false: int
    true: int
    planted: int
    inflation: float
    freedom: float
    n_effective: float


def main() -> None:
    arguments = _arguments()
    cases = list(_cases(arguments))
    repeat(measure, cases, Found, markdown, arguments.out / "calibration.csv", arguments.workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 neurons, 10 repetitions")
    parser.add_argument("--sizes", type=int, nargs="+", help="neurons")
    parser.add_argument("--documents", type=int, nargs="+", help="of 40 tokens")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    quick = arguments.quick
    arguments.sizes = arguments.sizes or ([100] if quick else [200, 1000])
    arguments.documents = arguments.documents or ([200] if quick else [100, 200, 400, 800])
    arguments.repeats = arguments.repeats or (10 if quick else 50)
    return arguments


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    for p, scenario, count in itertools.product(arguments.sizes, arguments.scenarios, arguments.documents):
        for remedy in ("", "removed", "latent") if SCENARIOS[scenario].factors else ("",):
            for seed in range(arguments.repeats):
                yield Case(scenario, p, count, remedy, seed)


# -- one data set -----------------------------------------------------------------------------------


def measure(case: Case) -> list[Found]:
    """All methods on one data set."""
    truth = planted_pairs(case.p) if SCENARIOS[case.scenario].sparse else planted(case.p, seed=case.seed)
    tokens = documents(truth, SCENARIOS[case.scenario], case.documents, seed=case.seed)
    blocks = dealt_out(tokens)
    R = autocorrelation(tokens)
    correlation = blocks.correlation()
    if case.remedy == "removed":
        blocks = blocks.without(leading_factors(correlation, FACTORS))
        correlation = blocks.correlation()
    n_effective = effective_n(R, blocks.n_tokens).median
    alpha = math.sqrt(math.log(case.p) / n_effective)
    point = fit_from(correlation, alpha, None, hidden=1.0 if case.remedy == "latent" else None, tol=1e-6)
    estimate = _estimate(case, point, correlation, n_effective)
    every = np.triu_indices(case.p, 1)
    in_graph = np.zeros((case.p, case.p), dtype=bool)
    in_graph[point.rows, point.cols] = True
    real, drawn = truth.edges[every], in_graph[every]
    found = []
    for method in METHODS:
        tests = edge_tests(
            estimate, correlation, blocks, np.zeros_like(R) if method == "tokens" else R, *every,
            variance="normal" if method == "tokens" else method, min_effect=MIN_EFFECT,
        )  # fmt: skip
        for rate, (name, among) in itertools.product(RATES, {"found": np.ones_like(drawn), "drawn": drawn}.items()):
            taken = among & ((tests.q if name == "drawn" else tests.q_zero) <= rate)
            found.append(
                Found(
                    **asdict(case), method=method, rate=rate, edges=name, false=int((taken & ~real).sum()), true=int((taken & real).sum()),
                    planted=int(real.sum()), inflation=round(tests.inflation, 4), freedom=round(tests.freedom, 1), n_effective=round(n_effective, 1),
                )
            )  # fmt: skip
    return found


def _estimate(case: Case, point: PathPoint, correlation: np.ndarray, n_effective: float) -> Estimate:
    """As `fit` chooses it."""
    if case.remedy == "latent":
        return latent_estimate(point.precision().toarray(), point.factors, correlation)
    if n_effective >= ENOUGH * case.p and not case.remedy:
        return inverse_estimate(correlation)
    return lasso_estimate(point.precision(), correlation)


def dealt_out(tokens: np.ndarray) -> Blocks:
    """Documents ``(D, T, p)`` dealt out to blocks, as `collect` does."""
    p = tokens.shape[2]
    parts = [tokens[index::BLOCKS].reshape(-1, p) for index in range(BLOCKS)]
    packed = np.stack([pack_upper(part.T @ part) for part in parts])
    counts = np.array([len(part) for part in parts])
    return Blocks.of(counts, np.stack([part.sum(axis=0) for part in parts]), packed, np.arange(p))


def autocorrelation(tokens: np.ndarray) -> np.ndarray:
    """Within documents at lags 1 to L, ``(p, L)``."""
    centred = tokens - tokens.mean(axis=(0, 1))
    variance = (centred**2).mean(axis=(0, 1))
    lags = range(1, min(LAGS, tokens.shape[1] - 1) + 1)
    return np.stack([(centred[:, k:] * centred[:, :-k]).mean(axis=(0, 1)) / variance for k in lags], axis=1)


# -- the table --------------------------------------------------------------------------------------


def markdown(found: list[Found]) -> str:
    """One row per data and test, at both rates."""
    head = [
        "p",
        "tokens",
        "data",
        "test",
        *(f"{edges}, FDR at {rate:g}" for edges in ("found", "drawn") for rate in RATES),
    ]
    lines = ["| " + " | ".join([*head, "power at 0.05"]) + " |", "|" + " --- |" * (len(head) + 1)]
    groups: dict[tuple[object, ...], list[Found]] = {}
    for row in found:
        groups.setdefault((row.p, row.documents, row.scenario, row.remedy, row.method), []).append(row)
    for (p, count, scenario, remedy, method), rows in groups.items():
        data = f"{SCENARIOS[str(scenario)].title}{REMEDIES[str(remedy)]}"
        cells = [
            rate_in_words(_shares(r for r in rows if (r.edges, r.rate) == (e, q)), q)
            for e in ("found", "drawn")
            for q in RATES
        ]
        power = np.mean([r.true / r.planted for r in rows if (r.edges, r.rate) == ("drawn", RATES[0])])
        tokens = SCENARIOS[str(scenario)].length * int(str(count))
        lines.append("| " + " | ".join([str(p), f"{tokens:,}", data, str(method), *cells, f"{power:.2f}"]) + " |")
    return "\n".join(lines) + "\n"


def _shares(rows: Iterable[Found]) -> np.ndarray:
    return np.array([row.false / max(1, row.false + row.true) for row in rows])


if __name__ == "__main__":
    main()
