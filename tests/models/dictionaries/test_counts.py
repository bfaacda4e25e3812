"""Documents by latent, counted from batches in any order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasso_cli.models.dictionaries.counts import LatentCounts
from glasso_cli.models.dictionaries.latents import from_dense

N, M = 400, 37


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    rate = rng.uniform(0, 0.1, size=M)
    rate[4] = 0
    return (rng.random((N, M)) < rate) * rng.uniform(1, 2, size=(N, M))


@pytest.fixture
def documents(rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.integers(0, 30, size=N)) * 11


def counted(values: np.ndarray, documents: np.ndarray, order: np.ndarray, size: int) -> LatentCounts:
    counts = LatentCounts(M)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        counts.update(from_dense(torch.from_numpy(values[rows])), documents[rows])
    return counts


def test_documents_are_counted_whatever_the_order(
    values: np.ndarray, documents: np.ndarray, rng: np.random.Generator
) -> None:
    truth = sum((values[documents == d] > 0).any(0).astype(int) for d in np.unique(documents))
    for order, size in ((np.arange(N), 64), (rng.permutation(N), 17), (rng.permutation(N), N)):
        counts = counted(values, documents, order, size)
        selection = counts.select(5)
        np.testing.assert_array_equal(selection.documents, truth)
        np.testing.assert_array_equal(selection.kept, np.flatnonzero(truth >= 5))
        np.testing.assert_array_equal(selection.left_out, np.flatnonzero(truth < 5))
        np.testing.assert_array_equal(counts.fired_tokens(), (values > 0).sum(0))
        assert (counts.tokens, counts.finished) == (N, len(np.unique(documents)))
    assert 4 in selection.left_out
    assert 0 < len(selection.kept) < M


def test_finished_documents_are_counted_once(values: np.ndarray, documents: np.ndarray) -> None:
    whole = counted(values, documents, np.arange(N), N).select().documents
    counts = LatentCounts(M)
    for document in np.unique(documents):
        rows = documents == document
        counts.update(from_dense(torch.from_numpy(values[rows])), documents[rows])
        counts.finish_documents()
    counts.finish_documents()
    np.testing.assert_array_equal(counts.select().documents, whole)


def test_silent_documents_count_as_documents() -> None:
    counts = LatentCounts(M)
    counts.update(from_dense(torch.zeros(6, M)), np.array([1, 1, 2, 3, 3, 3]))
    assert len(counts.select(1).kept) == 0
    assert counts.finished == 3


def test_batches_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="documents"):
        LatentCounts(M).update(from_dense(torch.zeros(6, M)), np.zeros(5, int))
    with pytest.raises(ValueError, match="latents"):
        LatentCounts(M).update(from_dense(torch.zeros(6, M + 1)), np.zeros(6, int))
