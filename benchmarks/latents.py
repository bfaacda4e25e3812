"""How long the sums of `collect` take over latents: from all values, and from those that are not zero.

    python benchmarks/latents.py [--widths 2000 8000 16384] [--active 30 60 100] [--dictionary FOLDER]

Synthetic latents: 1,024 tokens in windows of 128, of which each has the given number of active latents, some of them much
commoner than others. Both ways run in turn in this process on the same values; the parts that are the same for both are
timed as well. With ``--dictionary``, a whole `collect` of the built-in Gemma 3 270M with those latents, on the built-in
passages on climate change, sums both ways too. On one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from glasso_cli.collection import corpus_pass
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.block import DenseProducts
from glasso_cli.collection.contexts import PoleContexts
from glasso_cli.collection.marginals import Marginals
from glasso_cli.collection.pilot import Pilot, measure_sample
from glasso_cli.collection.run import collect_corpus
from glasso_cli.collection.sparse.products import SparseProducts
from glasso_cli.config import CollectSection
from glasso_cli.corpora.topics import passages
from glasso_cli.models.load import load_model

TOKENS, WINDOW, LAGS = 1_024, 128, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="*", default=[2_000, 8_000, 16_384])
    parser.add_argument("--active", type=int, nargs="*", default=[30, 60, 100])
    parser.add_argument("--dictionary", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| latents | active | dense products | sparse products | ratio | marginals | contexts | all sums, ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for width, active in zip(arguments.widths, arguments.active, strict=True):
        print(synthetic(width, active), flush=True)
    if arguments.dictionary is not None:
        print(real(arguments.dictionary))


def synthetic(width: int, active: int) -> str:
    """One row of the table."""
    batch = random_latents(width, active)
    pilot = measure_sample(batch, "none")
    kept = batch.values[batch.kept]
    marginals, poles = Marginals(pilot.mean, pilot.std, pilot.steps), PoleContexts(width)
    sparse, dense = SparseProducts(pilot.centre(), LAGS), DenseProducts(pilot, Autocorrelation(width, LAGS))
    few, every = seconds(lambda: sparse.update(batch, kept)), seconds(lambda: dense.update(batch, kept))
    alike = seconds(lambda: marginals.update(kept)), seconds(lambda: poles.update(batch))
    whole = (every + sum(alike)) / (few + sum(alike))
    cells = [f"{width:,}", active, *(f"{t:.3f} s" for t in (every, few)), f"{every / few:.1f}"]
    return "| " + " | ".join(map(str, [*cells, *(f"{t:.3f} s" for t in alike), f"{whole:.1f}"])) + " |"


def seconds(act: Callable[[], None]) -> float:
    """The median of three runs after a first one."""
    times = []
    for _ in range(4):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))


def random_latents(width: int, active: int) -> ActivationBatch:
    """Tokens with ``active`` of ``width`` latents each, all kept."""
    random = torch.Generator().manual_seed(0)
    common = torch.exp(1.2 * torch.randn(width, generator=random))
    columns = torch.multinomial(common.expand(TOKENS, width), active, generator=random)
    values = torch.zeros(TOKENS, width).scatter_(1, columns, 0.1 + torch.rand(TOKENS, active, generator=random))
    return ActivationBatch(
        values=values,
        tokens=torch.randint(1_000, (TOKENS,), generator=random),
        rules=torch.zeros(TOKENS, dtype=torch.int64),
        lengths=torch.full((TOKENS // WINDOW,), WINDOW),
        documents=torch.arange(TOKENS // WINDOW),
    )


class Both(SparseProducts):
    """Sparse sums, and dense ones beside them on the same batches; both are timed."""

    dense = sparse = apart = 0.0

    def __init__(self, centre: np.ndarray, lags: int, null_seed: tuple[int, ...] | None = None) -> None:
        super().__init__(centre, lags, null_seed)
        mean = torch.from_numpy(centre).float()
        self._every = DenseProducts(Pilot(mean, mean, None, mean), Autocorrelation(len(centre), lags))

    def update(self, batch: ActivationBatch, kept: torch.Tensor) -> None:
        """Add a batch to both, dense sums first."""
        started = time.perf_counter()
        self._every.update(batch, kept)
        between = time.perf_counter()
        super().update(batch, kept)
        Both.dense, Both.sparse = Both.dense + between - started, Both.sparse + time.perf_counter() - between

    def finish(self) -> dict[str, np.ndarray]:
        """The sparse sums."""
        started = time.perf_counter()
        dense = self._every.finish()["moments"]
        between = time.perf_counter()
        found = super().finish()
        Both.dense, Both.sparse = Both.dense + between - started, Both.sparse + time.perf_counter() - between
        Both.apart = max(Both.apart, float(np.abs(dense - found["moments"]).max() / np.abs(dense).max()))
        return found


def real(folder: Path) -> str:
    """A whole `collect` that sums both ways, in words."""
    loaded, texts = load_model("builtin:gemma-3-270m"), list(passages("climate change"))
    section = CollectSection.model_validate({"sae": {"file": str(folder), "least_documents": 15}})
    vars(corpus_pass)["SparseProducts"] = Both
    started = time.perf_counter()
    stats = collect_corpus(loaded, texts, section)
    whole = time.perf_counter() - started
    return (
        f"{folder}: {stats.n_neurons:,} latents, {stats.n_tokens:,} tokens; of {whole:.1f} s, dense products take "
        f"{Both.dense:.2f} s and sparse ones {Both.sparse:.2f} s ({Both.dense / Both.sparse:.1f}); moments differ by "
        f"{Both.apart:.1e} of the largest"
    )


if __name__ == "__main__":
    main()
