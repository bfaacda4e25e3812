"""What do derivatives through layers of a known layout cost, beside forward mode, and how far apart are both?

    OMP_NUM_THREADS=1 python benchmarks/all_paths.py --texts reviews.jsonl --documents 4

Both take the derivatives of the MLPs of --target-layer along all directions that the MLP of --layer writes, and sum them up as
`influence.paths: all` does, batch by batch, one after the other. Processor times are printed, per token.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.derivatives.all_paths.blocks import chain_of
from glasso_cli.derivatives.all_paths.derivative import Derivative, Targets
from glasso_cli.derivatives.all_paths.layered import LayeredDerivative
from glasso_cli.derivatives.all_paths.push import Push, push_of
from glasso_cli.derivatives.all_paths.run import batches_of
from glasso_cli.derivatives.all_paths.sums import DerivativeSums, SummedDerivatives
from glasso_cli.hooks import record
from glasso_cli.intervention.feed import Feed, feed_of_texts
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--column", default="text")
    parser.add_argument("--documents", type=int, default=4)
    parser.add_argument("--length", type=int, default=96, help="longest window in tokens")
    parser.add_argument("--model", default="builtin:gemma-3-270m")
    parser.add_argument("--layer", type=int, default=8, help="of the source neurons")
    parser.add_argument("--target-layer", dest="targets", type=int, nargs="+", default=[9, 10])
    arguments = parser.parse_args()
    with open(arguments.texts, encoding="utf-8") as file:
        texts = [json.loads(line)[arguments.column] for line, _ in zip(file, range(arguments.documents))]
    loaded = load_model(arguments.model)
    points = tuple(f"mlp.{layer}" for layer in (arguments.layer, *arguments.targets))
    section = CollectSection(hook_points=points, max_length=arguments.length, contexts=False)
    with (
        texts_reading(
            loaded, iter(texts), points, section, name="texts", reporter=PythonWarnings(), stage="influence"
        ) as reading,
        record(loaded.model, []) as recorder,
    ):
        _compare(loaded, feed_of_texts(loaded, reading, recorder))


def _compare(loaded: LoadedModel, feed: Feed) -> None:
    source, *later = feed.reading.points
    push = push_of(loaded.model, source, np.arange(source.width))
    general = Derivative(feed, push.point, Targets(tuple(later), tuple(torch.arange(point.width) for point in later)))
    chain = chain_of(loaded, source, later)
    if chain is None:
        raise SystemExit("These layers have no known layout.")
    batches = list(batches_of(feed.reading, feed.reading.windows))
    kept = [torch.from_numpy(batch.attention).flatten().nonzero()[:, 0] for batch in batches]
    ways: dict[str, Derivative | LayeredDerivative] = {
        "forward mode": general,
        "known layers": LayeredDerivative(general, chain),
    }
    seconds, squares, apart = dict.fromkeys(ways, 0.0), np.zeros(len(later)), np.zeros(len(later))
    for batch, tokens in zip(batches, kept, strict=True):
        sums = []
        for name, derivative in ways.items():
            start = time.process_time()
            sums.append(_summed(push, later, derivative.along, batch, tokens))
            seconds[name] += time.process_time() - start
        squares += [np.square(of.first).sum() for of in sums[0]]
        apart += [np.square(one.first - other.first).sum() for one, other in zip(*sums, strict=True)]
    total = sum(map(len, kept))
    for name, value in seconds.items():
        print(f"{name}: {value / total:.3f} s of processor time per token, {total} tokens in {len(batches)} batches")
    print(f"ratio {seconds['known layers'] / seconds['forward mode']:.2f}")
    for target, off in zip(later, np.sqrt(apart / squares), strict=True):
        print(f"difference at {target.label}: {off:.1e} of the norm")


def _summed(
    push: Push, targets: list[Any], along: Callable[..., Any], batch: Any, kept: torch.Tensor
) -> list[DerivativeSums]:
    summed = SummedDerivatives(push, [target.width for target in targets], "cpu")
    vectors = push.vectors()
    summed.add(along(batch, kept, vectors, torch.ones(len(vectors))), len(kept), (0,))
    return summed.finish()


if __name__ == "__main__":
    main()
