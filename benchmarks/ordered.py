"""The ordered graph: how fast its solver is, whether its error rates hold, and how well it predicts on other documents.

    python benchmarks/ordered.py solver [--neurons 2048]
    python benchmarks/ordered.py calibration [--repeats 5]
    python benchmarks/ordered.py held-out OUT/collect/CORPUS.npz

*solver*: two layers of that many neurons, each pair of them a sum of a few of many sources and noise. Seconds of all regressions
of the second layer on the first at one alpha, certified; and of scikit-learn's lasso_path with the precomputed Gram matrix on
32 of the targets, times the share that they are of all. scikit-learn stops at a gap of 1e-7 of a target's variance, too.

*calibration*: a sparse network of three layers is planted. Every neuron of a later layer is a sum of 0 to 6 neurons of earlier
layers and noise of its own. Tokens are independent, AR(1) with coefficient 0.7, or that with heavy tails (each document has a
scale of its own, chi-squared with 5 degrees of freedom). 16 blocks of documents. Found: edges that `fit` would draw, with and
without a minimum effect. An edge is false if its coefficient is zero in the planted network given all earlier neurons.

*held-out*: the regressions of each layer, fitted to the even blocks of documents, on the odd ones, and the other way round: the
share of the variance explained, by the lasso at several alphas and by ridge at several penalties.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from calibration import autocorrelation, dealt_out
from planted import SCENARIOS, Scenario, Truth, documents

from glasso_cli.artifacts import ActivationStats
from glasso_cli.config import FitSection
from glasso_cli.fitting.edge_table import filter_edges
from glasso_cli.fitting.ordered.run import check_layers, tested_layers
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.solvers.lasso.path import regress
from glasso_cli.solvers.lasso.problem import Regressions

FDR = 0.05
LASSO = (0.2, 0.1, 0.05, 0.03, 0.02)
RIDGE = (3.0, 1.0, 0.3, 0.1)


def main() -> None:
    arguments = _arguments()
    rows = {"solver": _solver, "calibration": _calibration, "held-out": _held_out}[arguments.part](arguments)
    for row in rows:
        print(row, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    solver = parts.add_parser("solver")
    solver.add_argument("--neurons", type=int, default=2048)
    calibration = parts.add_parser("calibration")
    calibration.add_argument("--repeats", type=int, default=5)
    parts.add_parser("held-out").add_argument("statistics", type=Path)
    return parser.parse_args()


# -- the solver ---------------------------------------------------------------------------------------


def _solver(arguments: argparse.Namespace) -> Iterator[str]:
    from sklearn.linear_model import lasso_path

    k = arguments.neurons
    random = np.random.default_rng(0)
    n = 10 * k
    X = random.standard_normal((n, k)) @ ((random.random((2 * k, k)) < 6 / k) * random.standard_normal((2 * k, k))).T
    X += 0.7 * random.standard_normal(X.shape)
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    problem = Regressions.of(X.T @ X / n, np.repeat([0, 1], k))
    regress(problem, 0.99 * problem.strongest)  # compiles
    for alpha in (0.2, 0.1, 0.05):
        started = time.perf_counter()
        point = regress(problem, alpha)
        ours = time.perf_counter() - started
        R, Z = n * problem.correlation[:k, :k], np.asfortranarray(X[:, :k])
        chosen = random.choice(k, 32, replace=False) + k
        problems = [(np.asfortranarray(X[:, target]), Z.T @ X[:, target]) for target in chosen.tolist()]
        options = {"alphas": [alpha], "precompute": R, "copy_X": False, "tol": 1e-7, "max_iter": 100_000}
        started = time.perf_counter()
        for y, onto in problems:
            lasso_path(Z, y, Xy=onto, check_input=False, **options)
        theirs = (time.perf_counter() - started) * k / 32
        yield (
            f"{k} targets on {k} predictors, alpha {alpha}: {ours:.2f} s, {point.n_edges:,} coefficients, largest gap "
            f"{point.duality_gap:.1e}; scikit-learn {theirs:.0f} s for all, ratio {theirs / ours:.0f}"
        )


# -- calibration --------------------------------------------------------------------------------------


def _calibration(arguments: argparse.Namespace) -> Iterator[str]:
    for p, count in ((60, 300), (150, 600), (150, 100), (150, 30), (300, 40), (300, 20)):
        for name in ("independent", "ar", "heavy"):
            for min_effect in (0.0, 0.02):
                found = [_observed(p, count, SCENARIOS[name], min_effect, seed) for seed in range(arguments.repeats)]
                false, power, ratio, kinds = zip(*found)
                yield (
                    f"p {p}, {count * 40:,} tokens, {SCENARIOS[name].title}, effective tokens per predictor {np.mean(ratio):.1f}, "
                    f"{'/'.join(sorted(set(kinds)))}, min_effect {min_effect}: FDR {np.mean(false):.3f} "
                    f"+- {np.std(false) / np.sqrt(len(false)):.3f}, power {np.mean(power):.2f}"
                )


def _network(p: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers ``(p,)``, planted coefficients ``(p, p)``, and a root of the covariance."""
    random = np.random.default_rng([seed, 7])
    layers = np.repeat([0, 1, 2], p // 3)
    B = np.zeros((p, p))
    for target in range(p // 3, p):
        earlier = np.flatnonzero(layers < layers[target])
        chosen = random.choice(earlier, random.integers(0, 7), replace=False)
        B[target, chosen] = random.uniform(0.15, 0.4, len(chosen)) * random.choice([-1, 1], len(chosen))
    return layers, B, np.linalg.inv(np.eye(p) - B)


def _observed(p: int, count: int, scenario: Scenario, min_effect: float, seed: int) -> tuple[float, float, float, str]:
    """False and true share of what is drawn, effective tokens per predictor of the last layer, and its estimate."""
    layers, B, root = _network(p, seed)
    tokens = documents(Truth(B != 0, root), scenario, count, seed)
    blocks, R = dealt_out(tokens), autocorrelation(tokens)
    n = effective_n(R, blocks.n_tokens).median
    alpha = float(np.sqrt(np.log(p) / n))
    section = FitSection(alpha=(alpha,), min_effect=min_effect)
    problem = Regressions.of(blocks.correlation(), layers)
    best = regress(problem, alpha)
    tests, alphas = tested_layers(problem, best, section, blocks, R, n)
    kept = filter_edges(tests, best.values > 0, FDR).mask
    true = B[best.targets, best.sources] != 0
    false = float((kept & ~true).sum() / max(kept.sum(), 1))
    kind = "least squares" if alphas[-1] is None else "debiased lasso"
    return false, float((kept & true).sum() / (B != 0).sum()), n / problem.steps[-1].start, kind


# -- other documents ----------------------------------------------------------------------------------


def _held_out(arguments: argparse.Namespace) -> Iterator[str]:
    stats = ActivationStats.load(arguments.statistics)
    neurons = check_layers(stats, FitSection(order="layers"))
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, neurons)
    filled = blocks.filled.tolist()
    explained: dict[str, list[float]] = {}
    coefficients: dict[float, list[float]] = {}
    for train, test in ((filled[::2], filled[1::2]), (filled[1::2], filled[::2])):
        half = Regressions.of(blocks.correlation(train), stats.layers[neurons])
        second = blocks.held_out(train, test)
        step, point = half.steps[-1], None
        k, variance = step.start, float(second.diagonal()[step.targets].sum())
        R, r = half.correlation[:k, :k], half.between(step)

        def share(b: np.ndarray, k: int = k, second: np.ndarray = second, variance: float = variance) -> float:
            return (2 * float((b * second[k:, :k]).sum()) - float((b * (b @ second[:k, :k])).sum())) / variance

        for alpha in LASSO:
            point = regress(half, alpha, point)
            b = point.coefficients(step).toarray()
            coefficients.setdefault(alpha, []).append(point.n_edges / (step.stop - k))
            explained.setdefault(f"lasso, alpha {alpha}", []).append(share(b))
        for penalty in RIDGE:
            b = np.linalg.solve(R + penalty * np.eye(k), r.T).T
            explained.setdefault(f"ridge, penalty {penalty}", []).append(share(b))
    yield f"{stats.n_tokens:,} tokens, {stats.n_effective:,.0f} effective, {len(neurons):,} neurons"
    for name, shares in explained.items():
        yield f"{name}: R2 on the other half {np.mean(shares):.3f}"
    for alpha, each in coefficients.items():
        yield f"lasso, alpha {alpha}: {np.mean(each):.1f} coefficients per target"


if __name__ == "__main__":
    main()
