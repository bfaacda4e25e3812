"""Neighbourhoods and communities of two graphs, by hand."""

from __future__ import annotations

import numpy as np

from glasso_cli.comparison.rewiring import match_communities, rewiring


def pairs(*edges: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def test_degrees_overlap_and_change() -> None:
    found = rewiring(
        5, pairs((0, 1), (0, 2), (1, 2)), pairs((0, 1), (0, 3)), pairs((0, 2), (0, 3)), np.array([-0.2, 0.5])
    )
    assert found.degree_a.tolist() == [2, 2, 2, 0, 0]
    assert found.degree_b.tolist() == [2, 1, 0, 1, 0]
    np.testing.assert_allclose(found.jaccard, [1 / 3, 1 / 2, 0, 0, np.nan])
    assert found.changes.tolist() == [2, 0, 1, 1, 0]
    np.testing.assert_allclose(found.change, [0.7, 0, 0.2, 0.5, 0])


def test_nothing_differs_between_empty_graphs() -> None:
    found = rewiring(3, pairs(), pairs(), pairs(), np.zeros(0))
    assert found.degree_a.tolist() == found.changes.tolist() == [0, 0, 0]
    assert np.isnan(found.jaccard).all()
    match = match_communities(np.full(3, -1), np.full(3, -1), pairs())
    assert len(match.sizes) == 0


def test_communities_find_their_partners() -> None:
    first = np.array([0, 0, 0, 1, 1, 2, -1])
    second = np.array([1, 1, -1, 0, 0, -1, 0])
    match = match_communities(first, second, pairs((0, 1), (2, 3), (3, 6), (5, 6)))
    assert match.sizes.tolist() == [3, 2, 1]
    assert match.partner.tolist() == [1, 0, -1]
    np.testing.assert_allclose(match.overlap, [2 / 3, 2 / 3, 0])
    assert match.within.tolist() == [1, 0, 0]
    assert match.across.tolist() == [1, 2, 1]
