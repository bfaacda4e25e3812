"""Whether the errors of scores and paths fit: the same numbers from two halves of the documents.

    python benchmarks/structure.py halves OUT/collect/CORPUS.npz OUT/fit/CORPUS.npz
    python benchmarks/structure.py paths OUT ONE OTHER [--count 300] [--scalar]
    python benchmarks/structure.py slopes OUT CORPUS

*halves*: the scores of `structure` on the even and on the odd blocks of documents, with the edges of the fit. z is the difference over
the root of the sum of both squared errors: its standard deviation is 1 if the errors are right. Beyond: share of |z| above the 5 %
quantile of Student's t with one degree of freedom less than a half has blocks.

*paths*: the strongest paths of the corpus ONE, and the same paths in OTHER, which has other documents; a path with a pair that is no
edge in OTHER is left out, so that `influence.fdr` should be near 1. Half of the paths are chosen on each corpus. z as above: where both
corpora are in the standard deviations of ONE, and in the standard deviations of each; with factors taken as independent, and by the
block jackknife of the product.

*slopes*: what passes later layers of the graph on the way to the scalar, measured (whole slope less direct slope) and predicted by the sum
of the products of all paths, over the neurons of each layer; with all pairs (`influence.keep: all`) and with edges alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import t

from glasso_cli.artifacts import ActivationStats, Influence, PrecisionPath, Scores
from glasso_cli.artifacts.metrics import to_json
from glasso_cli.config import FitSection
from glasso_cli.scoring.pathways.best_paths import Path as Path_
from glasso_cli.scoring.pathways.best_paths import best_paths
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.errors import path_errors
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.total_effects import effects_on
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
    paths.add_argument("--scalar", action="store_true", help="paths that end in the scalar of score")
    slopes = parts.add_parser("slopes")
    slopes.add_argument("one", type=Path, help="folder of an experiment, OUT")
    slopes.add_argument("corpus")
    arguments = parser.parse_args()
    for row in {"halves": _halves, "paths": _paths, "slopes": _slopes}[arguments.part](arguments):
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
    sides = [_Side.of(arguments.one, corpus, arguments.scalar) for corpus in arguments.corpora]
    z: dict[str, list[float]] = {}
    effects: list[tuple[float, float]] = []
    for one, other in (sides, sides[::-1]):
        starts = one.graph.layers == one.graph.layers.min()
        for path in best_paths(one.graph, arguments.count // 2, starts, one.end.slopes):
            there = other.path(one.graph.neuron_ids[list(path.neurons)].tolist())
            if there is None:
                continue
            effects.append((path.effect, there.effect))
            ratio = np.exp(other.log_unit(there) - one.log_unit(path))
            for name in one.errors(path):
                error, error_too, scale = one.errors(path)[name], other.errors(there)[name], 1.0
                if name.startswith("units of ONE"):
                    error_too, scale = error_too / ratio, ratio
                z.setdefault(name, []).append((path.effect - there.effect / scale) / np.hypot(error, error_too))
    bar = float(t.ppf(0.975, np.count_nonzero(sides[0].influence.counts) - 1))
    for name, values in z.items():
        yield f"{name}: {len(values)} paths, sd of z {np.std(values):.2f}, {np.mean(np.abs(values) > bar):.1%} beyond"
    first, second = np.array(effects).T
    yield f"r of both {np.corrcoef(first, second)[0, 1]:.3f}, same sign {np.mean(np.sign(first) == np.sign(second)):.1%}"


@dataclass(frozen=True, eq=False)
class _Side:
    """One corpus: its influence, the graph of its edges, their end, and its units."""

    influence: Influence
    graph: LayeredGraph
    end: End
    units: Units
    place: dict[str, int]
    edge: dict[tuple[int, int], int]

    @classmethod
    def of(cls, folder: Path, corpus: str, scalar: bool) -> _Side:
        influence = Influence.load(folder / "influence" / f"{corpus}.npz")
        stats = ActivationStats.load(folder / "collect" / f"{corpus}.npz")
        graph = LayeredGraph.of_influence(influence)
        if scalar:
            end = End.of_scalar(Scores.load(folder / "score" / f"{corpus}.npz"), graph, influence.std)
        else:
            end = End.of_neurons(graph.layers == graph.layers.max(), len(influence.counts))
        place = {name: number for number, name in enumerate(influence.neuron_ids.tolist())}
        edge = dict(zip(zip(graph.sources.tolist(), graph.targets.tolist()), range(len(graph.weights))))
        units = Units.of(stats, influence.neurons.astype(np.int64))
        return cls(influence, graph, end, units, place, edge)

    def path(self, ids: list[str]) -> Path_ | None:
        """The path through these neurons; None where one of its pairs is no edge."""
        neurons = tuple(self.place[name] for name in ids)
        edges = tuple(self.edge.get(pair, -1) for pair in pairwise(neurons))
        if -1 in edges:
            return None
        return Path_(neurons, edges, float(self.graph.weights[list(edges)].prod() * self.end.slopes[neurons[-1]]))

    def errors(self, path: Path_) -> dict[str, float]:
        """The errors of a path: of the product in fixed units, and with those of the units; independent and by the jackknife."""
        apart = replace(self.graph, deviations=None)
        ways = {
            "units of ONE, independent factors": (apart, None),
            "units of ONE, jackknife": (self.graph, None),
            "own units, error of the product alone": (self.graph, None),
            "own units, independent factors and units": (apart, self.units),
            "own units, jackknife of all": (self.graph, self.units),
        }
        return {name: float(path_errors(graph, [path], self.end, units)[0]) for name, (graph, units) in ways.items()}

    def log_unit(self, path: Path_) -> float:
        """Logarithm of the unit of a path: standard deviation of the first over that of the last, if it ends in a neuron."""
        last = 0.0 if self.end.is_scalar else self.units.whole[path.neurons[-1]]
        return float(self.units.whole[path.neurons[0]] - last)


def _slopes(arguments: argparse.Namespace) -> Iterator[str]:
    influence = Influence.load(arguments.one / "influence" / f"{arguments.corpus}.npz")
    scores = Scores.load(arguments.one / "score" / f"{arguments.corpus}.npz")
    yield "| layer | pairs | r with direct | r with direct and paths | r of the rest and paths | same sign | slope | sd measured | sd predicted |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    everything = np.ones(len(influence.edge), bool)
    for part in (replace(influence, edge=everything, block_deviations=None), influence):
        graph = LayeredGraph.of_influence(part)
        end = End.of_scalar(scores, graph, influence.std)
        assert end.whole is not None
        signed = (end.whole.values, end.slopes, effects_on(graph, end.slopes).total)
        whole, direct, predicted = (values * influence.orientation for values in signed)
        for layer in np.unique(graph.layers)[:-1].tolist():
            own = graph.layers == layer
            rest, paths = (whole - direct)[own], predicted[own]
            with_direct, with_both = (
                np.corrcoef(whole[own], values[own])[0, 1] for values in (direct, direct + predicted)
            )
            yield (
                f"| {layer} | {len(graph.weights):,} | {with_direct:.2f} | {with_both:.2f} | {np.corrcoef(rest, paths)[0, 1]:.2f} | "
                f"{np.mean(np.sign(rest) == np.sign(paths)):.0%} | {rest @ paths / (paths @ paths):.2f} | {rest.std():.4f} | "
                f"{paths.std():.4f} |"
            )


if __name__ == "__main__":
    main()
