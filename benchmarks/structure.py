"""Whether the errors of scores and paths fit: the same numbers from two halves of the documents.

    python benchmarks/structure.py halves OUT/collect/CORPUS.npz OUT/fit/CORPUS.npz
    python benchmarks/structure.py paths OUT ONE OTHER [--count 300]

*halves*: the scores of `structure` on the even and on the odd blocks of documents, with the edges of the fit. z is the difference over
the root of the sum of both squared errors: its standard deviation is 1 if the errors are right. Beyond: share of |z| above the 5 %
quantile of Student's t with one degree of freedom less than a half has blocks.

*paths*: the strongest paths of the corpus ONE, and the same paths in OTHER, which has other documents, both with `influence.keep: all`.
Half of the paths are chosen on each corpus. z as above: with the errors of edges alone, where both corpora are in the standard
deviations of ONE, and in the standard deviations of each corpus, with the errors of edges alone and with those of the units too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import t

from glasso_cli.artifacts import ActivationStats, Influence, PrecisionPath
from glasso_cli.artifacts.metrics import to_json
from glasso_cli.config import FitSection
from glasso_cli.scoring.pathways.best_paths import best_paths, product_error
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.units import Units
from glasso_cli.scoring.structure.scores import structure_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    halves = parts.add_parser("halves")
    halves.add_argument("statistics", type=Path)
    halves.add_argument("fit", type=Path)
    paths = parts.add_parser("paths")
    paths.add_argument("one", type=Path, help="folder of an experiment, OUT")
    paths.add_argument("corpora", nargs=2)
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
    sides = [_Side.of(arguments.one, corpus) for corpus in arguments.corpora]
    z: dict[str, list[float]] = {"units of ONE": [], "own units, errors of edges": [], "own units, all errors": []}
    effects: list[tuple[float, float]] = []
    for one, other in (sides, sides[::-1]):
        graph = one.graph
        layers = np.unique(graph.layers)
        for path in best_paths(
            graph, arguments.count // 2, graph.layers == layers[0], 1.0 * (graph.layers == layers[-1])
        ):
            ids = graph.neuron_ids[list(path.neurons)].tolist()
            (here, error, units), (there, error_too, units_too) = (side.effect(ids) for side in (one, other))
            ratio = np.exp(other.log_std(ids) - one.log_std(ids))  # of units
            effects.append((here, there))
            z["units of ONE"].append((here - there / ratio) / np.hypot(error, error_too / ratio))
            z["own units, errors of edges"].append((here - there) / np.hypot(error, error_too))
            every = np.sqrt(error**2 + error_too**2 + (here * units) ** 2 + (there * units_too) ** 2)
            z["own units, all errors"].append((here - there) / every)
    bar = float(t.ppf(0.975, np.count_nonzero(sides[0].influence.counts) - 1))
    for name, values in z.items():
        yield f"{name}: {len(values)} paths, sd of z {np.std(values):.2f}, {np.mean(np.abs(values) > bar):.1%} beyond"
    first, second = np.array(effects).T
    yield f"r of both {np.corrcoef(first, second)[0, 1]:.3f}, same sign {np.mean(np.sign(first) == np.sign(second)):.1%}"


@dataclass(frozen=True, eq=False)
class _Side:
    """One corpus: its influence, the table of all pairs, and its units."""

    influence: Influence
    graph: LayeredGraph
    table: dict[tuple[str, str], tuple[float, float]]
    units: Units
    place: dict[str, int]

    @classmethod
    def of(cls, folder: Path, corpus: str) -> _Side:
        influence = Influence.load(folder / "influence" / f"{corpus}.npz")
        stats = ActivationStats.load(folder / "collect" / f"{corpus}.npz")
        ends = (influence.neuron_ids[side].tolist() for side in (influence.sources, influence.targets))
        table = dict(zip(zip(*ends), zip(influence.mean.tolist(), influence.error.tolist())))
        place = {name: number for number, name in enumerate(influence.neuron_ids.tolist())}
        units = Units.of(stats, influence.neurons.astype(np.int64))
        return cls(influence, LayeredGraph.of_influence(influence), table, units, place)

    def effect(self, ids: list[str]) -> tuple[float, float, float]:
        """The effect of a path, its error by the edges, and the relative error of its units."""
        weights, errors = np.array([self.table[pair] for pair in pairwise(ids)]).T
        ends = (np.array([self.place[ids[end]]]) for end in (0, -1))
        return float(weights.prod()), product_error(weights, errors), float(self.units.relative_error(*ends)[0])

    def log_std(self, ids: list[str]) -> float:
        """Logarithm of the unit of a path: standard deviation of the first over that of the last."""
        return float(self.units.whole[self.place[ids[0]]] - self.units.whole[self.place[ids[-1]]])


if __name__ == "__main__":
    main()
