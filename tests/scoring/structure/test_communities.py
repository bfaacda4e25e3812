"""Sums over communities leave out neurons in none."""

from __future__ import annotations

import numpy as np

from glasso_cli.scoring.structure.communities import community_sums


def test_sums_are_those_of_the_members() -> None:
    values = np.arange(12.0).reshape(2, 6)
    found = community_sums(values, np.array([1, 0, -1, 1, 0, -1]))
    np.testing.assert_array_equal(found, [[1 + 4, 0 + 3], [7 + 10, 6 + 9]])


def test_without_communities_there_are_no_sums() -> None:
    assert community_sums(np.ones(3), np.full(3, -1)).shape == (0,)
