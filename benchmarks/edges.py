"""Edges of real neurons: do they replicate, do they predict, what do they cost? All 2,048 of layer 9, Gemma 3 270M.

    python benchmarks/edges.py --texts FILE.jsonl [--column text] [--tokens 100000] [--degrees 5 20]

The texts are collected with `glasso collect` (circular-shift null, both transforms); documents of even blocks are one half
and those of odd blocks the other. Of a graph of every degree, fitted to one half:

- replicated: the share of its edges (q <= 0.05 in the half) that have the same sign and q <= 0.05 in the other half;
- refitted: held-out log-likelihood per token and neuron, in nats, of the other half under the precision that is free on
  the graph and zero elsewhere, fitted to this half; the same for the pairs of largest correlation and for those of largest
  partial correlation after ridge shrinkage, as many as the graph has;
- null: edges by the same rules among neurons shifted against each other.

Then the time of the tests of all pairs, in CI (a Cholesky factorisation with inverse), of StARS with 20 half-samples and of
a bootstrap of 100 at one alpha. Writes edges.csv to ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
import numpy as np
import yaml
from scipy.linalg import lapack

from glasso_cli.artifacts import ActivationStats
from glasso_cli.config import FitSection
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from glasso_cli.fitting.sample_fits import Sample, SampleProblem, fit_samples
from glasso_cli.fitting.tested_edges import tested_point
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import EdgeTests, edge_tests
from glasso_cli.inference.estimates import inverse_estimate, lasso_estimate
from glasso_cli.inference.resampling import half_samples
from glasso_cli.pipeline.run import Pipeline
from glasso_cli.solvers import solve
from glasso_cli.solvers.degree import fit_degree
from glasso_cli.solvers.path import PathPoint, fit_from

TRANSFORMS = ("none", "normal_scores")
FDR = 0.05
SOLVING = {"tol": 1e-6}
Row = dict[str, Any]


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    with open(arguments.out / "edges.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["transform", "degree", "measure", "value", "unit"])
        writer.writeheader()
        for row in _rows(arguments):
            writer.writerow(row)
            file.flush()
            print(
                f"{row['transform']:<14} degree {row['degree']:<5} {row['measure']:<44} {row['value']:>12} {row['unit']}"
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, required=True, help="a .jsonl file with a text in each line")
    parser.add_argument("--column", default="text")
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--degrees", type=float, nargs="+", default=[5.0, 20.0])
    parser.add_argument("--transforms", nargs="+", choices=TRANSFORMS, default=list(TRANSFORMS))
    parser.add_argument("--parts", nargs="+", choices=["halves", "times"], default=["halves", "times"])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def _rows(arguments: argparse.Namespace) -> Iterator[Row]:
    for transform in arguments.transforms:
        path = _collected(arguments, transform)
        stats = ActivationStats.load(path)
        yield _row(transform, 0, "tokens", stats.n_tokens)
        yield _row(transform, 0, "independent tokens, median", round(stats.n_effective))
        if "halves" in arguments.parts:
            for degree in arguments.degrees:
                yield from _halves(stats, transform, degree)
        if "times" in arguments.parts and transform == arguments.transforms[0]:
            yield from _times(path, stats, transform, arguments)


def _row(transform: str, degree: float, measure: str, value: float, unit: str = "") -> Row:
    return {"transform": transform, "degree": degree, "measure": measure, "value": value, "unit": unit}


def _collected(arguments: argparse.Namespace, transform: str) -> Path:
    folder: Path = arguments.out / f"edges-{transform}"
    file = arguments.out / f"edges-{transform}.yaml"
    corpus = {"files": [str(arguments.texts.resolve())], "text": arguments.column}
    collect = {"hook_points": ["mlp.9"], "max_tokens": arguments.tokens, "transform": transform, "null": True}
    config = {"out": str(folder.resolve()), "model": {"id": "builtin:gemma-3-270m"}, "corpora": {"texts": corpus}}
    file.write_text(yaml.safe_dump(config | {"collect": collect}), encoding="utf-8")
    loaded = load_config(file, ())
    Pipeline(loaded, Console(), str(file)).run(["collect"])
    return folder / "collect" / "texts.npz"


# -- halves -----------------------------------------------------------------------------------------


def _halves(stats: ActivationStats, transform: str, degree: float) -> Iterator[Row]:
    neurons = stats.usable()
    first, second = (_part(stats, neurons, start) for start in (0, 1))
    S = first.correlation()
    points = fit_degree(S, degree, tol=1e-6)
    point = min(points, key=lambda found: abs(found.mean_degree - degree))
    other = fit_from(second.correlation(), point.alpha, point.precision(), tol=1e-6)
    tests, again = _tests(stats, first, point), _tests(stats, second, point)
    believed = tests.q <= FDR
    same = np.sign(tests.z) == np.sign(again.z)
    yield _row(transform, degree, "alpha", round(point.alpha, 5))
    yield _row(transform, degree, "edges in one half", point.n_edges)
    yield _row(transform, degree, "of them with q <= 0.05", int(believed.sum()))
    yield _row(transform, degree, "variance inflation", round(tests.inflation, 3))
    yield _row(
        transform, degree, "replicated, same sign and q <= 0.05", _share(believed & same & (again.q <= FDR), believed)
    )
    in_other = np.isin(point.rows * len(S) + point.cols, other.rows * len(S) + other.cols)
    yield _row(
        transform,
        degree,
        "replicated, same sign and an edge at this alpha",
        _share(believed & same & in_other, believed),
    )
    r = np.corrcoef(tests.partial_correlation, again.partial_correlation)[0, 1]
    yield _row(transform, degree, "correlation of partial correlations", round(float(r), 3))
    apart = (tests.partial_correlation - again.partial_correlation) / np.hypot(
        tests.standard_error, again.standard_error
    )
    covered = float((np.abs(apart) <= 1.96).mean())
    yield _row(transform, degree, "differences within their 95 % error bars", round(covered, 4))
    yield from _likelihoods(S, _held_out(stats, neurons), point, transform, degree)
    whole = _part(stats, neurons, 0, 1)
    null = tested_point(point, whole.correlation(), stats, whole, FitSection(alpha=(point.alpha,))).null
    assert null is not None
    yield _row(transform, degree, "null: edges at this alpha", null.at_alpha)
    yield _row(transform, degree, "null: pairs of all with q <= 0.05", null.discoveries)


def _part(stats: ActivationStats, neurons: np.ndarray, start: int, step: int = 2) -> Blocks:
    """Every second block."""
    return Blocks.of(stats.counts[start::step], stats.sums[start::step], stats.moments[start::step], neurons)


def _held_out(stats: ActivationStats, neurons: np.ndarray) -> np.ndarray:
    every = np.arange(len(stats.counts))
    return Blocks.of(stats.counts, stats.sums, stats.moments, neurons).held_out(every[::2], every[1::2])


def _tests(stats: ActivationStats, blocks: Blocks, point: PathPoint) -> EdgeTests:
    S = blocks.correlation()
    return edge_tests(inverse_estimate(S), S, blocks, stats.autocorrelation[blocks.neurons], point.rows, point.cols)


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return round(float(part.sum() / max(1, whole.sum())), 4)


def _likelihoods(S: np.ndarray, new: np.ndarray, point: PathPoint, transform: str, degree: float) -> Iterator[Row]:
    """Held-out log-likelihood under the precision that is free on a graph, for three graphs of one size."""
    p = len(S)
    ridge = np.linalg.inv(S + 0.1 * np.eye(p))
    scale = np.sqrt(ridge.diagonal())
    graphs = {
        "graphical lasso": (point.rows, point.cols),
        "largest correlations": _largest(np.abs(S), point.n_edges),
        "largest ridge partial correlations": _largest(np.abs(ridge / np.outer(scale, scale)), point.n_edges),
    }
    for name, (rows, cols) in graphs.items():
        weights = np.full((p, p), np.inf)
        weights[rows, cols] = weights[cols, rows] = 1e-3
        np.fill_diagonal(weights, 0.0)
        theta = solve(S, weights, tol=1e-6).precision
        value = (np.linalg.slogdet(theta)[1] - np.vdot(new, theta)) / p
        yield _row(transform, degree, f"refitted: {name}", round(float(value), 4), "nats")


def _largest(size: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.triu_indices(len(size), 1)
    chosen = np.argpartition(-size[rows, cols], count)[:count]
    return rows[chosen], cols[chosen]


# -- times ------------------------------------------------------------------------------------------


def _times(path: Path, stats: ActivationStats, transform: str, arguments: argparse.Namespace) -> Iterator[Row]:
    neurons = stats.usable()
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, neurons)
    S, R = blocks.correlation(), stats.autocorrelation[neurons]
    ci = _seconds(lambda: lapack.dpotri(lapack.dpotrf(S + np.eye(len(S)))[0]))
    yield _row(transform, 0, "CI", round(ci, 3), "s")
    for degree in arguments.degrees:
        points = fit_degree(S, degree, tol=1e-6)
        point = min(points, key=lambda found: abs(found.mean_degree - degree))
        estimates = {"inverse": lambda: inverse_estimate(S), "lasso": lambda: lasso_estimate(point.precision(), S)}  # noqa: B023
        for kind, variance in itertools.product(estimates, ("pooled", "jackknife")):
            spent = _seconds(
                lambda: edge_tests(estimates[kind](), S, blocks, R, point.rows, point.cols, variance=variance)  # noqa: B023
            )
            yield _row(
                transform,
                degree,
                f"tests of all pairs, {kind}, {variance}",
                round(spent, 2),
                f"s = {spent / ci:.1f} CI",
            )
        study = SampleProblem(path, neurons, None, SOLVING, point.precision())
        samples = [Sample(drawn, (point.alpha,)) for drawn in _bootstrap_samples(blocks.filled, 100)]
        spent = _fits(study, samples, arguments, f"bootstrap-{transform}-{degree:g}")
        yield _row(transform, degree, "bootstrap of 100 at this alpha", round(spent, 1), "s")
        alphas = tuple(np.geomspace(0.5, point.alpha, 10).tolist())
        halves = [Sample(half, alphas) for half in half_samples(blocks.filled, 20, 0)]
        spent = _fits(SampleProblem(path, neurons, None, SOLVING), halves, arguments, f"stars-{degree:g}")
        yield _row(transform, degree, "20 half-samples, ten alphas from 0.5 (StARS)", round(spent, 1), "s")


def _bootstrap_samples(blocks: np.ndarray, count: int) -> list[tuple[int, ...]]:
    """``count`` samples of as many blocks as there are, drawn with replacement."""
    random = np.random.default_rng([0, 0xB007])
    return [tuple(sorted(random.choice(blocks, len(blocks)).tolist())) for _ in range(count)]


def _seconds(call: Callable[[], object]) -> float:
    call()
    spent = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return sorted(spent)[1]


def _fits(study: SampleProblem, samples: list[Sample], arguments: argparse.Namespace, name: str) -> float:
    folder = arguments.out / "samples" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.npz"):
        file.unlink()
    start = time.perf_counter()
    fit_samples(study, samples, folder, name, arguments.workers, lambda _: None)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
