from __future__ import annotations

import numpy as np
import pytest
from support.planted import blocks_of, chain, documents, rows_of

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import blocks_of_variation, check_blocks, taken_out
from glasso_cli.inference.factors import leading_factors

TOKENS = documents(chain(6), 70, 11, ar=0.5) * np.arange(1, 7) + 3.0


@pytest.mark.parametrize("blocks", [None, [0], [3, 1, 8], [2, 2, 5]])
def test_any_blocks_give_the_correlation_of_their_tokens(blocks: list[int] | None) -> None:
    found = blocks_of(TOKENS).correlation(blocks)
    expected = np.corrcoef(rows_of(TOKENS, list(range(16)) if blocks is None else blocks).T)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found == found.T).all()


def test_documents_of_a_block_may_come_in_any_order() -> None:
    mixed = TOKENS.copy()
    mixed[[0, 16, 32]] = TOKENS[[32, 0, 16]]
    np.testing.assert_allclose(blocks_of(mixed).correlation([0, 4]), blocks_of(TOKENS).correlation([0, 4]), atol=1e-14)


def test_chosen_neurons_are_those_of_the_whole() -> None:
    chosen = np.array([1, 2, 5])
    part = blocks_of(TOKENS, neurons=chosen)
    np.testing.assert_allclose(part.correlation([0, 7]), blocks_of(TOKENS).correlation([0, 7])[np.ix_(chosen, chosen)])
    rows = np.random.default_rng(0).standard_normal((2, 3))
    wide = np.zeros((2, 6))
    wide[:, chosen] = rows
    for found, expected in zip(part.projected(3, rows), blocks_of(TOKENS).projected(3, wide), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factors", [0, 2])
def test_a_block_is_projected_as_its_standardised_tokens_are(factors: int) -> None:
    blocks, every = blocks_of(TOKENS), rows_of(TOKENS, list(range(16)))
    project = np.eye(6)
    if factors:
        removed = leading_factors(blocks.correlation(), factors)
        blocks, project = blocks.without(removed), project - removed.vectors @ removed.vectors.T
    standard = (every - every.mean(0)) / every.std(0) @ project
    part = (rows_of(TOKENS, [5]) - every.mean(0)) / every.std(0) @ project / standard.std(0)
    rows = np.random.default_rng(0).standard_normal((3, 6))
    mean, second = blocks.projected(5, rows)
    np.testing.assert_allclose(mean, rows @ part.mean(0), atol=1e-6)
    np.testing.assert_allclose(second, rows @ part.T @ part @ rows.T / len(part), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factors", [0, 2])
def test_held_out_tokens_are_standardised_as_the_training_ones_are(factors: int) -> None:
    blocks = blocks_of(TOKENS)
    every, train, test = (rows_of(TOKENS, some) for some in (list(range(16)), [0, 2, 9], [4, 5]))
    project = np.eye(6)
    if factors:
        removed = leading_factors(blocks.correlation(), factors)
        blocks = blocks.without(removed)
        project -= removed.vectors @ removed.vectors.T
    seen, new = ((some - train.mean(0)) / every.std(0) @ project for some in (train, test))
    new = new / seen.std(0)
    np.testing.assert_allclose(blocks.held_out([0, 2, 9], [4, 5]), new.T @ new / len(new), atol=1e-10)
    np.testing.assert_allclose(blocks.correlation([0, 2, 9]), np.corrcoef(seen.T), atol=1e-10)
    standard = (every - every.mean(0)) / every.std(0) @ project
    np.testing.assert_allclose(blocks.residual_std, standard.std(0), atol=1e-6)


def test_directions_are_taken_out_of_both_sides() -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((7, 7))
    matrix += matrix.T
    U = np.linalg.qr(random.standard_normal((7, 2)))[0]
    P = np.eye(7) - U @ U.T
    found = taken_out(matrix, U)
    np.testing.assert_allclose(found, P @ matrix @ P, atol=1e-12)
    assert (found == found.T).all()


def test_a_neuron_that_sleeps_in_the_drawn_blocks_is_isolated_there() -> None:
    tokens = TOKENS.copy()
    tokens[1::16, :, 2] = 3.0
    awake, asleep = blocks_of(TOKENS), blocks_of(tokens)
    correlation = asleep.correlation([1])
    others = np.delete(np.arange(len(correlation)), 2)
    assert correlation[2].tolist() == np.eye(len(correlation))[2].tolist()
    np.testing.assert_array_equal(correlation[np.ix_(others, others)], awake.correlation([1])[np.ix_(others, others)])
    held_out = asleep.held_out([1], [2, 3])
    assert held_out[2].tolist() == np.eye(len(correlation))[2].tolist()
    assert np.isfinite(held_out).all()


def test_blocks_in_which_a_neuron_varies_are_counted() -> None:
    tokens = TOKENS.copy()
    tokens[:, :, 3] = 2.5
    tokens[5, 0, 3] = 4.0  # one token of one document
    blocks = blocks_of(tokens)
    varying = blocks_of_variation(blocks.counts, blocks.sums, blocks.moments)
    assert varying[3] == 1
    assert set(np.delete(varying, 3).tolist()) == {len(blocks.counts)}


def test_fewer_than_four_blocks_are_too_few() -> None:
    check_blocks(4, "fit.variance: pooled")
    with pytest.raises(
        InputError, match=r"fit\.variance: pooled draws from blocks .* needs 4 .*; there are 3"
    ) as caught:
        check_blocks(3, "fit.variance: pooled")
    assert "fit.variance: normal" in caught.value.hint
