"""The histogram of correlations is that of the matrix, and says above which size a number of pairs is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support.sparse_values import latents, sparse_values

from glasso_cli.inference.sparse import sizes
from glasso_cli.inference.sparse.sizes import sizes_of, threshold_of

P = 40
TOKENS = latents(P, 48, 10)
VALUES = sparse_values(TOKENS)
SIZES = np.abs(np.corrcoef(TOKENS.reshape(-1, P).T))


def test_the_histogram_is_that_of_the_chosen_rows() -> None:
    rows = np.array([3, 11, 39])
    counts = sizes_of(VALUES, rows)
    others = np.concatenate([np.delete(SIZES[row], row) for row in rows])
    expected = np.histogram(others, bins=64, range=(0, 1))[0]
    found = counts.reshape(64, -1).sum(axis=1)
    assert found.sum() == len(others)
    assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() <= 1  # one may lie at the edge of a bin


@pytest.mark.parametrize("pairs", [1, 20, 300])
def test_as_many_pairs_are_above_the_threshold(pairs: int) -> None:
    upper = SIZES[np.triu_indices(P, 1)]
    threshold = threshold_of(VALUES, pairs)
    assert np.count_nonzero(upper > threshold + 1e-6) <= pairs
    assert np.count_nonzero(upper > threshold - 3e-5) >= pairs


def test_all_pairs_are_above_zero() -> None:
    assert threshold_of(VALUES, P * (P - 1) / 2) == 0.0


def test_some_rows_estimate_the_threshold_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "_ROWS", 20)
    one, other = threshold_of(VALUES, 40), threshold_of(VALUES, 40)
    assert one == other
    above = np.count_nonzero(SIZES[np.triu_indices(P, 1)] > one)
    assert 10 <= above <= 160


def test_flipped_signs_give_the_same_histogram() -> None:
    flipped = sparse_values(-TOKENS)
    assert_array_equal(sizes_of(flipped, np.arange(P)), sizes_of(VALUES, np.arange(P)))
