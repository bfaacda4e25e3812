"""Moments of values that are mostly zero are the moments of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasso_cli.collection.block_moments import BlockMoments
from glasso_cli.collection.sparse.active import active
from glasso_cli.collection.sparse.moments import SparseMoments
from glasso_cli.linalg.moments import covariance

N, P = 900, 25


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    nonzero = rng.random((N, P)) < rng.uniform(0, 0.2, size=P)
    return (nonzero * rng.standard_normal((N, P))).astype(np.float32)


def summed(values: np.ndarray, size: int) -> SparseMoments:
    moments = SparseMoments(P)
    for start in range(0, len(values), size):
        moments.update(active(torch.from_numpy(values[start : start + size])))
    return moments


@pytest.mark.parametrize("centred", [False, True])
def test_they_equal_the_dense_ones_in_any_order(values: np.ndarray, centred: bool, rng: np.random.Generator) -> None:
    centre = values[:100].mean(0).astype(np.float64) if centred else np.zeros(P)
    dense = BlockMoments(P)
    dense.update(torch.from_numpy(values.astype(np.float64) - centre))
    truth = dense.finish()
    for order, size in ((np.arange(N), 128), (rng.permutation(N), 7), (rng.permutation(N), N)):
        block = summed(values[order], size).finish(centre)
        assert block.count == truth.count
        np.testing.assert_allclose(block.sums, truth.sums, atol=1e-10)
        np.testing.assert_allclose(block.moments, truth.moments, atol=1e-10)


def test_the_covariance_is_that_of_the_values(values: np.ndarray) -> None:
    halves = [summed(values[rows], 100).finish(np.zeros(P)) for rows in np.array_split(np.arange(N), 2)]
    found = covariance(*(np.stack([getattr(b, name) for b in halves]) for name in ("count", "sums", "moments")))
    np.testing.assert_allclose(found, np.cov(values.T.astype(np.float64), ddof=0), atol=1e-10)


@pytest.mark.parametrize("size", [1, 7, 300])
def test_batches_of_any_size_give_the_same_bytes(values: np.ndarray, size: int) -> None:
    centre = np.linspace(0, 1, P)
    one, other = summed(values, N).finish(centre), summed(values, size).finish(centre)
    assert one.moments.tobytes() == other.moments.tobytes()
    assert one.sums.tobytes() == other.sums.tobytes()


def test_blocks_may_be_empty_or_silent() -> None:
    moments = SparseMoments(P)
    for tokens, count in ((0, 0), (5, 5)):
        moments.update(active(torch.zeros(tokens, P)))
        block = moments.finish(np.zeros(P))
        assert block.count == count
        assert not block.sums.any()
        assert not block.moments.any()


def test_wrong_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="are expected"):
        SparseMoments(P).update(active(torch.zeros(5, P - 1)))
    with pytest.raises(ValueError, match="a centre of shape"):
        SparseMoments(P).finish(np.zeros(3))
