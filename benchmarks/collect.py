"""Tokens per second and peak memory of `collect`, against the naive way, on the built-in Gemma 3 270M.

    python benchmarks/collect.py [--texts FILE.jsonl --column text] [--tokens 50000] [--repeats 3] [--speed-only]

The naive way is what a notebook does: documents in file order, batches of eight, padded, a full forward pass with the
language-model head, a hook that keeps the activations, and one covariance at the end. Both run in this process on the
same texts, in turn; what counts is the ratio. Every figure goes to benchmarks/out/collect.csv.
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
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import peak_bytes

OUT = Path(__file__).parent / "out"
HOOK_POINT = "mlp.9"
MODEL = "builtin:gemma-3-270m"


def main() -> None:
    arguments = _arguments()
    if arguments.memory is not None:
        print(json.dumps(_peak_of_one_run(arguments)))
        return
    texts = _texts(arguments)
    rows = [*_speed(texts, arguments), *([] if arguments.speed_only else _memory(arguments))]
    OUT.mkdir(exist_ok=True)
    with open(OUT / "collect.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["measure", "value", "unit", "setting"])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['measure']:<42} {row['value']:>12} {row['unit']:<9} {row['setting']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, help="a .jsonl file; the built-in topics if left out")
    parser.add_argument("--column", default="text")
    parser.add_argument("--tokens", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--speed-only", action="store_true", help="leave the two memory runs out")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)  # one run in its own process
    return parser.parse_args()


def _texts(arguments: argparse.Namespace) -> list[str]:
    if arguments.texts is None:
        from glasso_cli.corpora.topics import TOPICS, passages

        return [text for topic in TOPICS for text in passages(topic)]
    with open(arguments.texts, encoding="utf-8") as file:
        return [json.loads(line)[arguments.column] for line in file]


# -- speed ----------------------------------------------------------------------------------------------


def _speed(texts: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    import torch
    import transformers

    from glasso_cli.corpora.windows import tokenize
    from glasso_cli.models.load import load_model

    loaded = load_model(MODEL)
    corpus = tokenize(texts, loaded.tokenizer, max_length=512, max_tokens=arguments.tokens)
    texts = texts[: corpus.n_documents + corpus.n_empty]
    tokens = sum(len(window.ids) for window in corpus.windows)
    naive_times, fast_times = [], []
    for _ in range(arguments.repeats):
        started = time.perf_counter()
        naive = _naive(loaded, texts)
        naive_times.append(time.perf_counter() - started)
        started = time.perf_counter()
        fast = _glasso(loaded, corpus)
        fast_times.append(time.perf_counter() - started)
    error = float(np.linalg.norm(fast - naive) / np.linalg.norm(naive))
    setting = (
        f"{tokens} tokens, {os.cpu_count()} cores, float32, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, python {platform.python_version()}"
    )
    ratio = statistics.median(n / f for n, f in zip(naive_times, fast_times, strict=True))
    return [
        _row("naive", tokens / statistics.median(naive_times), "tokens/s", setting),
        _row("glasso collect", tokens / statistics.median(fast_times), "tokens/s", setting),
        _row("ratio", ratio, "×", f"median of {arguments.repeats} pairs"),
        _row("covariances differ by", error, "relative", "Frobenius norm, same tokens masked"),
    ]


def _naive(loaded: Any, texts: list[str]) -> np.ndarray:
    """The covariance of the neurons the way a notebook computes it."""
    import torch

    kept: list[torch.Tensor] = []
    captured: list[torch.Tensor] = []
    module = loaded.model.get_submodule("model.layers.9.mlp.down_proj")
    handle = module.register_forward_pre_hook(lambda module, args: captured.append(args[0]))
    special = torch.tensor(loaded.tokenizer.all_special_ids)
    try:
        for start in range(0, len(texts), 8):
            encoded = loaded.tokenizer(
                texts[start : start + 8],
                return_tensors="pt",
                padding=True,
                padding_side="right",
                truncation=True,
                max_length=512,
            )
            captured.clear()
            with torch.no_grad():
                loaded.model(**encoded)
            use = encoded["attention_mask"].bool() & ~torch.isin(encoded["input_ids"], special)
            use[:, 0] = False
            kept.append(captured[0][use])
    finally:
        handle.remove()
    values = torch.cat(kept).double()
    values -= values.mean(0)
    return (values.T @ values / len(values)).numpy()


def _glasso(loaded: Any, corpus: Any) -> np.ndarray:
    """The covariance out of what `collect` does: pilot, blocks written to disk, blocks added up."""
    import tempfile

    from glasso_cli.collection.corpus_pass import CorpusPass
    from glasso_cli.collection.texts.reading import read_texts
    from glasso_cli.config import CollectSection, MaskSection
    from glasso_cli.console import Console
    from glasso_cli.hooks import record, resolve_hook_points
    from glasso_cli.hooks.invariants import check_hook_points
    from glasso_cli.linalg import moments

    # The same mask as the naive way: it does not look for massive tokens.
    section = CollectSection(hook_points=(HOOK_POINT,), mask=MaskSection(massive=None))
    points = resolve_hook_points(loaded.model, section.hook_points)
    with record(loaded.model, points) as recorder, tempfile.TemporaryDirectory() as folder:
        reading = read_texts(
            loaded,
            points,
            recorder,
            corpus,
            check_hook_points(loaded, points),
            section,
            mixed_lengths=True,
            reporter=Console(quiet=True, as_json=False),
        )
        work = CorpusPass(
            name="texts",
            section=section,
            seed=0,
            reading=reading,
            pieces=Path(folder),
            reporter=Console(quiet=True, as_json=False),
        )
        pieces = [piece for piece, _ in work.blocks(work.pilot_findings())]
        counts = np.array([int(piece["count"]) for piece in pieces])
        sums = np.stack([piece["sums"] for piece in pieces])
        return moments.covariance_of(counts, sums, (piece["moments"] for piece in pieces))


# -- memory -----------------------------------------------------------------------------------------------


def _memory(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Peak resident memory of whole collect runs of 10,000 and 100,000 tokens, each in its own process."""
    rows = []
    for tokens in (10_000, 100_000):
        command = [sys.executable, __file__, "--memory", str(tokens), "--column", arguments.column]
        if arguments.texts:
            command += ["--texts", str(arguments.texts)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak = json.loads(done.stdout.splitlines()[-1])
        rows.append(_row(f"peak memory, {peak['tokens']:,} tokens", peak["peak"] / 1e9, "GB", "whole process"))
    return rows


def _peak_of_one_run(arguments: argparse.Namespace) -> dict[str, float]:
    import tempfile

    from glasso_cli.config import Config
    from glasso_cli.console import Console
    from glasso_cli.pipeline.run import Pipeline

    texts = _texts(arguments)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        rounds = range(1 + arguments.memory // 15_000)
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for _ in rounds for text in texts)
        config = Config.model_validate(
            {
                "name": "memory",
                "out": str(Path(folder) / "out"),
                "model": {"id": MODEL},
                "corpora": {"texts": {"files": [str(source)]}},
                "collect": {"hook_points": [HOOK_POINT], "max_tokens": arguments.memory},
            }
        )
        Pipeline(config, Console(quiet=True, as_json=True)).run(["collect"])
    return {"tokens": arguments.memory, "peak": peak_bytes()}


def _row(measure: str, value: float, unit: str, setting: str) -> dict[str, Any]:
    return {"measure": measure, "value": f"{value:.4g}", "unit": unit, "setting": setting}


if __name__ == "__main__":
    main()
