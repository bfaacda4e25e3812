"""Partial correlations of a whole matrix and of chosen entries, and sparse matrices out of their entries."""

from __future__ import annotations

import numpy as np

from glasso_cli.linalg.precision import partial_correlation, symmetric, to_partial_correlations

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 7))
T = np.linalg.inv(np.cov(X.T))
ROWS, COLS = np.triu_indices(7, 1)


def test_partial_correlations_are_those_of_regressions() -> None:
    rho = to_partial_correlations(T.copy())
    for i, j in zip(ROWS, COLS):
        others = np.column_stack([np.delete(X, [i, j], axis=1), np.ones(len(X))])
        left = [X[:, k] - others @ np.linalg.lstsq(others, X[:, k], rcond=None)[0] for k in (i, j)]
        np.testing.assert_allclose(rho[i, j], np.corrcoef(left)[0, 1])
    np.testing.assert_array_equal(rho.diagonal(), 0)
    np.testing.assert_allclose(rho, rho.T)


def test_those_of_chosen_entries_are_the_same() -> None:
    whole = to_partial_correlations(T.copy())[ROWS, COLS]
    np.testing.assert_allclose(partial_correlation(ROWS, COLS, T[ROWS, COLS], T.diagonal()), whole)


def test_an_estimate_that_is_not_definite_gives_correlations_all_the_same() -> None:
    rho = to_partial_correlations(np.array([[-1.0, 0.5, 0.0], [0.5, 2.0, 0.1], [0.0, 0.1, 1.0]]))
    assert np.isfinite(rho).all()
    assert np.abs(rho).max() <= 1


def test_entries_make_the_symmetric_matrix_they_are_of() -> None:
    np.testing.assert_array_equal(
        symmetric(ROWS, COLS, T[ROWS, COLS], T.diagonal()).toarray(), np.triu(T) + np.triu(T, 1).T
    )
