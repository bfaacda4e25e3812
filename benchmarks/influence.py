"""How well does `influence` predict what really happens to later neurons, on texts that it has not seen?

    python benchmarks/influence.py --scores movies.jsonl --truth products.jsonl
    python benchmarks/influence.py --scores movies.jsonl --truth products.jsonl --model builtin:smollm2-135m-instruct --layer 14

The scores are the arrays of the artifact, and as a baseline the correlation, all from the first texts. The truth is measured on the
second: some source neurons are pushed by half a standard deviation up and down at every token, and nothing is held. Per pair it is
the mean over tokens of the central difference, or its root mean square. What counts is the average precision of the score for the
strongest 0.5 % of effects, whose base rate is 0.005, and the share of right signs among the strongest 1 %. The ceiling is the
same for one half of the measured documents against the other. Processor times of `collect` and of the two steps of `influence`
are measured in the same run. Every figure goes to benchmarks/out/influence-MODEL.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.windows import batches, tokenize
from glasso_cli.hooks import HookPoint, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention, add
from glasso_cli.hooks.record import Recorder
from glasso_cli.hooks.replay import Replay
from glasso_cli.influence import run as influence_run
from glasso_cli.influence.run import influence_of_corpus
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

OUT = Path(__file__).parent / "out"
STRONGEST, SIGNED = 0.005, 0.01  # shares of pairs
STEP = 0.5  # standard deviations
COPIES = 8  # sources in a pass, each pushed up and down
BATCH = 256  # tokens


def main() -> None:
    arguments = _arguments()
    loaded = load_model(arguments.model)
    influence, stats, times = _scores(loaded, arguments)
    truth = _truth(loaded, stats, arguments)
    rows = [*_judged(_columns(influence, stats, truth), truth), *times, *_overlap(influence, stats)]
    OUT.mkdir(exist_ok=True)
    with open(OUT / f"influence-{arguments.model.rpartition(':')[2]}-{arguments.layer}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["measure", "score", "value"])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['measure']:<54} {row['score']:<28} {row['value']:.4g}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scores", type=Path, required=True, help="a .jsonl file: texts for the scores")
    parser.add_argument("--truth", type=Path, required=True, help="a .jsonl file: texts on which effects are measured")
    parser.add_argument("--column", default="text")
    parser.add_argument("--model", default="builtin:gemma-3-270m")
    parser.add_argument("--layer", type=int, default=8, help="of the source neurons")
    parser.add_argument("--tokens", type=int, default=40_000, help="for the scores")
    parser.add_argument("--truth-tokens", type=int, default=2_500)
    parser.add_argument("--sources", type=int, default=160)
    parser.add_argument("--length", type=int, default=96, help="longest window in tokens")
    return parser.parse_args()


def _texts(path: Path, column: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)[column] for line in file]


# -- scores -----------------------------------------------------------------------------------------------


def _scores(
    loaded: LoadedModel, arguments: argparse.Namespace
) -> tuple[Influence, ActivationStats, list[dict[str, Any]]]:
    points = (f"mlp.{arguments.layer}", f"mlp.{arguments.layer + 1}")
    section = CollectSection(
        hook_points=points, max_tokens=arguments.tokens, max_length=arguments.length, contexts=False
    )
    texts, seconds = _texts(arguments.scores, arguments.column), {}
    start = time.process_time()
    stats = collect_corpus(loaded, texts, section)
    seconds["collect"] = time.process_time() - start
    tested: Any = influence_run._tested
    wall = 0.0

    def timed(*given: Any) -> Any:
        nonlocal wall
        before, clock = time.process_time(), time.monotonic()
        found = tested(*given)
        seconds["all pairs"] = time.process_time() - before
        wall = time.monotonic() - clock
        return found

    influence_run._tested = timed
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        influence = influence_of_corpus(
            loaded,
            texts,
            stats,
            section,
            InfluenceSection(keep="all"),
            Path(folder),
            name="scores",
            seed=0,
            reporter=PythonWarnings(),
        )
    influence_run._tested = tested
    seconds["pass"] = time.process_time() - start - seconds["all pairs"]
    rows = [{"measure": "processor seconds", "score": name, "value": value} for name, value in seconds.items()]
    ratio = seconds["pass"] / seconds["collect"]
    return (
        influence,
        stats,
        [
            *rows,
            {"measure": "pass of influence over collect", "score": "processor seconds", "value": ratio},
            {"measure": "elapsed seconds", "score": "all pairs", "value": wall},
        ],
    )


def _columns(influence: Influence, stats: ActivationStats, truth: Truth) -> dict[str, np.ndarray]:
    """Every score of the measured sources and all targets, ``(sources, targets)``."""
    p = int((influence.layers == influence.layers.min()).sum())
    rows = influence.neurons[truth.sources]
    std, targets = stats.std, influence.neurons[p:]
    covariance = stats.covariance()
    found = {
        "correlation": covariance[np.ix_(rows, targets)] / np.outer(std[rows], std[targets]),
    }
    place = np.full(p, -1)
    place[truth.sources] = np.arange(len(truth.sources))
    chosen = np.flatnonzero(place[influence.sources] >= 0)
    for name in ("mean", "direct", "rms"):
        dense = np.zeros((len(truth.sources), len(targets)))
        dense[place[influence.sources[chosen]], influence.targets[chosen] - p] = getattr(influence, name)[chosen]
        found[f"influence, {name}"] = dense
    return found


def _overlap(influence: Influence, stats: ActivationStats) -> list[dict[str, Any]]:
    sizes = {level: float((np.abs(influence.mean) > 4 * influence.error).mean()) for level in (4,)}
    return [
        {"measure": "share of pairs", "score": "beyond 4 standard errors", "value": sizes[4]},
        {"measure": "edges beyond 0.05", "score": "count", "value": influence.metrics.edges},
        {"measure": "tokens", "score": "scores", "value": stats.n_tokens},
    ]


# -- truth ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Truth:
    """Central differences of m sources, in standard deviations, summed over the tokens of D documents."""

    sources: np.ndarray  # (m,) places among the neurons of the source layer
    counts: np.ndarray  # (D,) tokens
    slope: np.ndarray  # (2, m, p): sums over even and odd documents
    square: np.ndarray  # (2, m, p)

    def mean(self, half: int | None = None) -> np.ndarray:
        halves = slice(None) if half is None else slice(half, half + 1)
        return np.asarray(self.slope[halves].sum(0) / self.counts[halves].sum())

    def rms(self, half: int | None = None) -> np.ndarray:
        halves = slice(None) if half is None else slice(half, half + 1)
        return np.asarray(np.sqrt(self.square[halves].sum(0) / self.counts[halves].sum()))


@torch.no_grad()
def _truth(loaded: LoadedModel, stats: ActivationStats, arguments: argparse.Namespace) -> Truth:
    source, target = resolve_hook_points(loaded.model, [f"mlp.{arguments.layer}", f"mlp.{arguments.layer + 1}"])
    alive = np.flatnonzero(~stats.dead[: source.width])
    places = np.random.default_rng(0).permutation(len(alive))[: arguments.sources]
    std = torch.from_numpy(stats.std).float()
    texts = _texts(arguments.truth, arguments.column)
    corpus = tokenize(texts, loaded.tokenizer, max_length=arguments.length, max_tokens=arguments.truth_tokens)
    first = {window.document: window for window in reversed(corpus.windows)}
    windows = [first[document] for document in sorted(first)]
    counts, slope, square = np.zeros(2), *(np.zeros((2, len(places), target.width)) for _ in range(2))
    for batch in batches(windows, budget=BATCH, pad_id=0):
        ids, inside = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
        counted = inside.clone()
        counted[:, 0] = False
        odd = torch.from_numpy(batch.documents)[:, None].expand_as(counted)[counted] % 2 == 1
        counts += np.array([int((~odd).sum()), int(odd.sum())])
        replay = Replay(loaded.model, source)
        replay.keep(lambda: loaded.model(input_ids=ids, attention_mask=inside.long(), use_cache=False), *ids.shape)  # noqa: B023
        with record(loaded.model, [target]) as recorder:
            for start in range(0, len(places), COPIES):
                some = places[start : start + COPIES]
                made = _pushed(loaded, recorder, replay, source, alive[some], std, ids, inside)
                values = (made[..., counted, :] / std[source.width :]).numpy()  # (copies, tokens, p)
                for half, rows in enumerate((~odd, odd)):
                    slope[half, start : start + COPIES] += values[:, rows].sum(1)
                    square[half, start : start + COPIES] += (values[:, rows] ** 2).sum(1)
    return Truth(places, counts, slope, square)


def _pushed(
    loaded: LoadedModel,
    recorder: Recorder,
    replay: Replay,
    source: HookPoint,
    neurons: np.ndarray,
    std: torch.Tensor,
    ids: torch.Tensor,
    inside: torch.Tensor,
) -> torch.Tensor:
    """The difference of the target between pushes up and down over 2 steps, ``(sources, batch, time, p)``."""
    from glasso_cli.hooks import ablate

    copies, batch = 2 * len(neurons), len(ids)
    delta = torch.zeros(copies, 1, 1, source.width)
    for place, neuron in enumerate(neurons.tolist()):
        delta[place, ..., neuron] = STEP * std[neuron]
        delta[len(neurons) + place, ..., neuron] = -STEP * std[neuron]
    push = Intervention(source, add(delta.expand(-1, batch, -1, -1).flatten(0, 1)))
    with ablate(loaded.model, [push]), replay.again(copies):
        (values,) = recorder.run(ids.repeat(copies, 1), inside.long().repeat(copies, 1))
    values = values.unflatten(0, (copies, batch))
    return (values[: len(neurons)] - values[len(neurons) :]) / (2 * STEP)


# -- how good ---------------------------------------------------------------------------------------------


def _judged(scores: dict[str, np.ndarray], truth: Truth) -> list[dict[str, Any]]:
    rows = []
    for name, effect, halves in (
        ("mean effect of a push", truth.mean(), (truth.mean(0), truth.mean(1))),
        ("root mean square effect of a push", truth.rms(), (truth.rms(0), truth.rms(1))),
    ):
        strong = _strongest(effect, STRONGEST)
        ceiling = average_precision(np.abs(halves[0]), _strongest(halves[1], STRONGEST))
        rows.append({"measure": f"AP, {name}", "score": "half against half", "value": ceiling})
        for score, values in scores.items():
            rows.append({"measure": f"AP, {name}", "score": score, "value": average_precision(np.abs(values), strong)})
    effect, signed = truth.mean(), _strongest(truth.mean(), SIGNED)
    for score in ("correlation", "influence, direct", "influence, mean"):
        right = (np.sign(scores[score]) == np.sign(effect))[signed].mean()
        rows.append({"measure": "right signs of the strongest 1 %", "score": score, "value": float(right)})
    mean = scores["influence, mean"]
    slope = float((mean * effect).sum() / (mean * mean).sum())
    rows.append({"measure": "slope of effect on influence", "score": "influence, mean", "value": slope})
    return rows


def average_precision(score: np.ndarray, strong: np.ndarray) -> float:
    """The mean of the precision at every true pair, ranked by ``score``; ties in their order."""
    order = np.argsort(-score, axis=None, kind="stable")
    hits = np.flatnonzero(strong.ravel()[order])
    return float(np.mean(np.arange(1, len(hits) + 1) / (hits + 1)))


def _strongest(values: np.ndarray, share: float) -> np.ndarray:
    size = np.abs(values)
    count = max(1, round(share * size.size))
    return np.asarray(size >= np.partition(size, -count, axis=None)[-count])


if __name__ == "__main__":
    main()
