"""Moments by blocks against the covariance of the same tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glasso_cli.collection.block_moments import Block, BlockMoments
from glasso_cli.linalg import moments


def heavy_tailed(n: int, p: int, seed: int = 0) -> np.ndarray:
    """Correlated float32 values with the tails of gated activations, far from zero mean."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) / np.sqrt(p)
    return np.asarray((3 + mixed * np.abs(rng.standard_normal((n, p))) ** 1.5).astype(np.float32))


def summed(values: np.ndarray, chunks: list[int]) -> Block:
    block = BlockMoments(values.shape[1])
    for rows in np.split(values, np.cumsum(chunks)):
        block.update(torch.from_numpy(rows))
    return block.finish()


def in_blocks(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """counts, sums and packed moments of rows dealt to blocks in turn."""
    blocks = [summed(values[index::count], [3]) for index in range(count)]
    arrays = zip(*((block.count, block.sums, block.moments) for block in blocks), strict=True)
    counts, sums, packed = map(np.array, arrays)
    return counts, sums, packed


@pytest.mark.parametrize("count", [1, 2, 16])
def test_any_number_of_blocks_gives_the_covariance_of_all_tokens(count: int) -> None:
    values = heavy_tailed(400, 20)
    expected = np.cov(values.astype(np.float64).T, ddof=0)
    found = moments.covariance(*in_blocks(values, count))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_storage_in_float32_costs_a_millionth() -> None:
    values = heavy_tailed(400, 20)
    centred = values - values.mean(axis=0)
    counts, sums, packed = in_blocks(centred, 16)
    found = moments.covariance(counts, sums, packed.astype(np.float32))
    expected = np.cov(values.astype(np.float64).T, ddof=0)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(found - expected) / scale).max() < 1e-6


@given(st.lists(st.integers(0, 90), max_size=8), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_chunks_do_not_matter(chunks: list[int], p: int) -> None:
    values = heavy_tailed(150, p)
    one, many = summed(values, []), summed(values, chunks)
    assert one.count == many.count == 150
    np.testing.assert_allclose(many.sums, one.sums, rtol=1e-12)
    np.testing.assert_allclose(many.moments, one.moments, rtol=1e-12, atol=1e-12 * one.moments.max())


def test_more_tokens_and_neurons_than_one_panel() -> None:
    values = heavy_tailed(1100, 600)
    block = summed(values, [])
    exact = values.astype(np.float64)
    np.testing.assert_allclose(block.sums, exact.sum(axis=0), rtol=1e-12)
    found = moments.unpack_upper(block.moments, 600)
    expected = exact.T @ exact
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * expected.max())


def test_the_centre_drops_out() -> None:
    values = heavy_tailed(300, 8).astype(np.float64)
    far = np.float64(2.0**20)
    near = moments.covariance(*in_blocks(values, 4))
    shifted = moments.covariance(*in_blocks(values + far, 4))
    np.testing.assert_allclose(shifted, near, atol=1e-3)


def test_any_subset_is_the_covariance_of_its_documents() -> None:
    values = heavy_tailed(330, 12)
    counts, sums, packed = in_blocks(values, 6)
    chosen = [4, 0, 3]
    rows = np.isin(np.arange(330) % 6, chosen)
    expected = np.cov(values[rows].astype(np.float64).T, ddof=0)
    found = moments.covariance(counts, sums, packed, chosen)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_a_block_named_twice_counts_twice() -> None:
    values = heavy_tailed(330, 12)
    arrays = in_blocks(values, 6)
    rows = np.concatenate([values[1::6], values[1::6], values[5::6]])
    found = moments.covariance(*arrays, [1, 5, 1])
    np.testing.assert_allclose(found, np.cov(rows.astype(np.float64).T, ddof=0), rtol=1e-9, atol=1e-12)


def test_bytes_do_not_depend_on_the_order_of_naming() -> None:
    arrays = in_blocks(heavy_tailed(330, 12), 6)
    first = moments.covariance(*arrays, [0, 2, 3, 5])
    assert moments.covariance(*arrays, [5, 3, 0, 2]).tobytes() == first.tobytes()


def test_an_empty_block_adds_nothing() -> None:
    values = heavy_tailed(50, 5)
    counts, sums, packed = in_blocks(values, 2)
    nothing = summed(values[:0], [])
    assert nothing.count == 0
    found = moments.covariance(
        np.append(counts, 0), np.vstack([sums, nothing.sums]), np.vstack([packed, nothing.moments])
    )
    np.testing.assert_array_equal(found, moments.covariance(counts, sums, packed))


@pytest.mark.parametrize("width", [1, 2, 7])
def test_packing_is_the_upper_triangle_row_by_row(width: int) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((width, width))
    matrix += matrix.T
    packed = moments.pack_upper(matrix)
    np.testing.assert_array_equal(packed, matrix[np.triu_indices(width)])
    assert len(packed) == moments.packed_length(width)
    np.testing.assert_array_equal(moments.unpack_upper(packed, width), matrix)


def test_packing_never_reads_below_the_diagonal() -> None:
    matrix = np.full((4, 4), np.nan)
    matrix[np.triu_indices(4)] = 1.0
    assert np.isfinite(moments.pack_upper(matrix)).all()


def test_correlation_has_a_unit_diagonal_and_stays_in_range() -> None:
    values = heavy_tailed(200, 6)
    values[:, 5] = -2 * values[:, 0]
    covariance = np.cov(values.astype(np.float64).T, ddof=0)
    found = moments.correlation(covariance)
    np.testing.assert_allclose(found, np.corrcoef(values.T.astype(np.float64)), atol=1e-12)
    assert (np.diag(found) == 1).all()
    assert np.abs(found).max() == 1.0
    np.testing.assert_array_equal(found, found.T)


def test_no_tokens_have_no_covariance() -> None:
    counts, sums, packed = in_blocks(heavy_tailed(0, 3), 2)
    with pytest.raises(ValueError, match="no tokens"):
        moments.covariance(counts, sums, packed)


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(IndexError):
        moments.covariance(*in_blocks(heavy_tailed(20, 3), 2), [2])


def test_values_of_another_width_are_refused() -> None:
    block = BlockMoments(4)
    with pytest.raises(RuntimeError):
        block.update(torch.zeros(3, 5))
