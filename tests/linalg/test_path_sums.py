"""Sums over paths are powers of the matrix, and their sum is that of the inverse."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.linalg.path_sums import path_sums

P = 7
DENSE = np.tril(np.random.default_rng(0).standard_normal((P, P)), -1)
B = csr_array(DENSE)


def test_all_paths_together_are_those_of_the_inverse() -> None:
    whole = np.linalg.inv(np.eye(P) - DENSE) - np.eye(P)
    found = list(path_sums(B, np.eye(P)))
    assert len(found) == P - 1  # edges on the longest path
    np.testing.assert_allclose(sum(signed for signed, _ in found), whole, atol=1e-12)


def test_each_length_is_a_power_of_the_matrix() -> None:
    start = np.random.default_rng(1).standard_normal(P)
    for length, (signed, absolute) in enumerate(path_sums(B, start), start=1):
        np.testing.assert_allclose(signed, np.linalg.matrix_power(DENSE, length) @ start, atol=1e-12)
        np.testing.assert_allclose(absolute, np.linalg.matrix_power(np.abs(DENSE), length) @ np.abs(start), atol=1e-12)


def test_paths_that_cancel_are_still_paths() -> None:
    """0 → 1 → 3 with 0.5, and 0 → 2 → 3 with -0.5."""
    matrix = np.zeros((4, 4))
    matrix[[1, 2, 3, 3], [0, 0, 1, 2]] = [1, 1, 0.5, -0.5]
    found = [(signed.tolist(), absolute.tolist()) for signed, absolute in path_sums(csr_array(matrix), np.eye(4)[0])]
    assert found == [([0, 1, 1, 0], [0, 1, 1, 0]), ([0, 0, 0, 0], [0, 0, 0, 1])]


def test_without_edges_nothing_is_reached() -> None:
    assert list(path_sums(csr_array((2, 2)), np.ones(2))) == []
