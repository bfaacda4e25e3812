"""Tokens per second and peak memory of `collect`, against the naive way, on the built-in Gemma 3 270M.

    python benchmarks/collect.py [--texts topics sentences FILE.jsonl] [--column text] [--tokens 50000] [--repeats 3]
        [--dtypes float32 bfloat16] [--speed-only]

The naive way is what a notebook does: documents in file order, batches of eight, padded, a full forward pass with the
language-model head in float32, a hook that keeps the activations, and one covariance at the end. Both run in this process on
the same texts, in turn; what counts is the ratio. The built-in topics are passages of about equal length; their sentences are
texts of unequal length, as in many corpora. bfloat16 is measured where the processor multiplies it, and compared with the
notebook in float32 and in bfloat16. Every figure goes to benchmarks/out/collect.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import peak_bytes

OUT = Path(__file__).parent / "out"
HOOK_POINT = "mlp.9"
MODEL = "builtin:gemma-3-270m"
TOPICS, SENTENCES = "topics", "sentences"
NOTEBOOK = "float32"  # what a notebook computes in


def main() -> None:
    arguments = _arguments()
    if arguments.memory is not None:
        print(json.dumps(_peak_of_one_run(arguments)))
        return
    rows = [*_speed(arguments), *([] if arguments.speed_only else _memory(arguments))]
    OUT.mkdir(exist_ok=True)
    with open(OUT / "collect.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", nargs="+", default=[TOPICS], help="topics, sentences (of the topics), .jsonl files")
    parser.add_argument("--column", default="text", help="of the .jsonl files")
    parser.add_argument("--tokens", type=int, default=50_000)
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "bfloat16"], default=[NOTEBOOK], help="of collect")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--speed-only", action="store_true", help="leave the two memory runs out")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)  # one run in its own process
    return parser.parse_args()


def texts_of(name: str, column: str) -> list[str]:
    """The documents called ``name``: built-in passages, their sentences, or the lines of a file."""
    from glasso_cli.corpora import topics

    if name not in (TOPICS, SENTENCES):
        with open(name, encoding="utf-8") as file:
            return [json.loads(line)[column] for line in file]
    passages = [text for topic in topics.TOPICS for text in topics.passages(topic)]
    if name == TOPICS:
        return passages
    return [sentence for text in passages for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# -- speed ----------------------------------------------------------------------------------------------


@dataclass
class Times:
    """Seconds of repeated calls on the clock and of the processor, and what the last call returned."""

    clock: list[float]
    processor: list[float]
    result: np.ndarray

    def add(self, work: Callable[[], np.ndarray]) -> None:
        processor, clock = time.process_time(), time.perf_counter()
        self.result = work()
        self.clock.append(time.perf_counter() - clock)
        self.processor.append(time.process_time() - processor)

    def ratio_to(self, other: Times) -> tuple[float, float]:
        """How many times as fast as ``other``, the median over pairs: on the clock, and by processor time."""
        pairs = ((other.clock, self.clock), (other.processor, self.processor))
        clock, processor = (statistics.median(n / f for n, f in zip(*times, strict=True)) for times in pairs)
        return clock, processor


def bfloat16_is_fast() -> bool:
    """Whether the processor has instructions for products in bfloat16."""
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _speed(arguments: argparse.Namespace) -> Iterable[dict[str, Any]]:
    from glasso_cli.models.load import load_model

    dtypes = [name for name in arguments.dtypes if name == NOTEBOOK or bfloat16_is_fast()]
    for name in set(arguments.dtypes) - set(dtypes):
        print(f"{name}: left out, this processor has no products in it")
    loaded = {dtype: load_model(MODEL, dtype=dtype) for dtype in {NOTEBOOK, *dtypes}}
    for name in arguments.texts:
        yield from _speed_on(name, loaded, dtypes, arguments)


def _speed_on(
    name: str, loaded: dict[str, Any], dtypes: list[str], arguments: argparse.Namespace
) -> Iterable[dict[str, Any]]:
    import torch
    import transformers

    from glasso_cli.corpora.windows import tokenize

    texts = texts_of(name, arguments.column)
    corpus = tokenize(texts, loaded[NOTEBOOK].tokenizer, max_length=512, max_tokens=arguments.tokens)
    texts = texts[: corpus.n_documents + corpus.n_empty]
    tokens = sum(len(window.ids) for window in corpus.windows)
    naive, ours = ({dtype: Times([], [], np.empty(0)) for dtype in some} for some in (loaded, dtypes))
    for _ in range(arguments.repeats):
        for dtype, model in loaded.items():
            naive[dtype].add(lambda: _naive(model, texts))  # noqa: B023
            if dtype in ours:
                ours[dtype].add(lambda: _glasso(model, corpus))  # noqa: B023
    setting = (
        f"{tokens} tokens, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, python {platform.python_version()}"
    )
    label = name if name in (TOPICS, SENTENCES) else Path(name).name
    exact = naive[NOTEBOOK].result
    for dtype, times in naive.items():
        yield _row("naive", label, dtype, tokens / statistics.median(times.clock), "tokens/s", setting)
    for dtype, times in ours.items():
        error = float(np.linalg.norm(times.result - exact) / np.linalg.norm(exact))
        yield _row("glasso collect", label, dtype, tokens / statistics.median(times.clock), "tokens/s", setting)
        yield _row("covariances differ by", label, dtype, error, "relative", "Frobenius norm, from naive float32")
        for other in dict.fromkeys([NOTEBOOK, dtype]):
            clock, processor = times.ratio_to(naive[other])
            pairs = f"median of {arguments.repeats} pairs"
            yield _row(f"ratio to naive {other}", label, dtype, clock, "×", pairs)
            yield _row(f"ratio to naive {other}, processor time", label, dtype, processor, "×", pairs)


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
        command += ["--texts", arguments.texts[0]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak = json.loads(done.stdout.splitlines()[-1])
        what = f"peak memory, {peak['tokens']:,} tokens"
        rows.append(_row(what, Path(arguments.texts[0]).name, NOTEBOOK, peak["peak"] / 1e9, "GB", "whole process"))
    return rows


def _peak_of_one_run(arguments: argparse.Namespace) -> dict[str, float]:
    import tempfile

    from glasso_cli.config import Config
    from glasso_cli.console import Console
    from glasso_cli.pipeline.run import Pipeline

    texts = texts_of(arguments.texts[0], arguments.column)
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


def _row(measure: str, texts: str, dtype: str, value: float, unit: str, setting: str) -> dict[str, Any]:
    """A row of the file, which is printed as well."""
    print(f"{measure:<42} {texts:<12} {dtype:<9} {value:>12.4g} {unit:<9} {setting}", flush=True)
    return {
        "measure": measure,
        "texts": texts,
        "dtype": dtype,
        "value": f"{value:.4g}",
        "unit": unit,
        "setting": setting,
    }


if __name__ == "__main__":
    main()
