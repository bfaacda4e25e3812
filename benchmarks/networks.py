"""The graph of one layer of every network of configs/, beside two graphs that owe nothing to training.

    python benchmarks/networks.py [--networks gemma-3-270m minilm …] [--out FOLDER]

Each network reads one corpus with `glasso collect` and `glasso fit`, once with shifted neurons as the null
(`collect.null: true`), and once with the same architecture and fresh weights (`reinitialised`). Alpha is that with a mean of
five edges per neuron of the trained network, for all networks alike; the nulls are fitted at this alpha and their edges tested
by the same rules. Writes networks.md, the table of docs/networks.md, and networks.csv to ``--out``; what is finished there is
not computed again. One network takes one to five minutes of one core. mamba and moe need the models that
`benchmarks/train_language_model.py` trains.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import machine
import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.metrics import FitMetrics
from glasso_cli.config.load import load_config
from glasso_cli.console import Console
from glasso_cli.inference.blocks import Blocks, blocks_of_variation
from glasso_cli.pipeline.run import Pipeline
from glasso_cli.report.words.labels import percent

CONFIGS = Path(__file__).parents[1] / "configs"
ALPHA = ("fit.alpha={from: 0.5, to: 0.2, num: 5}", "fit.select={rule: degree, target: 5}")


@dataclass(frozen=True)
class Network:
    """A configuration, the one of its corpora that is read, and what else differs from the file."""

    config: str
    corpus: str
    settings: tuple[str, ...] = ()


NETWORKS = {
    "gemma-3-270m": Network("demo", "climate"),
    "smollm2-135m": Network(
        "demo", "climate", ("model.id=builtin:smollm2-135m-instruct", "collect.hook_points=[mlp.15]")
    ),
    "minilm": Network("minilm", "climate"),
    "efficientnet-lite0": Network("cnn", "low"),
    "g2p-en": Network("rnn", "climate"),
    "resemblyzer": Network("lstm", "low"),
    "mamba": Network("mamba", "climate"),
    "moe": Network("moe", "climate"),
}


@dataclass(frozen=True)
class Row:
    """One graph of a network; None where there is nothing to measure it from. Edges drawn pass the tests of `fit`."""

    network: str
    hook_point: str
    documents: int
    units: int
    alpha: float
    graph: str  # trained, shifted or fresh
    effective: float  # samples, for the median pair of units
    at_alpha: int
    drawn: int
    shared: float | None  # share of the edges at alpha of one half of the documents that the other half has
    halves: float | None  # correlation of the correlations of all pairs in one half with those in the other


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()), flush=True)
    rows: list[Row] = []
    for name in arguments.networks:
        rows += measured(name, NETWORKS[name], arguments.out)
        print("\n".join(map(line, rows[-3:])), flush=True)
        write(rows, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def measured(name: str, network: Network, out: Path) -> list[Row]:
    """The rows of one network, from the artifacts of two runs in ``out``."""
    shifted, _ = made(network, out / name / "shifted", "true")
    fresh, stats = made(network, out / name / "fresh", "reinitialised")
    return rows_of(name, shifted, fresh, stats)


def made(network: Network, out: Path, null: str) -> tuple[FitMetrics, ActivationStats]:
    """What `fit` measured for a network with one null, and its statistics; finished artifacts are taken as they are."""
    file = CONFIGS / f"{network.config}.yaml"
    settings = (*ALPHA, "collect.contexts=false", "fit.workers=1", f"collect.null={null}", f"out={out.resolve()}")
    config = load_config(file, (*settings, *network.settings))
    config = config.model_copy(update={"corpora": {network.corpus: config.corpora[network.corpus]}})
    Pipeline(config, Console(quiet=True), str(file)).run(["synth", "collect", "fit"])
    name = f"{network.corpus}.npz"
    return PrecisionPath.load(out / "fit" / name).metrics, ActivationStats.load(out / "collect" / name)


def rows_of(name: str, shifted: FitMetrics, fresh: FitMetrics, stats: ActivationStats) -> list[Row]:
    """Three graphs from two fits of the same trained network; ``stats`` hold the network with fresh weights too."""
    collect, untrained, unmoved = fresh.collect, fresh.fresh_network, stats.fresh_network()
    if shifted.null is None or untrained is None or unmoved is None or collect.fresh_network is None:
        raise ValueError(f"the fits of {name} lack a null")

    def row(graph: str, effective: float, at_alpha: int, drawn: int, shared: float | None, halves: float | None) -> Row:
        points = ", ".join(point.label for point in collect.hook_points)
        documents, units = collect.documents.read, fresh.neurons
        return Row(name, points, documents, units, fresh.alpha, graph, effective, at_alpha, drawn, shared, halves)

    effective = collect.n_effective.median
    return [
        row("trained", effective, fresh.edges_at_alpha, fresh.edges, untrained.replication_trained, agreement(stats)),
        row("shifted", effective, shifted.null.at_alpha, shifted.null.drawn, None, None),
        row(
            "fresh",
            collect.fresh_network.median,
            untrained.at_alpha,
            untrained.drawn,
            untrained.replication,
            agreement(unmoved),
        ),
    ]


def agreement(stats: ActivationStats) -> float:
    """The correlation, over all pairs of units, of their correlations in the even and in the odd blocks of documents.

    1 where both halves give the same correlations, 0 where they are noise. It depends on no alpha.
    """
    varying = np.flatnonzero(blocks_of_variation(stats.counts, stats.sums, stats.moments) > 1)
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, np.intersect1d(varying, stats.usable()))
    halves = [blocks.correlation(blocks.filled[start::2]) for start in (0, 1)]
    pairs = np.triu_indices(len(halves[0]), 1)
    known = np.isfinite(halves[0][pairs]) & np.isfinite(halves[1][pairs])
    return float(np.corrcoef(halves[0][pairs][known], halves[1][pairs][known])[0, 1])


HEAD = (
    *(
        "network",
        "hook point",
        "documents",
        "units",
        "alpha",
        "graph of",
        "effective samples",
        "edges at alpha",
        "drawn",
    ),
    *("drawn per unit", "edges shared by the halves", "correlation of the halves"),
)
NAMES = {"trained": "trained weights", "shifted": "shifted units", "fresh": "fresh weights"}


def line(row: Row) -> str:
    """A row of the table in the documentation; a network is named in the first of its three."""
    first = row.graph == "trained"
    about = (row.network, f"`{row.hook_point}`", f"{row.documents:,}", f"{row.units:,}", f"{row.alpha:.3f}")
    few = row.effective < row.units
    cells = (
        *(about if first else [""] * len(about)),
        NAMES[row.graph],
        f"{row.effective:,.0f}",
        f"{row.at_alpha:,}",
        f"({row.drawn:,})" if few else f"{row.drawn:,}",
        f"{row.drawn / row.units:.2f}",
        "–" if row.shared is None else percent(row.shared),
        "–" if row.halves is None else f"{row.halves:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def write(rows: list[Row], out: Path) -> None:
    """The table and the numbers."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}", *map(line, rows)]
    (out / "networks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (out / "networks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
