"""Places of neurons: communities apart, neighbours together, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.graph import find_communities
from glasso_cli.report.explorer.layout import lay_out


def planted(groups: int, size: int, seed: int = 0) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """A graph of dense groups with few edges between them."""
    random = np.random.default_rng(seed)
    p = groups * size
    rows, cols = random.integers(0, p, (2, 60 * p))
    near = (rows // size == cols // size) | (random.random(len(rows)) < 0.01)
    keep = (rows < cols) & near
    pairs = np.unique(np.stack([rows[keep], cols[keep]]), axis=1)
    return p, pairs[0], pairs[1], random.uniform(0.05, 0.5, (pairs.shape[1],))


@pytest.mark.slow
def test_neighbours_on_the_page_are_of_one_community() -> None:
    p, rows, cols, weights = planted(8, 40)
    communities = find_communities(p, rows, cols, weights, 0)
    places = lay_out(p, rows, cols, weights, communities)
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :5]
    assert (communities[nearest] == communities[:, None]).mean() > 0.9
    linked = np.sqrt(apart[rows, cols]).mean()
    assert linked < 0.6 * np.sqrt(apart[np.isfinite(apart)]).mean()


def test_the_same_graph_has_the_same_places_inside_the_page() -> None:
    p, rows, cols, weights = planted(5, 30)
    communities = find_communities(p, rows, cols, weights, 0)
    places = lay_out(p, rows, cols, weights, communities)
    np.testing.assert_array_equal(places, lay_out(p, rows, cols, weights, communities))
    assert places.min() >= 0
    assert places.max() <= 1
    assert len(np.unique(np.round(places, 6), axis=0)) == p


def test_neurons_without_edges_stand_below_the_others() -> None:
    p, rows, cols, weights = planted(3, 20)
    communities = np.append(find_communities(p, rows, cols, weights, 0), [-1, -1, -1])
    places = lay_out(p + 3, rows, cols, weights, communities)
    assert places[p:, 1].max() < places[:p, 1].min()
    assert len(np.unique(places[p:], axis=0)) == 3


@pytest.mark.parametrize("p", [0, 1, 2, 7])
def test_graphs_without_edges(p: int) -> None:
    none = np.zeros(0, np.int64)
    places = lay_out(p, none, none, np.zeros(0), np.full(p, -1))
    assert places.shape == (p, 2)
    assert np.isfinite(places).all()


def test_two_neurons_and_one_edge() -> None:
    places = lay_out(2, np.array([0]), np.array([1]), np.array([0.5]), np.array([0, 0]))
    assert np.isfinite(places).all()
    assert (places[0] != places[1]).any()


def test_communities_of_another_graph_may_be_missing_here() -> None:
    """A comparison has the shared neurons alone, with the communities of the first graph."""
    p, rows, cols, weights = planted(5, 30)
    communities = np.repeat([0, 1, 2, 3, 4], 30)
    gaps = np.where(communities == 4, 9, np.where(communities == 1, -1, communities))
    places = lay_out(p, rows, cols, weights, gaps)
    renumbered = np.where(gaps == 9, 3, np.where(gaps > 1, gaps - 1, gaps))
    np.testing.assert_array_equal(places, lay_out(p, rows, cols, weights, renumbered))
    assert np.isfinite(places).all()
    assert places.min() >= 0
    assert places.max() <= 1
