"""Random batches of activations, and the slow, plain way to walk through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from glasso_cli.collection.batch import ActivationBatch


def random_batch(
    lengths: Sequence[int], p: int = 3, *, seed: int = 0, masked: float = 0.2, first_document: int = 0
) -> ActivationBatch:
    """Values with ties (multiples of 1/2, many zeros), random masks, one document a window."""
    rng = np.random.default_rng(seed)
    ordered = sorted(lengths, reverse=True)
    n = sum(ordered)
    values = np.maximum(np.round(2 * rng.standard_normal((n, p))) / 2, -0.5)
    return ActivationBatch(
        values=torch.tensor(values, dtype=torch.float32),
        tokens=torch.tensor(rng.integers(0, 50, n)),
        rules=torch.tensor(rng.random(n) < masked).long(),
        lengths=torch.tensor(ordered),
        documents=torch.arange(first_document, first_document + len(ordered)),
    )


def windows(batch: ActivationBatch) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Document, values, tokens and kept of every window, as arrays."""
    start = 0
    for document, length in zip(batch.documents.tolist(), batch.lengths.tolist(), strict=True):
        rows = slice(start, start + length)
        yield document, batch.values[rows].numpy(), batch.tokens[rows].numpy(), batch.kept[rows].numpy()
        start += length


def kept_values(batches: Sequence[ActivationBatch]) -> np.ndarray:
    """All kept tokens of some batches, ``(n, p)`` float64."""
    return np.concatenate([batch.values[batch.kept].numpy() for batch in batches]).astype(np.float64)
