"""How well does `influence` predict what really happens to later neurons, on texts that it has not seen?

    python benchmarks/influence.py --scores some.jsonl --truth others.jsonl
    python benchmarks/influence.py --scores some.jsonl --truth others.jsonl --model builtin:smollm2-135m-instruct --layer 14

    python benchmarks/influence.py --scores some.jsonl --truth others.jsonl --paths all --target-layer 9 11

The scores are the arrays of the artifact, and as a baseline the correlation, all from the first texts. The truth is measured on the
second: some source neurons are pushed by half a standard deviation up and down at every token, and nothing is held. Per pair it is
the mean over tokens of the central difference, or its root mean square. With --ablation, sources are also set to their means.
What counts is the average precision of the score for the strongest 0.5 % of effects, whose base rate is 0.005, and the share of
right signs among the strongest 1 %. The ceiling is the same for one half of the measured documents against the other. Processor
times of `collect`, of `influence` and of its last step, all pairs from their sums, are measured in the same run. Every figure
goes to benchmarks/out/influence-MODEL-LAYER.csv, or influence-all-MODEL-LAYER.csv with --paths all. Then the targets may lie in any later layers,
and their scores come from --all-tokens tokens.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.auditing.ranking import average_precision
from glasso_cli.auditing.truth import strongest
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.windows import batches, tokenize
from glasso_cli.derivatives.layout.pair import layer_pair
from glasso_cli.derivatives.maps import maps_of
from glasso_cli.derivatives.pairs import derivatives
from glasso_cli.derivatives.run import influence_of_corpus
from glasso_cli.derivatives.sums import PairSums
from glasso_cli.derivatives.tested import Standard, pairs_tested, rates
from glasso_cli.hooks import HookPoint, ablate, record, resolve_hook_points
from glasso_cli.hooks.edit import Intervention
from glasso_cli.hooks.replay import Replay
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
    rows = [*times, *_sizes(influence)]
    for target in arguments.targets:
        judged = _judged(_columns(influence, stats, truth, target), truth, target)
        rows += [{**row, "measure": f"{row['measure']}, {arguments.layer} to {target}"} for row in judged]
    OUT.mkdir(exist_ok=True)
    kind = "influence" if arguments.paths == "closed" else "influence-all"
    with open(OUT / f"{kind}-{arguments.model.rpartition(':')[2]}-{arguments.layer}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["measure", "score", "value"])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['measure']:<64} {row['score']:<28} {row['value']:.4g}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scores", type=Path, required=True, help="a .jsonl file: texts for the scores")
    parser.add_argument("--truth", type=Path, required=True, help="a .jsonl file: texts on which effects are measured")
    parser.add_argument("--column", default="text")
    parser.add_argument("--model", default="builtin:gemma-3-270m")
    parser.add_argument("--layer", type=int, default=8, help="of the source neurons")
    parser.add_argument(
        "--target-layer", dest="targets", type=int, nargs="+", help="of the targets; the next by default"
    )
    parser.add_argument("--paths", choices=("closed", "all"), default="closed")
    parser.add_argument("--tokens", type=int, default=40_000, help="for the scores")
    parser.add_argument("--all-tokens", type=int, default=1_000, help="for the derivatives along all paths")
    parser.add_argument("--truth-tokens", type=int, default=2_500)
    parser.add_argument("--sources", type=int, default=160)
    parser.add_argument("--ablation", action="store_true", help="also set each source to its mean")
    parser.add_argument("--length", type=int, default=96, help="longest window in tokens")
    arguments = parser.parse_args()
    arguments.targets = arguments.targets or [arguments.layer + 1]
    return arguments


def _texts(path: Path, column: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)[column] for line in file]


# -- scores -----------------------------------------------------------------------------------------------


def _scores(
    loaded: LoadedModel, arguments: argparse.Namespace
) -> tuple[Influence, ActivationStats, list[dict[str, Any]]]:
    points = _patterns(arguments)
    section = CollectSection(
        hook_points=points, max_tokens=arguments.tokens, max_length=arguments.length, contexts=False
    )
    texts, seconds = _texts(arguments.scores, arguments.column), {}
    start = time.process_time()
    stats = collect_corpus(loaded, texts, section)
    seconds["collect"] = time.process_time() - start
    asked = InfluenceSection(
        paths=arguments.paths,
        layers=tuple((arguments.layer, target) for target in arguments.targets),
        keep="all",
        ablation=arguments.ablation,
        max_tokens=arguments.all_tokens if arguments.paths == "all" else None,
    )
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        influence = influence_of_corpus(
            loaded,
            texts,
            stats,
            section,
            asked,
            Path(folder),
            name="scores",
            seed=0,
            reporter=PythonWarnings(),
        )
    seconds["influence"] = time.process_time() - start
    if arguments.paths == "all":
        return influence, stats, [_seconds(name, value) for name, value in seconds.items()]
    start, clock = time.process_time(), time.monotonic()
    _all_pairs(loaded, points)
    seconds["all pairs alone"] = time.process_time() - start
    elapsed = time.monotonic() - clock
    rows = [_seconds(name, value) for name, value in seconds.items()]
    rows.append(
        {
            "measure": "influence over collect",
            "score": "processor s",
            "value": seconds["influence"] / seconds["collect"],
        }
    )
    return influence, stats, [*rows, {"measure": "elapsed seconds", "score": "all pairs alone", "value": elapsed}]


def _patterns(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(f"mlp.{layer}" for layer in (arguments.layer, *arguments.targets))


def _seconds(name: str, value: float) -> dict[str, Any]:
    return {"measure": "processor seconds", "score": name, "value": value}


def _all_pairs(loaded: LoadedModel, points: Sequence[str]) -> None:
    """Means, errors and tests of all pairs, from sums of the size that 16 blocks give."""
    source, target = resolve_hook_points(loaded.model, points)
    pair = layer_pair(loaded, source, target)
    rng, shape = np.random.default_rng(0), (pair.n_responses, pair.n_paths)
    upper = tuple(n * (n + 1) // 2 for n in shape)
    sums = PairSums(
        np.full(16, 1_000), rng.standard_normal((16, *shape, target.width)), rng.random((*upper, target.width))
    )
    every = [torch.arange(point.width) for point in (source, target)]
    numbers = [np.arange(point.width, dtype=np.int32) for point in (source, target)]
    standard = Standard(np.ones(source.width), np.ones(target.width), *numbers)
    groups = derivatives(sums, maps_of(pair, *every))
    rates(pairs_tested(groups, standard, min_effect=0.05, freedom=15.0, largest_p=0.05), source.width * target.width)


def _columns(influence: Influence, stats: ActivationStats, truth: Truth, target: int) -> dict[str, np.ndarray]:
    """Every score of the measured sources and all targets of a layer, ``(sources, targets)``."""
    first = int(np.flatnonzero(influence.layers == target)[0])
    p = int((influence.layers == influence.layers.min()).sum())
    rows = influence.neurons[truth.sources]
    std, targets = stats.std, influence.neurons[influence.layers == target]
    covariance = stats.covariance()
    found = {
        "correlation": covariance[np.ix_(rows, targets)] / np.outer(std[rows], std[targets]),
    }
    place = np.full(influence.n_neurons, -1)
    place[np.arange(p)[truth.sources]] = np.arange(len(truth.sources))
    chosen = np.flatnonzero((place[influence.sources] >= 0) & (influence.layers[influence.targets] == target))
    for name in ("mean", "direct", "rms", "ablation", "ablation_rms"):
        values = getattr(influence, name)
        if values is not None and values.size:
            dense = np.zeros((len(truth.sources), len(targets)))
            dense[place[influence.sources[chosen]], influence.targets[chosen] - first] = values[chosen]
            found[f"influence, {name}"] = dense
    return found


def _sizes(influence: Influence) -> list[dict[str, Any]]:
    beyond = float((np.abs(influence.mean) > 4 * influence.error).mean())
    return [
        {"measure": "share of pairs", "score": "beyond 4 standard errors", "value": beyond},
        {"measure": "edges beyond 0.05", "score": "count", "value": influence.metrics.edges},
        {"measure": "tokens", "score": "scores", "value": influence.metrics.tokens},
    ]


# -- truth ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Truth:
    """Measured effects of m sources, in standard deviations, summed over tokens: of ``push`` and of ``ablation``."""

    sources: np.ndarray  # (m,) places among the neurons of the source layer
    counts: np.ndarray  # (2,) tokens of even and odd documents
    targets: dict[int, slice]  # by layer
    sums: dict[str, np.ndarray]  # (2, m, p) each, over even and odd documents; those of squares end in ``²``

    def mean(self, name: str, target: int, half: int | None = None) -> np.ndarray:
        halves = slice(None) if half is None else slice(half, half + 1)
        return np.asarray(self.sums[name][halves, :, self.targets[target]].sum(0) / self.counts[halves].sum())

    def rms(self, name: str, target: int, half: int | None = None) -> np.ndarray:
        return np.asarray(np.sqrt(self.mean(f"{name}²", target, half)))


@torch.no_grad()
def _truth(loaded: LoadedModel, stats: ActivationStats, arguments: argparse.Namespace) -> Truth:
    source, *targets = resolve_hook_points(loaded.model, _patterns(arguments))
    starts = np.cumsum([0, *(target.width for target in targets)]).tolist()
    alive = np.flatnonzero(~stats.dead[: source.width])
    places = np.random.default_rng(0).permutation(len(alive))[: arguments.sources]
    texts = _texts(arguments.truth, arguments.column)
    corpus = tokenize(texts, loaded.tokenizer, max_length=arguments.length, max_tokens=arguments.truth_tokens)
    first = {window.document: window for window in reversed(corpus.windows)}
    windows = [first[document] for document in sorted(first)]
    names = ("push", "push²", *(("ablation", "ablation²") if arguments.ablation else ()))
    counts, sums = np.zeros(2), {name: np.zeros((2, len(places), starts[-1])) for name in names}
    for batch in batches(windows, budget=BATCH, pad_id=0):
        ids, inside = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
        counted = inside.clone()
        counted[:, 0] = False
        odd = torch.from_numpy(batch.documents)[:, None].expand_as(counted)[counted] % 2 == 1
        counts += np.array([int((~odd).sum()), int(odd.sum())])
        passes = Passes(loaded, source, targets, stats, ids, inside, ablation=arguments.ablation)
        for start in range(0, len(places), COPIES):
            for name, effect in passes.effects(alive[places[start : start + COPIES]]).items():
                values = effect[:, counted].numpy()  # (copies, tokens, p)
                for half, rows in enumerate((~odd, odd)):
                    sums[name][half, start : start + COPIES] += values[:, rows].sum(1)
                    sums[f"{name}²"][half, start : start + COPIES] += (values[:, rows] ** 2).sum(1)
    slices = [slice(*ends) for ends in itertools.pairwise(starts)]
    return Truth(places, counts, dict(zip(sorted(arguments.targets), slices, strict=True)), sums)


class Passes:
    """Passes over one batch that begin at the source, each with several interventions, each on its own copy of the batch."""

    def __init__(
        self,
        loaded: LoadedModel,
        source: HookPoint,
        targets: Sequence[HookPoint],
        stats: ActivationStats,
        ids: torch.Tensor,
        inside: torch.Tensor,
        *,
        ablation: bool,
    ) -> None:
        self.model, self.source, self.targets = loaded.model, source, targets
        self.ids, self.mask, self.ablation = ids, inside.long(), ablation
        self.mean, std = (torch.from_numpy(values).float() for values in (stats.mean, stats.std))
        self.std, self.target_std = std[: source.width], std[source.width :]
        self.replay = Replay(self.model, source)
        self.replay.keep(
            lambda: self.model(input_ids=ids, attention_mask=self.mask, use_cache=False), ids.shape[0], ids.shape[1]
        )
        with record(self.model, targets) as recorder:
            self.base = torch.cat(recorder.run(ids, self.mask), dim=-1)

    def effects(self, neurons: np.ndarray) -> dict[str, torch.Tensor]:
        """What each of the ``neurons (m,)`` does to the targets, ``(m, batch, time, p)``."""
        batch, count = len(self.ids), len(neurons)
        kinds = ["up", "down", *(["mean"] if self.ablation else [])]

        def edit(current: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = current.clone().unflatten(0, (len(kinds), count, batch))
            for place, neuron in enumerate(neurons.tolist()):
                values[0, place, ..., neuron] += STEP * self.std[neuron]
                values[1, place, ..., neuron] -= STEP * self.std[neuron]
                values[2:, place, ..., neuron] = self.mean[neuron]
            return torch.flatten(values, 0, 2)

        copies = len(kinds) * count
        with (
            record(self.model, self.targets) as recorder,
            ablate(self.model, [Intervention(self.source, edit)]),
            self.replay.again(copies),
        ):
            read = recorder.run(self.ids.repeat(copies, 1), self.mask.repeat(copies, 1))
        made = torch.cat(read, dim=-1).unflatten(0, (len(kinds), count, batch)) / self.target_std
        found = {"push": (made[0] - made[1]) / (2 * STEP)}
        if self.ablation:
            found["ablation"] = made[2] - self.base / self.target_std
        return found


# -- how good ---------------------------------------------------------------------------------------------


def _judged(scores: dict[str, np.ndarray], truth: Truth, target: int) -> list[dict[str, Any]]:
    rows = []
    for kind in ("push", "ablation") if "ablation" in truth.sums else ("push",):
        for name, effects in (("mean", truth.mean), ("root mean square", truth.rms)):
            measure, strong = f"AP, {name} effect of {kind}", _strongest(effects(kind, target), STRONGEST)
            ceiling = average_precision(
                np.abs(effects(kind, target, 0)), _strongest(effects(kind, target, 1), STRONGEST)
            )
            rows.append({"measure": measure, "score": "half against half", "value": ceiling})
            for score, values in scores.items():
                value = average_precision(np.abs(values), strong)
                rows.append({"measure": measure, "score": score, "value": value})
        effect, signed = truth.mean(kind, target), _strongest(truth.mean(kind, target), SIGNED)
        named = ("correlation", "influence, direct", "influence, mean") if kind == "push" else ("influence, ablation",)
        for score in (name for name in named if name in scores):
            right = float((np.sign(scores[score]) == np.sign(effect))[signed].mean())
            rows.append({"measure": f"right signs of the strongest 1 %, {kind}", "score": score, "value": right})
            slope = float((scores[score] * effect).sum() / (scores[score] ** 2).sum())
            rows.append({"measure": f"slope of effect on score, {kind}", "score": score, "value": slope})
    return rows


def _strongest(values: np.ndarray, share: float) -> np.ndarray:
    marked = np.zeros(values.shape, bool)
    marked.ravel()[strongest(values, share)] = True
    return marked


if __name__ == "__main__":
    main()
