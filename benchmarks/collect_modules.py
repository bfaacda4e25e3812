"""Cost and peak memory of `collect` on a convolutional and a recurrent network, against the bare forward pass.

    python benchmarks/collect_modules.py [--rounds 8] [--repeats 5] [--speed-only]

The networks and documents are those of configs/cnn.yaml (EfficientNet-Lite0) and configs/rnn.yaml (the encoder of
g2p-en). The bare pass runs the whole network on all documents and keeps nothing: in file order in padded batches, and,
for words, once more sorted by length. `collect` does everything that the command does in one corpus, files included.
For the recurrent network, shuffled spellings make ``--rounds`` times as many words, so that what is done once per run
weighs as little as in a real corpus. Both run in this process, in turn; what counts is the ratio of processor times. Every
figure goes to benchmarks/out/collect_modules.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import peak_bytes

OUT = Path(__file__).parent / "out"
CONFIGS = Path(__file__).parent.parent / "configs"
NETWORKS = {"cnn": ("low", 4), "rnn": ("climate", 128)}  # the corpus, and documents in a batch of about 1,000 samples


def main() -> None:
    arguments = _arguments()
    if arguments.memory is not None:
        network, rounds = arguments.memory
        print(json.dumps(_peak_of_one_run(network, int(rounds))))
        return
    rows: list[dict[str, Any]] = []
    for network in NETWORKS:
        rows += _speed(network, arguments.rounds, arguments.repeats)
        rows += [] if arguments.speed_only else _memory(network, arguments.rounds)
    OUT.mkdir(exist_ok=True)
    with open(OUT / "collect_modules.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["network", "measure", "value", "unit", "setting"])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['network']:<4} {row['measure']:<42} {row['value']:>10} {row['unit']:<10} {row['setting']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8, help="how often the words are taken, shuffled after the first")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--speed-only", action="store_true", help="leave the memory runs out")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)  # one run in its own process
    return parser.parse_args()


def _loaded(name: str, rounds: int) -> tuple[Any, Any, Any]:
    """The network of a configuration, its section ``collect``, and ``rounds`` times its documents."""
    from glasso_cli.config.load import load_config
    from glasso_cli.corpora.arrays import read_arrays
    from glasso_cli.models.modules.network import load_network

    config = load_config(CONFIGS / f"{name}.yaml")
    network = load_network(config.model, 0)
    corpus_name, _ = NETWORKS[name]
    corpus = read_arrays(corpus_name, config.corpora[corpus_name], network.prepare)
    generator = np.random.default_rng(0)
    first = [corpus.item(index) for index in range(len(corpus.items))]
    items = [*first, *(_changed(item, generator) for _ in range(rounds - 1) for item in first)]
    return network, config.collect, replace(corpus, items=items, documents=np.arange(len(items)), prepare=None)


def _changed(item: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Another document of the same size: a spelling with its letters shuffled, or an image with noise."""
    if item.ndim == 1:
        return np.append(generator.permutation(item[:-1]), item[-1])  # the last symbol ends a word
    noise = generator.normal(0, 0.1, item.shape).astype(np.float32)
    return np.asarray(item + noise, np.float32)


# -- speed ----------------------------------------------------------------------------------------------


def _speed(name: str, rounds: int, repeats: int) -> list[dict[str, Any]]:
    import torch

    rounds = rounds if name == "rnn" else 1
    network, section, corpus = _loaded(name, rounds)
    documents = [torch.from_numpy(item) for item in corpus.items]
    samples = _collect(network, corpus, section)  # and everything is loaded once
    ways: dict[str, Callable[[], Any]] = {"bare pass, file order": lambda: _bare(network, documents, NETWORKS[name][1])}
    if len({len(document) for document in documents}) > 1:
        ordered = sorted(documents, key=len, reverse=True)
        ways["bare pass, sorted by length"] = lambda: _bare(network, ordered, NETWORKS[name][1])
    ways["collect"] = lambda: _collect(network, corpus, section)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            started = time.process_time()
            run()
            times[way].append(time.process_time() - started)
    setting = (
        f"{samples} samples, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"python {platform.python_version()}"
    )
    rows = [
        _row(name, way, statistics.median(taken) / samples * 1e6, "us/sample", f"processor time, {setting}")
        for way, taken in times.items()
    ]
    for way, taken in times.items():
        if way != "collect":
            ratio = statistics.median(c / t for c, t in zip(times["collect"], taken, strict=True))
            rows.append(_row(name, f"collect / {way}", ratio, "x", f"median of {repeats} pairs"))
    return rows


def _bare(network: Any, documents: list[Any], size: int) -> None:
    from glasso_cli.collection.modules.windows import batch_of

    for start in range(0, len(documents), size):
        network.run(batch_of(documents[start : start + size]))


def _collect(network: Any, corpus: Any, section: Any) -> int:
    """How many samples a whole collection reads, masked ones included."""
    from glasso_cli.collection.modules.run import collect_arrays_to_disk
    from glasso_cli.console import Console

    with tempfile.TemporaryDirectory() as folder:
        stats, _ = collect_arrays_to_disk(
            network,
            corpus,
            section,
            Path(folder),
            name="documents",
            seed=0,
            reporter=Console(quiet=True, as_json=False),
        )
    return int(stats.metrics.tokens.read)


# -- memory ---------------------------------------------------------------------------------------------


def _memory(name: str, rounds: int) -> list[dict[str, Any]]:
    """Peak memory beyond the documents themselves, of one and of several times as many, each in its own process."""
    rows = []
    for count in (1, max(2, rounds // 2)) if name == "cnn" else (1, rounds):
        command = [sys.executable, __file__, "--memory", name, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak = json.loads(done.stdout.splitlines()[-1])
        setting = f"whole process less {peak['documents'] / 1e6:.0f} MB of documents"
        rows.append(_row(name, f"peak memory, {peak['samples']:,} samples", peak["peak"] / 1e9, "GB", setting))
    return rows


def _peak_of_one_run(name: str, rounds: int) -> dict[str, float]:
    network, section, corpus = _loaded(name, rounds)
    held = sum(item.nbytes for item in corpus.items)
    samples = _collect(network, corpus, section)
    return {"samples": samples, "documents": held, "peak": peak_bytes() - held}


def _row(network: str, measure: str, value: float, unit: str, setting: str) -> dict[str, Any]:
    return {"network": network, "measure": measure, "value": f"{value:.3g}", "unit": unit, "setting": setting}


if __name__ == "__main__":
    main()
