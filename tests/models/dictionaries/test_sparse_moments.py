"""Moments of active latents are the moments of all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from glasso_cli.collection.block_moments import BlockMoments
from glasso_cli.linalg.moments import covariance
from glasso_cli.models.dictionaries import sparse_moments as module
from glasso_cli.models.dictionaries.counts import LatentCounts
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.latents import from_dense
from glasso_cli.models.dictionaries.sparse_moments import LatentBlock, SparseMoments

N, M = 900, 60


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    active = rng.random((N, M)) < rng.uniform(0, 0.2, size=M)
    return (active * rng.lognormal(size=(N, M))).astype(np.float32)


@pytest.fixture
def kept(rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(M, size=25, replace=False))


def summed(values: np.ndarray, kept: np.ndarray, order: np.ndarray, size: int) -> SparseMoments:
    moments = SparseMoments(kept, M)
    for start in range(0, len(order), size):
        moments.update(from_dense(torch.from_numpy(values[order[start : start + size]])))
    return moments


def test_they_equal_the_dense_ones_in_any_order(values: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> None:
    dense = BlockMoments(len(kept))
    dense.update(torch.from_numpy(values[:, kept]))
    truth = dense.finish()
    for order, size in ((np.arange(N), 128), (rng.permutation(N), 7), (rng.permutation(N), N)):
        block = summed(values, kept, order, size).finish()
        assert block.count == truth.count
        np.testing.assert_allclose(block.sums, truth.sums, rtol=1e-13)
        np.testing.assert_allclose(block.moments, truth.moments, rtol=1e-13)


def test_a_centre_is_taken_off_afterwards(values: np.ndarray, kept: np.ndarray) -> None:
    centre = values[:100, kept].mean(0).astype(np.float64)
    dense = BlockMoments(len(kept))
    dense.update(torch.from_numpy(values[:, kept].astype(np.float64) - centre))
    truth, block = dense.finish(), summed(values, kept, np.arange(N), 200).finish(centre)
    np.testing.assert_allclose(block.sums, truth.sums, atol=1e-10)
    np.testing.assert_allclose(block.moments, truth.moments, atol=1e-10)


def test_the_covariance_is_that_of_the_latents(values: np.ndarray, kept: np.ndarray) -> None:
    halves = [summed(values, kept, order, 100).finish() for order in np.array_split(np.arange(N), 2)]
    found = covariance(*(np.stack([getattr(b, name) for b in halves]) for name in ("count", "sums", "moments")))
    np.testing.assert_allclose(found, np.cov(values[:, kept].T.astype(np.float64), ddof=0), atol=1e-10)


def test_the_same_batches_give_the_same_bytes(
    values: np.ndarray, kept: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (summed(values, kept, np.arange(N), 300).finish() for _ in range(2))
    assert first.moments.tobytes() == second.moments.tobytes()
    monkeypatch.setattr(module, "_ROWS", 50)
    np.testing.assert_allclose(summed(values, kept, np.arange(N), 300).finish().moments, first.moments, rtol=1e-13)


def test_blocks_may_be_empty_or_silent(kept: np.ndarray) -> None:
    def check(block: LatentBlock, count: int) -> None:
        assert block.count == count
        assert not block.sums.any()
        assert not block.moments.any()

    moments = SparseMoments(kept, M)
    check(moments.finish(), 0)
    moments.update(from_dense(torch.zeros(5, M)))
    moments.update(from_dense(torch.zeros(0, M)))
    check(moments.finish(), 5)
    nothing = SparseMoments(np.array([], dtype=int), M)
    nothing.update(from_dense(torch.ones(5, M)))
    assert nothing.finish().moments.shape == (0,)


def test_two_passes_over_a_dictionary(planted: Callable[..., tuple[Dictionary, torch.Tensor]]) -> None:
    dictionary, x = planted()
    documents = np.arange(len(x)) // 10
    counts = LatentCounts(dictionary.width)
    for rows in np.array_split(np.arange(len(x)), 7):
        counts.update(dictionary.encode_sparse(x[rows]), documents[rows])
    selection = counts.select()
    assert 0 < len(selection.kept) < dictionary.width
    moments = SparseMoments(selection.kept, dictionary.width)
    for rows in np.array_split(np.arange(len(x)), 3):
        moments.update(dictionary.encode_sparse(x[rows]))
    z = dictionary.encode(x).double().numpy()[:, selection.kept]
    block = moments.finish()
    np.testing.assert_allclose(block.moments, (z.T @ z)[np.triu_indices(z.shape[1])], rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("kept", [[3, 2], [2, 2], [-1, 2], [5, M]])
def test_latents_out_of_order_or_range_are_refused(kept: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending order"):
        SparseMoments(np.array(kept), M)


def test_wrong_widths_are_refused(kept: np.ndarray) -> None:
    with pytest.raises(ValueError, match="are expected"):
        SparseMoments(kept, M).update(from_dense(torch.zeros(5, M - 1)))
    with pytest.raises(ValueError, match="a centre of shape"):
        SparseMoments(kept, M).finish(np.zeros(3))
