"""Predictions from one matrix are those of regressions that are written out, token by token."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from support.planted import blocks_of, chain, documents, rows_of

from glasso_cli.errors import InputError
from glasso_cli.scoring.structure.predictability import FOLDS, adjusted, held_out, in_sample, ridge

P = 6
PRECISION = chain(P, 0.4)
TRUTH = 1 - 1 / (PRECISION.diagonal() * np.linalg.inv(PRECISION).diagonal())
TOKENS = documents(PRECISION, 160, 12) * np.arange(1, P + 1) + 3.0


@pytest.mark.parametrize("penalty", [1.0, 0.03])
def test_held_out_tokens_are_predicted_by_ridge_regressions(penalty: float) -> None:
    found = held_out(blocks_of(TOKENS), [penalty])
    left, total = np.zeros(P), np.zeros(P)
    for fold in range(FOLDS):
        test = list(range(fold, 16, FOLDS))
        train = rows_of(TOKENS, [block for block in range(16) if block not in test])
        scale = train.std(axis=0)
        x, new = ((rows - train.mean(axis=0)) / scale for rows in (train, rows_of(TOKENS, test)))
        for neuron in range(P):
            others = np.arange(P) != neuron
            model = Ridge(alpha=penalty * len(x), fit_intercept=False).fit(x[:, others], x[:, neuron])
            left[neuron] += ((new[:, neuron] - model.predict(new[:, others])) ** 2).sum()
            total[neuron] += (new[:, neuron] ** 2).sum()
    np.testing.assert_allclose(found.explained, 1 - left / total, rtol=1e-6)
    assert found.penalty == penalty


def test_without_a_block_nothing_of_it_is_used() -> None:
    changed = np.array(TOKENS)
    changed[3::16] = np.random.default_rng(5).standard_normal(changed[3::16].shape) * 7
    before, after = (held_out(blocks_of(tokens), [0.1]) for tokens in (TOKENS, changed))
    np.testing.assert_allclose(after.without[3], before.without[3], rtol=1e-5)
    assert np.abs(after.without[4] - before.without[4]).max() > 1e-3


def test_the_truth_of_a_planted_graph_is_within_the_errors() -> None:
    from glasso_cli.scoring.structure.jackknife import jackknife_error

    found = held_out(blocks_of(TOKENS))
    error = jackknife_error(found.explained, found.without, np.full(16, 1 / 16))
    assert (np.abs(found.explained - TRUTH) < 4 * error).all()
    assert (error < 0.05).all()


def test_adjusted_r2_is_right_on_average() -> None:
    every = []
    for seed in range(200):
        S = np.corrcoef(documents(PRECISION, 5, 8, seed=seed).reshape(-1, P), rowvar=False)
        every.append(1 - 1 / np.linalg.inv(S).diagonal())
    plain, corrected = np.mean(every, axis=0), np.mean(adjusted(np.array(every), 39, P - 1), axis=0)
    assert (plain - TRUTH > 0.05).all()
    np.testing.assert_allclose(corrected, TRUTH, atol=0.02)


def test_in_sample_is_that_of_the_inverse_without_a_penalty() -> None:
    S = np.corrcoef(TOKENS.reshape(-1, P), rowvar=False)
    np.testing.assert_allclose(in_sample(ridge(S, 0.0), S), 1 - 1 / np.linalg.inv(S).diagonal())


def test_noise_is_not_predicted() -> None:
    found = held_out(blocks_of(documents(np.eye(30), 32, 4)))
    assert found.penalty == 1.0
    assert found.explained.mean() < 0.02


def test_a_copy_needs_a_penalty() -> None:
    with pytest.raises(InputError, match="singular"):
        ridge(np.ones((2, 2)), 0.0)


def test_two_blocks_are_too_few() -> None:
    with pytest.raises(InputError, match="needs 3 blocks"):
        held_out(blocks_of(TOKENS, 2))
