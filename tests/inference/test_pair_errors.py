"""The error of one pair against that of a typical one: written out, sparse against dense, and where documents disagree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import chi2
from support.planted import autocorrelation, blocks_of, chain, documents, rows_of

from glasso_cli.errors import InputError
from glasso_cli.inference.edges import edge_tests
from glasso_cli.inference.effective_n import pair_tau
from glasso_cli.inference.estimates import Estimate, inverse_estimate
from glasso_cli.inference.factors import leading_factors
from glasso_cli.inference.held_precision import held_pairs
from glasso_cli.inference.pair_errors import inflation_and_group, pair_inflation

P = 6
TOKENS = documents(chain(P), 61, 9, ar=0.6) * np.arange(1, P + 1) - 2.0  # blocks of 27 and 36 tokens
THETA = chain(P, 0.25)
PAIRS = np.triu_indices(P, 1)


def influences(theta: np.ndarray, project: np.ndarray) -> np.ndarray:
    """Variances of Fisher's z, ``(15,)``: pseudo-values of the correlations of y = Theta z, linear in the moments."""
    every = rows_of(TOKENS, list(range(16)))
    standard = (every - every.mean(0)) / every.std(0) @ project
    residual = standard.std(0)
    y = [(rows_of(TOKENS, [b]) - every.mean(0)) / every.std(0) @ project / residual @ theta.T for b in range(16)]
    counts = np.array([len(part) for part in y])
    shares = counts / counts.sum()
    whole = np.cov(np.concatenate(y).T, bias=True)
    scale = np.sqrt(np.outer(whole.diagonal(), whole.diagonal()))
    r = whole / scale
    errors = []
    for b, part in enumerate(y):
        weight = shares[b] / (1 - shares[b])
        moved = part.T @ part / len(part) + weight * np.outer(part.mean(0), part.mean(0)) - whole
        relative = moved.diagonal() / whole.diagonal()
        errors.append((moved / scale - r / 2 * (relative[:, None] + relative[None]))[PAIRS])
    weights = shares / (1 - shares)
    centre = shares @ np.array(errors)
    variance = weights @ (np.array(errors) - centre) ** 2 / 16
    return np.asarray(variance / (1 - r[PAIRS] ** 2) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("factors", [0, 1])
def test_it_is_a_jackknife_of_the_pair_over_that_of_a_typical_one(sparse: bool, factors: int) -> None:
    blocks, project = blocks_of(TOKENS), np.eye(P)
    if factors:
        removed = leading_factors(blocks.correlation(), factors)
        blocks, project = blocks.without(removed), project - removed.vectors @ removed.vectors.T
    R = autocorrelation(TOKENS, 5)
    estimate = Estimate(THETA, csr_array(THETA) if sparse else THETA, 0)
    found = pair_inflation(blocks, estimate, R, *PAIRS)
    ratio = influences(THETA, project) / pair_tau(R[PAIRS[0]], R[PAIRS[1]])
    counts = blocks.counts / blocks.n_tokens
    freedom = 1 / (counts**2).sum() - 1
    np.testing.assert_allclose(found, ratio / (np.median(ratio) * freedom / chi2.median(freedom)), rtol=2e-4)


@pytest.mark.slow
def test_chosen_pairs_come_in_their_order() -> None:
    blocks, R = blocks_of(TOKENS), autocorrelation(TOKENS, 5)
    estimate = Estimate(THETA, csr_array(THETA), 0)
    every = pair_inflation(blocks, estimate, R, *PAIRS)
    some = np.array([7, 2, 11])
    np.testing.assert_allclose(
        pair_inflation(blocks, estimate, R, PAIRS[0][some], PAIRS[1][some]), every[some], rtol=1e-12
    )
    assert len(pair_inflation(blocks, estimate, R, np.zeros(0, int), np.zeros(0, int))) == 0


def disagreeing(seed: int) -> np.ndarray:
    """Two neurons of 20 that depend on each other, strongly, in one document of eight."""
    random = np.random.default_rng([seed, 7])
    tokens = documents(chain(20), 160, 20, seed=seed)
    shared = random.standard_normal((160, 20)) * (random.random(160) < 1 / 8)[:, None]
    tokens[:, :, 5] += 3 * shared
    tokens[:, :, 15] += 3 * shared
    return tokens


@pytest.mark.slow
def test_a_pair_that_documents_disagree_about_has_a_larger_error_than_others() -> None:
    rows, cols = np.array([5, 3]), np.array([15, 12])
    ratios, estimates, said = [], [], []
    for seed in range(36):
        blocks = blocks_of(disagreeing(seed))
        S, R = blocks.correlation(), np.zeros((20, 1))
        estimate = inverse_estimate(S)
        ratios.append(pair_inflation(blocks, estimate, R, rows, cols))
        tests = edge_tests(estimate, S, blocks, R, rows, cols)
        estimates.append(tests.partial_correlation[0])
        said.append(tests.standard_error[0])
    mean = np.mean(ratios, axis=0)
    assert mean[0] > 4 * mean[1]
    assert mean[1] == pytest.approx(1, abs=0.25)
    assert np.std(estimates) == pytest.approx(np.sqrt(np.mean(np.square(said))), rel=0.25)


def test_among_neurons_that_are_mostly_zero_a_typical_pair_may_have_the_variance_of_the_formula() -> None:
    """Most pairs are never active together and have next to no variance between blocks; none of them is typical."""
    random = np.random.default_rng(0)
    tokens = np.maximum(random.standard_normal((200, 40, 20)) - np.linspace(1.5, 2.6, 20), 0.0)
    blocks, pairs = blocks_of(tokens), np.triu_indices(20, 1)
    eye, R, nobody = Estimate(np.eye(20), csr_array(np.eye(20)), 0), np.zeros((20, 1)), np.zeros(0, int)
    alone, floored = (inflation_and_group(blocks, eye, R, *pairs, nobody, least)[0] for least in (0.0, 1.0))
    (held,) = held_pairs(blocks, eye.theta, pairs)
    np.testing.assert_allclose(floored, held.variance() * blocks.n_tokens)
    assert np.median(floored) < 0.5
    assert np.median(alone) == pytest.approx(chi2.median(15) / 15, rel=0.01)


def test_too_few_blocks_are_refused() -> None:
    blocks = blocks_of(TOKENS, 3)
    with pytest.raises(InputError, match="needs 4 of them"):
        pair_inflation(blocks, Estimate(THETA, csr_array(THETA), 0), np.zeros((P, 1)), *PAIRS)
