"""How well do attributions rank exact ablation, and which of their curves beat trivial baselines? On Gemma 3 270M, all MLPs.

    python benchmarks/score.py --texts editorials.jsonl
    python benchmarks/score.py --texts editorials.jsonl --tokens 1000 --held-out 260 --top 15 --sample 25 --shares 0.001 0.01 0.1 1

It runs what `glasso score` runs, and prints rank correlations with intervals, the bound on missed neurons, and the areas of all
curves with their differences from the write norm. With --rules, it also takes each rule of the frozen form alone, on the documents
of the exact effects. Processor times are those of this process. Every figure goes to benchmarks/out/score.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.config import CollectSection, ScoreSection
from glasso_cli.console import Console
from glasso_cli.corpora.windows import tokenize
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.intervention.feed import text_feed
from glasso_cli.intervention.outputs import outputs_of
from glasso_cli.intervention.survey import set_limits
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.assemble import Known
from glasso_cli.scoring.clean import Neurons, layouts, measured
from glasso_cli.scoring.gradients.attribution import attribute
from glasso_cli.scoring.gradients.frozen import Held, held_modules, holding
from glasso_cli.scoring.parts import split
from glasso_cli.scoring.ranks import rank_correlation
from glasso_cli.scoring.replaced import Replacement
from glasso_cli.scoring.scalar import Scalar
from glasso_cli.scoring.texts import score_texts

OUT = Path(__file__).parent / "out"
MODEL = "builtin:gemma-3-270m"
WINDOW = 256  # positions in a pass with gradients
Row = dict[str, Any]


def main() -> None:
    arguments = _arguments()
    texts = [json.loads(line)["text"] for line in arguments.texts.read_text(encoding="utf-8").splitlines()]
    loaded = load_model(arguments.model)
    collect = CollectSection(hook_points=("mlp.*",), max_length=128)
    section = ScoreSection.model_validate(
        {
            "forms": arguments.forms,
            "tokens": arguments.tokens,
            "held_out": arguments.held_out,
            "top": arguments.top,
            "sample": arguments.sample,
            "shares": arguments.shares,
            "draws": arguments.draws,
        }
    )
    if arguments.scores:
        made = Scores.load(arguments.scores)
        rows: list[Row] = []
    else:
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            made = score_texts(
                loaded, texts, collect, section, Known({}, {}), Path(folder), name="texts", seed=0,
                reporter=Console(quiet=True, as_json=False),
            )  # fmt: skip
        rows = [_row("processor time", "all", time.process_time() - started)]
    rows += [*_ranks(made), *_areas(made)]
    if arguments.rules:
        rows += _rules(loaded, texts, collect, section, made)
    OUT.mkdir(exist_ok=True)
    with open(OUT / "score.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(_row("", "", 0)))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['measure']:<46} {row['of']:<34} {row['value']:>9.4g}  [{row['low']:.4g}, {row['high']:.4g}]")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, required=True, help="documents, one JSON object with `text` per line")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument(
        "--scores", type=Path, help="scores that `glasso score` made of these texts, instead of a new run"
    )
    parser.add_argument("--forms", nargs="+", default=["plain", "frozen"])
    parser.add_argument("--tokens", type=int, default=4_000)
    parser.add_argument("--held-out", type=int, default=2_000)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--shares", nargs="*", type=float, default=list(ScoreSection().shares))
    parser.add_argument("--rules", action="store_true", help="take the rules of the frozen form one by one")
    return parser.parse_args()


def _row(measure: str, of: str, value: float, ends: tuple[float, float] | np.ndarray = (np.nan, np.nan)) -> Row:
    return {"measure": measure, "of": of, "value": float(value), "low": float(ends[0]), "high": float(ends[1])}


def _ranks(made: Scores) -> Iterator[Row]:
    for form, sums in zip(made.metrics.forms, made.document_attributions):
        yield _row("rank correlation", form.form, *_unpacked(sums, made, np.ones(len(made.measured), bool)))
        yield _row("rank correlation, random sample", form.form, *_unpacked(sums, made, made.drawn))
        yield _row("rank correlation, other documents", form.form, form.ahead or np.nan)
        yield _row("right signs, by size", form.form, form.signs or np.nan)
        yield _row("rank correlation of both parts", form.form, form.repeats or np.nan)
    if made.metrics.missed is not None:
        yield _row("largest share of missed neurons", "top", made.metrics.missed.share)


def _unpacked(sums: np.ndarray, made: Scores, chosen: np.ndarray) -> tuple[float, tuple[float, float]]:
    found = rank_correlation(sums[chosen], made.document_effects[chosen], made.counts, 0)
    return found.value, (found.low, found.high)


def _areas(made: Scores) -> Iterator[Row]:
    names = made.rankings.tolist()
    for kind in range(len(made.ablations)):
        for area, label in enumerate(made.area_names.tolist()):
            for row, name in enumerate(names):
                title = f"{made.ablations[kind]}, {label}"
                yield _row(title, name, made.areas[kind, row, area], made.area_intervals[:, kind, row, area])
                for other in ("write_norm", "plain"):
                    if other in names and name != other:
                        place = names.index(other)
                        ends = made.difference_intervals[:, kind, row, place, area]
                        yield _row(title, f"{name} minus {other}", made.differences[kind, row, place, area], ends)


# -- the rules of the frozen form, one by one --------------------------------------------------------------


def _rules(
    loaded: LoadedModel, texts: list[str], collect: CollectSection, section: ScoreSection, made: Scores
) -> Iterator[Row]:
    """The rank correlation with the effects of ``made``, where some rules are held and others are not."""
    points = resolve_hook_points(loaded.model, collect.hook_points)
    limit = section.tokens + section.held_out
    corpus = tokenize(texts, loaded.tokenizer, max_length=collect.max_length, max_tokens=limit)
    held = held_modules(loaded)
    rules = {
        "norms": Held(held.norms, (), ()),
        "attention": Held((), (), ()),
        "slopes": Held((), held.activations, ()),
        "norms, attention": Held(held.norms, (), ()),
        "norms, attention, slopes": Held(held.norms, held.activations, ()),
        "norms, attention, slopes, halves": held,
    }
    with text_feed(loaded, points, corpus, collect, Console(quiet=True, as_json=False)) as feed:
        first, second = split(feed.reading.windows, section.tokens, section.held_out)
        reader = feed.reading.reader()
        batches = list(feed.reading.batches(first, WINDOW))
        set_limits(reader, batches)
        neurons = Neurons.of(points, **measured(feed, points, batches, reader))
        rows = layouts(feed, list(feed.reading.batches(second, WINDOW)), reader)
        scalar = Scalar(feed, outputs_of(section, loaded, "score.scalar"))
        replacement = Replacement(neurons, feed.reading.device)
        for name, some in rules.items():
            with holding(some, attention="attention" in name):
                found = attribute(scalar, replacement, rows, [0.0], lambda amount: None)
            value, ends = _unpacked(found.sums[:, made.measured].T, made, np.ones(len(made.measured), bool))
            yield _row("rank correlation, rules held", name, value, ends)


if __name__ == "__main__":
    main()
