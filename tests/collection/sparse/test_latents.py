"""What is known of every latent without a matrix of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import autocorrelation
from support.sparse_values import block_of_tokens, latents

from glasso_cli.collection.sparse.latents import autocorrelation_of, unusable_of
from glasso_cli.inference.sparse.values import SparseValues


@pytest.mark.slow
def test_the_autocorrelation_is_that_within_documents() -> None:
    """Up to the edges of the documents, where fewer pairs of tokens are averaged."""
    random = np.random.default_rng(0)
    steps = random.standard_normal((200, 60, 5))
    for t in range(1, 60):
        steps[:, t] = 0.8 * steps[:, t - 1] + 0.6 * steps[:, t]
    tokens = np.maximum(steps - 1, 0).astype(np.float32)
    found = autocorrelation_of(csr_array(tokens.reshape(-1, 5)), np.repeat(np.arange(200), 60), 4)
    np.testing.assert_allclose(found, autocorrelation(tokens, 4), atol=0.01)
    tokens = tokens.astype(np.float64)
    centred = tokens - tokens.mean(axis=(0, 1))
    by_hand = (centred[:, 2:] * centred[:, :-2]).mean(axis=(0, 1)) / tokens.var(axis=(0, 1))
    np.testing.assert_allclose(found[:, 1], by_hand, atol=1e-5)


def test_neurons_without_variance_and_repeated_ones_are_found() -> None:
    tokens = latents(8)
    tokens[..., 2] = 0
    tokens[..., 5] = -2 * tokens[..., 1]
    tokens[..., 7] = 1.5
    tokens[..., 6] = tokens[..., 1]
    values = SparseValues.of(csr_array(tokens.reshape(-1, 8)), block_of_tokens(tokens))
    dead, duplicate_of = unusable_of(values)
    np.testing.assert_array_equal(np.flatnonzero(dead), [2, 7])
    np.testing.assert_array_equal(duplicate_of, [-1, -1, -1, -1, -1, 1, 1, -1])
