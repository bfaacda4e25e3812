"""One pass over the blocks for pairs and groups of neurons: written out, sparse against dense, and leaving blocks out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import blocks_of, chain, documents, rows_of

from glasso_cli.inference.estimates import inverse_estimate
from glasso_cli.inference.held_precision import held_pairs
from glasso_cli.linalg.precision import to_partial_correlations

P = 8
TOKENS = documents(chain(P), 200, 20) * np.arange(1, P + 1) - 1.0
PAIRS = np.array([6, 0, 3]), np.array([7, 5, 4])
GROUPS = np.array([5, 2, 7]), np.array([1]), np.zeros(0, np.int64), np.arange(P)


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("neurons", [np.arange(P), np.array([0, 2, 3, 5, 6, 7]), np.array([6, 1, 0, 3, 2, 5])])
def test_products_are_those_of_projected_tokens(sparse: bool, neurons: np.ndarray) -> None:
    p, blocks = len(neurons), blocks_of(TOKENS, neurons=neurons)
    theta = chain(p, 0.25)
    pairs = np.array([4, 0, 3]), np.array([5, 5, 1])
    groups = np.array([4, 2, 5]), np.array([1]), np.zeros(0, np.int64), np.arange(p)
    found = held_pairs(blocks, csr_array(theta) if sparse else theta, pairs, groups)
    every = rows_of(TOKENS, list(range(16)))[:, neurons]
    ends = [pairs, *((group[i], group[j]) for group in groups for i, j in [np.triu_indices(len(group), 1)])]
    for part, (i, j) in zip(found, ends, strict=True):
        for block in range(16):
            y = (rows_of(TOKENS, [block])[:, neurons] - every.mean(0)) / every.std(0) @ theta.T
            np.testing.assert_allclose(part.products[block], (y[:, i] * y[:, j]).mean(0), atol=2e-6, rtol=1e-4)
            np.testing.assert_allclose(part.means[block][part.i], y.mean(0)[i], atol=1e-6)
            np.testing.assert_allclose(part.squares[block][part.j], (y[:, j] ** 2).mean(0), rtol=1e-5)


def test_a_pair_is_the_same_by_itself_and_in_a_group() -> None:
    theta = chain(P, 0.25)
    pairs, *groups = held_pairs(blocks_of(TOKENS), theta, PAIRS, GROUPS)
    assert [len(group.i) for group in groups] == [3, 0, 0, P * (P - 1) // 2]
    whole = np.zeros((P, P))
    whole[np.triu_indices(P, 1)] = groups[-1].variance()
    np.testing.assert_allclose(pairs.variance(), whole[PAIRS], rtol=1e-4)
    i, j = (GROUPS[0][ends] for ends in np.triu_indices(3, 1))
    np.testing.assert_allclose(groups[0].variance(), (whole + whole.T)[i, j], rtol=1e-4)


def test_moves_are_those_of_leaving_blocks_out() -> None:
    blocks = blocks_of(TOKENS)
    estimate = inverse_estimate(blocks.correlation())
    upper = np.triu_indices(P, 1)

    def fisher(S: np.ndarray) -> np.ndarray:
        return np.asarray(np.arctanh(to_partial_correlations(np.linalg.inv(S))[upper]))

    whole = fisher(blocks.correlation())
    (pairs,) = held_pairs(blocks, estimate.theta, upper)
    for left_out, (moved, share) in enumerate(pairs.moves()):
        rest = [block for block in range(16) if block != left_out]
        pseudo = (whole - fisher(blocks.correlation(rest))) * (1 / share - 1)
        np.testing.assert_allclose(pairs.slope * moved, pseudo, atol=0.05 * np.abs(pseudo).max())
