"""Whether the errors of scores and paths fit: the same numbers from two halves of the documents.

    python benchmarks/structure.py halves OUT/collect/CORPUS.npz OUT/fit/CORPUS.npz
    python benchmarks/structure.py paths OUT/influence/ONE.npz OUT/influence/OTHER.npz [--count 300]

*halves*: the scores of `structure` on the even and on the odd blocks of documents, with the edges of the fit. z is the difference over
the root of the sum of both squared errors: its standard deviation is 1 if the errors are right. Beyond: share of |z| above the 5 %
quantile of Student's t with one degree of freedom less than a half has blocks.

*paths*: the strongest paths of ONE, an influence on some documents, and the same paths in OTHER, on others, both with
`influence.keep: all`. z as above, by the errors of products with independent factors. The strongest are chosen on ONE and are
therefore too large there, so half of them are chosen on each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import t

from glasso_cli.artifacts import ActivationStats, Influence, PrecisionPath
from glasso_cli.artifacts.metrics import to_json
from glasso_cli.config import FitSection
from glasso_cli.scoring.pathways.best_paths import best_paths, product_error
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.structure.scores import structure_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    halves = parts.add_parser("halves")
    halves.add_argument("statistics", type=Path)
    halves.add_argument("fit", type=Path)
    paths = parts.add_parser("paths")
    paths.add_argument("one", type=Path)
    paths.add_argument("other", type=Path)
    paths.add_argument("--count", type=int, default=300)
    arguments = parser.parse_args()
    for row in (_halves if arguments.part == "halves" else _paths)(arguments):
        print(row, flush=True)


def _halves(arguments: argparse.Namespace) -> Iterator[str]:
    stats, fit = ActivationStats.load(arguments.statistics), PrecisionPath.load(arguments.fit)
    yield "| score | neurons | sd of z | beyond | r of both halves | communities | sd of z |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    found = [structure_scores(_half(stats, start), fit, FitSection(), subsets=0) for start in (0, 1)]
    bar = float(t.ppf(0.975, (np.count_nonzero(stats.counts) + 1) // 2 - 1))
    for one, other in zip(found[0].scores, found[1].scores, strict=True):
        z = _z(one.values, other.values, one.errors, other.errors)
        of_communities = _z(one.communities, other.communities, one.community_errors, other.community_errors)
        beyond = np.mean(np.abs(z) > bar)
        r = np.corrcoef(one.values, other.values)[0, 1]
        yield (
            f"| `{one.name}` | {len(z)} | {z.std():.2f} | {beyond:.1%} | {r:.3f} | {len(of_communities)} | {of_communities.std():.2f} |"
        )


def _half(stats: ActivationStats, start: int) -> ActivationStats:
    """Every second block of documents."""
    worth = stats.metrics.n_effective
    metrics = replace(stats.metrics, n_effective=replace(worth, median=worth.median / 2))
    arrays = {name: getattr(stats, name)[start::2] for name in ("counts", "documents", "sums", "moments")}
    return replace(stats, meta={**stats.meta, "metrics": to_json(metrics)}, **arrays)


def _z(one: np.ndarray, other: np.ndarray, error: np.ndarray, error_too: np.ndarray) -> np.ndarray:
    size = np.hypot(error, error_too)
    return np.asarray((one - other)[size > 0] / size[size > 0])


def _paths(arguments: argparse.Namespace) -> Iterator[str]:
    influences = [Influence.load(path) for path in (arguments.one, arguments.other)]
    tables = [_by_pair(influence) for influence in influences]
    z, first, second = [], [], []
    for here, there in ((0, 1), (1, 0)):
        graph = LayeredGraph.of_influence(influences[here])
        layers = np.unique(graph.layers)
        ends = (graph.layers == layers[-1]).astype(float)
        for path in best_paths(graph, arguments.count // 2, graph.layers == layers[0], ends):
            ids = graph.neuron_ids[list(path.neurons)].tolist()
            other, error = _path(tables[there], ids)
            first.append(path.effect)
            second.append(other)
            z.append((path.effect - other) / np.hypot(path.error, error))
    bar = float(t.ppf(0.975, np.count_nonzero(influences[0].counts) - 1))
    yield f"{len(z)} paths: sd of z {np.std(z):.2f}, mean {np.mean(z):.2f}, {np.mean(np.abs(z) > bar):.1%} beyond"
    yield f"r of both halves {np.corrcoef(first, second)[0, 1]:.3f}, same sign {np.mean(np.sign(first) == np.sign(second)):.1%}"


def _by_pair(influence: Influence) -> dict[tuple[str, str], tuple[float, float]]:
    ends = (influence.neuron_ids[side].tolist() for side in (influence.sources, influence.targets))
    return dict(zip(zip(*ends), zip(influence.mean.tolist(), influence.error.tolist())))


def _path(table: dict[tuple[str, str], tuple[float, float]], ids: list[str]) -> tuple[float, float]:
    weights, errors = np.array([table[pair] for pair in pairwise(ids)]).T
    return float(weights.prod()), product_error(weights, errors)


if __name__ == "__main__":
    main()
