"""Sparse values by token and by neuron."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.sparse_values import BLOCKS, block_of_tokens, latents

from glasso_cli.errors import InputError
from glasso_cli.inference.sparse.values import SparseValues

TOKENS = latents(12, documents=20, length=5, rate=0.3)
FLAT = TOKENS.reshape(-1, 12)


def made() -> SparseValues:
    return SparseValues.of(csr_array(FLAT), block_of_tokens(TOKENS))


def test_tokens_stand_block_after_block() -> None:
    order = np.argsort(block_of_tokens(TOKENS), kind="stable")
    values = made()
    np.testing.assert_array_equal(values.matrix.toarray(), FLAT[order])
    np.testing.assert_array_equal(values.counts, np.bincount(block_of_tokens(TOKENS)))


def test_every_neuron_knows_its_entries() -> None:
    values = made()
    dense = values.matrix.toarray()
    for neuron in range(12):
        part = slice(values.column_starts[neuron], values.column_starts[neuron + 1])
        np.testing.assert_array_equal(values.tokens[part], np.flatnonzero(dense[:, neuron]))
        np.testing.assert_array_equal(values.matrix.data[values.places[part]], dense[values.tokens[part], neuron])


def test_sums_means_and_spreads() -> None:
    values, blocks = made(), block_of_tokens(TOKENS)
    for block in range(BLOCKS):
        np.testing.assert_allclose(values.sums[block], FLAT[blocks == block].sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(values.mean, FLAT.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(values.std, FLAT.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(values.standardised().std, 1, rtol=1e-5)


def test_products_and_parts() -> None:
    values = made()
    right = csr_array(np.tril(np.ones((12, 12))))
    np.testing.assert_allclose(
        values.times(right).matrix.toarray(), values.matrix.toarray() @ right.toarray(), rtol=1e-5
    )
    some = values.neurons(np.array([2, 3, 7]))
    np.testing.assert_array_equal(some.matrix.toarray(), values.matrix.toarray()[:, [2, 3, 7]])
    np.testing.assert_allclose(some.std, values.std[[2, 3, 7]])
    half = values.of_blocks(np.array([1, 4]))
    blocks = np.sort(block_of_tokens(TOKENS))
    np.testing.assert_array_equal(half.matrix.toarray(), values.matrix.toarray()[np.isin(blocks, [1, 4])])
    np.testing.assert_array_equal(half.filled, [1, 4])


def test_in_how_many_blocks_a_neuron_varies() -> None:
    tokens = np.zeros((BLOCKS, 4, 3), np.float32)
    tokens[:, 0, 0] = 1
    tokens[2, 1, 1] = 1
    tokens[:, :, 2] = 3  # constant: never zero, but it does not vary
    values = SparseValues.of(csr_array(tokens.reshape(-1, 3)), block_of_tokens(tokens))
    np.testing.assert_array_equal(values.blocks_of_variation(), [BLOCKS, 1, 0])
    assert not values.standardised().matrix.toarray()[:, 2].any()


def test_the_values_given_are_left_as_they_are() -> None:
    matrix = csr_array(FLAT)
    before = matrix.copy()
    SparseValues.of(matrix, np.zeros(len(FLAT), int)).standardised()
    assert (matrix != before).nnz == 0


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        SparseValues.of(csr_array(np.array([[1.0, np.nan]])), np.zeros(1, int))
