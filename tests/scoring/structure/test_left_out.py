"""Edges without each block: the inverse taken anew, a lasso held, and neither depends on how neurons are turned."""

from __future__ import annotations

import numpy as np
import pytest
from support import planted_corpora
from support.planted import chain

from glasso_cli.comparison.estimates import Corpus
from glasso_cli.errors import InputError
from glasso_cli.inference.estimates import estimate_on
from glasso_cli.linalg.precision import partial_correlation
from glasso_cli.scoring.structure.left_out import blocks_of, without_blocks

P = 8


def corpus(estimate: str, blocks: int = 16) -> Corpus:
    tokens = planted_corpora.tokens_of(chain(P, 0.4), 64, 20, seed=0)
    section = planted_corpora.FIT.model_copy(update={"estimate": estimate, "variance": "normal"})
    return planted_corpora.corpus("words", planted_corpora.statistics(tokens, blocks), section)


def test_the_inverse_is_taken_anew() -> None:
    words = corpus("inverse")
    blocks, S = blocks_of(words.stats, words.fit)
    found = without_blocks(blocks, S, words.fit, words.stats.n_effective)
    assert len(found.rows) >= P - 1
    np.testing.assert_allclose(found.rho, words.fit.debiased[words.fit.kept], atol=1e-6)
    for block in range(16):
        T = np.linalg.inv(words.stats.correlation(blocks=[other for other in range(16) if other != block]))
        expected = partial_correlation(found.rows, found.cols, T[found.rows, found.cols], T.diagonal())
        np.testing.assert_allclose(found.rho_without[block], expected, atol=1e-6)
        assert found.explained_without is not None
        np.testing.assert_allclose(found.explained_without[block], 1 - 1 / T.diagonal(), atol=1e-6)
    assert found.left == pytest.approx(1 - P / words.stats.n_effective)


def test_a_lasso_is_held() -> None:
    words = corpus("lasso")
    blocks, S = blocks_of(words.stats, words.fit)
    found = without_blocks(blocks, S, words.fit, words.stats.n_effective)
    theta = words.fit.tested_precision()
    assert theta is not None
    assert found.explained is None
    assert found.left == 1
    np.testing.assert_allclose(found.rho, words.fit.debiased[words.fit.kept], atol=1e-6)
    for block in range(16):
        rest = words.stats.correlation(blocks=[other for other in range(16) if other != block])
        T = estimate_on(rest, theta, np.zeros((P, 0))).T
        expected = partial_correlation(found.rows, found.cols, T[found.rows, found.cols], T.diagonal())
        np.testing.assert_allclose(found.rho_without[block], expected, atol=1e-6)


def test_three_blocks_are_too_few() -> None:
    words = corpus("inverse", 3)
    with pytest.raises(InputError, match="need 4 blocks of documents"):
        without_blocks(*blocks_of(words.stats, words.fit), words.fit, words.stats.n_effective)
