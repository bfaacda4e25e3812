"""Strong pairs of sparse neurons, their components and the correlations within."""

from __future__ import annotations

import numpy as np
import pytest
from support.sparse_values import latents, sparse_values

from glasso_cli.inference.sparse import screening
from glasso_cli.inference.sparse.screening import parts_of, strong_pairs

P = 40


@pytest.fixture
def tokens() -> np.ndarray:
    return latents(P, seed=3)


def correlation(tokens: np.ndarray) -> np.ndarray:
    return np.asarray(np.corrcoef(tokens.reshape(-1, tokens.shape[2]).T.astype(np.float64)))


def test_they_are_the_pairs_above_the_threshold(tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_PANEL", 7)
    monkeypatch.setattr(screening, "_ROOM", 1)
    r = correlation(tokens)
    found = strong_pairs(sparse_values(tokens), 0.05, P**2)
    assert found is not None
    rows, cols = np.nonzero(np.triu(np.abs(r) > 0.05, 1))
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.cols, cols)
    np.testing.assert_allclose(found.values, r[rows, cols], atol=1e-6)


def test_neurons_that_exclude_each_other_are_among_them() -> None:
    tokens = latents(P)
    tokens[::2, :, 0], tokens[::2, :, 1] = 1.0, 0.0
    tokens[1::2, :, 0], tokens[1::2, :, 1] = 0.0, 1.0
    found = strong_pairs(sparse_values(tokens), 0.9, P**2)
    assert found is not None
    assert list(zip(found.rows.tolist(), found.cols.tolist())) == [(0, 1)]
    np.testing.assert_allclose(found.values, -1, atol=1e-6)


def test_too_many_pairs_are_not_kept(tokens: np.ndarray) -> None:
    assert strong_pairs(sparse_values(tokens), 1e-4, 20) is None


def test_parts_are_the_blocks_of_the_correlation(tokens: np.ndarray) -> None:
    values, r = sparse_values(tokens), correlation(tokens)
    pairs = strong_pairs(values, 0.1, P**2)
    assert pairs is not None
    parts = parts_of(values, pairs.labels(0.1))
    assert sum(len(part.members) for part in parts) < P
    apart = np.ones((P, P), bool)
    for part in parts:
        block = np.ix_(part.members, part.members)
        np.testing.assert_allclose(part.covariance, r[block], atol=1e-6)
        apart[block] = False
    np.fill_diagonal(apart, False)
    assert np.abs(r[apart]).max() <= 0.1


def test_an_alpha_for_a_largest_component_is_found(tokens: np.ndarray) -> None:
    pairs = strong_pairs(sparse_values(tokens), 0.001, P**2)
    assert pairs is not None
    assert pairs.largest(0.001) > 3
    assert pairs.largest(pairs.alpha_for(3)) <= 3
