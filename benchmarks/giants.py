"""A fit of tens of thousands of planted sparse latents, with no matrix of all pairs: time, memory, and the edges it finds.

    python benchmarks/giants.py [--neurons 65536] [--tokens 200000] [--alphas 0.4 0.2 0.1] [--repeats 1] [--shuffled]

Half of the latents are alone. The others are in trees of 2 to 8: a latent is active where its parent is, with some
probability, and at some tokens of its own. The first of a tree is active in bursts: in a fifth of the documents. All are
zero or one, so the partial correlations are zero beyond the edges of the trees (Loh and Wainwright, 2013). Every other pair
that is drawn is false.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli import fit_sparse
from glasso_cli.artifacts import PrecisionPath

LENGTH = 100  # tokens of a document
RATES = (3e-4, 5e-3)  # shares of the tokens at which the rarest and the commonest latents are active
BURSTS = 0.2  # share of the documents in which the first latent of a tree is active
SIZES = (2, 9)  # of a tree


@dataclass(frozen=True, eq=False)
class Planted:
    """Latents of n tokens, and the pairs ``parent < child (E,)`` that depend on each other."""

    values: csr_array  # (n, p) float32
    documents: np.ndarray  # (n,)
    parents: np.ndarray
    children: np.ndarray


def planted(neurons: int, tokens: int, seed: int) -> Planted:
    """Trees and single latents, in random order."""
    random = np.random.default_rng(seed)
    documents = np.arange(tokens) // LENGTH
    parent = _forest(neurons, random)
    rates = RATES[0] * (RATES[1] / RATES[0]) ** random.random(neurons)
    active: list[np.ndarray] = []
    for latent in range(neurons):
        if parent[latent] < 0:
            active.append(_burst(random, rates[latent], tokens))
        else:
            above = active[parent[latent]]
            own = random.integers(tokens, size=random.poisson(0.3 * len(above) + 5))
            active.append(np.union1d(above[random.random(len(above)) < random.uniform(0.4, 0.8)], own))
    order = random.permutation(neurons)
    rows = np.concatenate(active)
    cols = np.repeat(order, [len(part) for part in active])
    values = csr_array((np.ones(len(rows), np.float32), (rows, cols)), shape=(tokens, neurons))
    child = np.flatnonzero(parent >= 0)
    first, second = order[parent[child]], order[child]
    return Planted(values, documents, np.minimum(first, second), np.maximum(first, second))


def shuffled(truth: Planted, seed: int) -> Planted:
    """The same latents, each with its documents in an order of its own, and no pair that depends on each other."""
    random = np.random.default_rng([seed, 7])
    tokens, neurons = truth.values.shape
    count = tokens // LENGTH
    entries = truth.values.tocoo()
    token, latent = entries.coords
    order = np.stack([random.permutation(count) for _ in range(neurons)])
    moved = order[latent, token // LENGTH] * LENGTH + token % LENGTH
    values = csr_array((entries.data, (moved, latent)), shape=truth.values.shape)
    return Planted(values, truth.documents, truth.parents[:0], truth.children[:0])


def _forest(neurons: int, random: np.random.Generator) -> np.ndarray:
    """The parent of each latent, or -1; parents come first."""
    parent = np.full(neurons, -1)
    at = 0
    while at < neurons // 2:
        size = int(random.integers(*SIZES))
        for latent in range(at + 1, min(at + size, neurons)):
            parent[latent] = random.integers(at, latent)
        at += size
    return parent


def _burst(random: np.random.Generator, rate: float, tokens: int) -> np.ndarray:
    """Tokens at which a latent is active, increasing: some of those of a fifth of the documents."""
    count = tokens // LENGTH
    some = random.choice(count, max(1, round(BURSTS * count)), replace=False)
    draws = random.poisson(rate * tokens) + 5
    return np.unique(some[random.integers(len(some), size=draws)] * LENGTH + random.integers(LENGTH, size=draws))


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Print seconds of processor time and on the clock, and the peak memory of the process so far."""
    cpu, clock = time.process_time(), time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    print(f"{what}: {cpu:.0f} s of processor time, {clock:.0f} s, peak memory {peak:.2f} GB", flush=True)


def judged(truth: Planted, fit: PrecisionPath) -> str:
    """A row of the table: how many edges are drawn, which share of them is false, and which share of the planted ones is drawn."""
    p = truth.values.shape[1]
    part = fit.drawn()
    found = fit.neurons[fit.rows[part]].astype(np.int64) * p + fit.neurons[fit.cols[part]]
    right = np.isin(found, truth.parents.astype(np.int64) * p + truth.children)
    false = 1 - right.mean() if len(found) else 0.0
    metrics = fit.metrics
    cells = [
        f"{p:,}",
        f"{truth.values.shape[0]:,}",
        f"{truth.values.nnz / truth.values.shape[0]:.0f}",
        metrics.variance,
        f"{metrics.estimate.alpha:.3g}",
        f"{int(fit.n_components[int(fit.selected)]):,}",
        f"{metrics.edges_at_alpha:,}",
        f"{len(found):,}",
        f"{false:.4f}",
        f"{right.sum() / len(truth.parents):.3f}" if len(truth.parents) else "-",
        f"{metrics.duality_gap:.1e}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, nargs="*", default=[65_536])
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--alphas", type=float, nargs="*", default=[0.4, 0.2, 0.1])
    parser.add_argument("--variance", default="auto")
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--min-effect", type=float, default=0.02)
    parser.add_argument("--half-samples", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--shuffled", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for neurons in arguments.neurons:
        for seed in range(arguments.repeats):
            with measured(f"{neurons:,} latents planted"):
                truth = planted(neurons, arguments.tokens, seed)
                truth = shuffled(truth, seed) if arguments.shuffled else truth
            with measured("fitted"):
                fit = fit_sparse(
                    truth.values,
                    truth.documents,
                    alpha=arguments.alphas,
                    select={"rule": "fixed", "alpha": min(arguments.alphas)},
                    blocks=arguments.blocks,
                    variance=arguments.variance,
                    min_effect=arguments.min_effect,
                    half_samples=arguments.half_samples,
                    seed=seed,
                )
            rows.append(judged(truth, fit))
    print(
        "| latents | tokens | active | variance | alpha of the tests | components | edges | drawn | FDR | power | gap |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
