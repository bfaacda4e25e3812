"""Processor time of `intervene` against the naive way, on the built-in Gemma 3 270M, layers 8 to 9.

    python benchmarks/intervene.py [--sources 160] [--tokens 2500] [--naive-sources 2] [--statistics 4000]

The naive way makes a full forward pass, with the language-model head, for every source and sign, over the same batches of
documents. It is measured on a few sources and multiplied. `intervene` is measured as a whole: the clean pass, controls, random
directions, the check of linearity, errors and tests. Both run in this process, one after the other. Processor time is counted,
since other work may share the machine. Every figure goes to benchmarks/out/intervene.csv.
"""

from __future__ import annotations

import argparse
import csv
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path(__file__).parent / "out"
MODEL = "builtin:gemma-3-270m"


def main() -> None:
    arguments = _arguments()
    rows = _measure(arguments)
    OUT.mkdir(exist_ok=True)
    with open(OUT / "intervene.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["measure", "value", "unit", "setting"])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['measure']:<46} {row['value']:>12} {row['unit']:<9} {row['setting']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=160)
    parser.add_argument("--tokens", type=int, default=2_500)
    parser.add_argument("--naive-sources", type=int, default=2, help="sources that the naive way is measured on")
    parser.add_argument("--statistics", type=int, default=4_000, help="tokens for means and standard deviations")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    import torch

    from glasso_cli.collection.run import collect_corpus
    from glasso_cli.config import CollectSection, InterveneSection
    from glasso_cli.console import Console
    from glasso_cli.corpora.topics import TOPICS, passages
    from glasso_cli.intervention.texts import choose_texts, intervene_texts
    from glasso_cli.models.load import load_model

    loaded, console = load_model(MODEL), Console(quiet=True, as_json=False)
    texts = [text for topic in TOPICS for text in passages(topic)]
    collect = CollectSection(hook_points=("mlp.8", "mlp.9"), max_tokens=arguments.statistics)
    stats = collect_corpus(loaded, texts, collect, reporter=console)
    section = InterveneSection(
        sources=arguments.sources, stratify=("write_norm",), changes=("step",), tokens=arguments.tokens
    )
    chosen = choose_texts(loaded, lambda: texts, stats, collect, section, name="passages")
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        made = intervene_texts(
            loaded, chosen, stats, None, collect, section, Path(folder), name="passages", seed=0, reporter=console
        )
        ours = time.process_time() - started
    some = made.source_ids[: arguments.naive_sources].tolist()
    times = []
    for head in (True, False):
        started = time.process_time()
        naive, error = _naive(loaded, chosen.corpus, stats, some, made, head=head)
        times.append((time.process_time() - started) * arguments.sources / len(some))
    setting = (
        f"{made.metrics.texts.tokens} tokens in {made.metrics.texts.documents} documents, {torch.get_num_threads()} threads, "
        f"float32, torch {torch.__version__}, python {platform.python_version()}"
    )
    return [
        _row(
            "naive",
            times[0],
            "s",
            f"{setting}; measured on {len(some)} sources, times {arguments.sources / len(some):g}",
        ),
        _row("glasso intervene", ours, "s", f"{arguments.sources} sources and all controls"),
        _row("ratio", times[0] / ours, "x", "processor times"),
        _row("naive without the language-model head", times[1], "s", "all layers"),
        _row("ratio", times[1] / ours, "x", "processor times"),
        _row("effects differ by", error, "relative", f"Frobenius norm, {len(some)} sources"),
        _row("largest effect", float(np.abs(naive).max()), "sd", ""),
    ]


def _naive(loaded: Any, corpus: Any, stats: Any, some: list[str], made: Any, *, head: bool) -> tuple[np.ndarray, float]:
    """Effects ``(sources, T)`` the way a notebook measures them, and their distance from those of ``made``."""
    import torch

    from glasso_cli.corpora.windows import batches, special_frame

    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    std = stats.std[[place[name] for name in made.target_ids]]
    down = [loaded.model.get_submodule(f"model.layers.{layer}.mlp.down_proj") for layer in (8, 9)]
    special = torch.tensor(special_frame(loaded.tokenizer).special)
    sums, tokens = np.zeros((len(some), len(std))), 0
    for batch in batches(corpus.windows, budget=512, pad_id=0):
        ids, attention = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
        kept = attention & ~torch.isin(ids, special)
        kept[:, 0] = False
        tokens += int(kept.sum())
        for row, name in enumerate(some):
            neuron, size = int(name.split("[")[1][:-1]), 0.5 * float(stats.std[place[name]])
            for sign in (1, -1):
                sums[row] += (
                    sign
                    * _pushed(loaded, down, neuron, sign * size, ids, attention, head)[kept].double().sum(0).numpy()
                )
    effects = sums / tokens / std
    ours = made.effects[0, [made.source_of(name) for name in some]]
    return effects, float(np.linalg.norm(ours - effects) / np.linalg.norm(effects))


def _pushed(loaded: Any, down: list[Any], neuron: int, size: float, ids: Any, attention: Any, head: bool) -> Any:
    """The neurons of layer 9 in a full pass with one neuron of layer 8 moved at every position."""
    import torch

    seen: list[torch.Tensor] = []

    def push(module: Any, args: Any) -> Any:
        changed = args[0].clone()
        changed[..., neuron] += size
        return (changed,)

    handles = [
        down[0].register_forward_pre_hook(push),
        down[1].register_forward_pre_hook(lambda module, args: seen.append(args[0])),
    ]
    try:
        with torch.no_grad():
            (loaded.model if head else loaded.model.model)(input_ids=ids, attention_mask=attention.long())
    finally:
        for handle in handles:
            handle.remove()
    return seen[0]


def _row(measure: str, value: float, unit: str, setting: str) -> dict[str, Any]:
    return {"measure": measure, "value": f"{value:.4g}", "unit": unit, "setting": setting}


if __name__ == "__main__":
    main()
