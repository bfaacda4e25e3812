"""How many neurons and communities have a name, and how good the names are on documents that did not make them.

    glasso run configs/demo.yaml --set out=runs/demo
    python benchmarks/names.py runs/demo

    glasso run configs/demo.yaml --set out=runs/smollm2 --set model.id=builtin:smollm2-135m-instruct \\
        --set 'collect.hook_points=[mlp.15]'
    python benchmarks/names.py runs/smollm2

Reads the statistics and the fits of a run; a second argument picks one corpus. A row gives the share of the neurons with a
name and the quartiles of the score, over all neurons (a neuron has the score of its better pole) and over those with a name.
Null: the same after all contexts were exchanged between neurons at random, those of heavier poles among heavier poles. For
communities: the share with a name, and the same for communities of the same sizes whose neurons were drawn at random, mean of
ten draws. Time: words, names and scores of all neurons, on one core if ``OMP_NUM_THREADS`` is 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from machine import described

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.report.names import Material, Name, name_communities, name_neurons, read_material
from glasso_cli.report.names.neurons import NeuronNames

DRAWS = 10
HEAD = (
    *("corpus", "neurons", "named", "null", "AUC of all", "AUC of named", "`after …`"),
    *("communities", "named", "null", "seconds"),
)


@dataclass(frozen=True)
class Row:
    """One corpus."""

    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"| {' | '.join(self.cells)} |"


def rows(run: Path, wanted: str | None, seed: int) -> Iterator[Row]:
    """A row for every corpus of ``run``, or for the wanted one."""
    for path in sorted((run / "collect").glob("*.npz")):
        if wanted in (None, path.stem):
            yield row(path, run / "fit" / path.name, np.random.default_rng(seed))


def row(collected: Path, fitted: Path, rng: np.random.Generator) -> Row:
    """The row of one corpus."""
    stats = oriented(ActivationStats.load(collected))
    start = time.perf_counter()
    material = read_material(stats)
    names = name_neurons(material)
    seconds = time.perf_counter() - start
    named = np.array([bool(text) for text in names.texts])
    null = np.array([bool(text) for text in name_neurons(exchanged(material, rng)).texts])
    best = np.array([max((_known(name) for name in pair), default=0.0) for pair in names.poles])
    communities = _communities(material, fitted, rng) if fitted.exists() else ("–",) * 3
    return Row(
        (
            collected.stem,
            f"{stats.n_neurons:,}",
            _percent(named),
            _percent(null),
            _quartiles(best),
            _quartiles(names.scores[named]),
            _percent(np.array([_is_after(names, n) for n in np.flatnonzero(named).tolist()])),
            *communities,
            f"{seconds:.1f}",
        )
    )


def exchanged(material: Material, rng: np.random.Generator) -> Material:
    """The same contexts, each of another neuron."""
    groups = material.peaks.groups.copy()
    for place in (0, 1):
        mine = np.flatnonzero(groups % 2 == place)
        groups[mine] = rng.permutation(groups[mine])
    return replace(material, peaks=replace(material.peaks, groups=groups))


def _communities(material: Material, fitted: Path, rng: np.random.Generator) -> tuple[str, str, str]:
    fit = PrecisionPath.load(fitted)
    found = _named(name_communities(material, fit.neurons, fit.communities))
    null = [
        _named(name_communities(material, fit.neurons, rng.permutation(fit.communities))).mean()
        for _ in range(DRAWS if len(found) else 0)
    ]
    return f"{len(found):,}", _percent(found), _percent(np.array(null))


def _named(names: list[Name]) -> np.ndarray:
    return np.array([bool(name.words) for name in names])


def _known(name: Name) -> float:
    return 0.0 if np.isnan(name.score) else name.score


def _is_after(names: NeuronNames, neuron: int) -> bool:
    return "after " in names.texts[neuron]


def _percent(shares: np.ndarray) -> str:
    return f"{100 * float(shares.mean()):.1f} %" if len(shares) else "–"


def _quartiles(scores: np.ndarray) -> str:
    if not len(scores):
        return "–"
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    return f"{low:.2f}, {middle:.2f}, {high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of an experiment with collect/ and fit/")
    parser.add_argument("corpus", nargs="?", help="one corpus; all by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, line in described().items():
        print(f"{name}: {line}")
    print(f"\n| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}")
    for each in rows(options.run, options.corpus, options.seed):
        print(each, flush=True)


if __name__ == "__main__":
    main()
