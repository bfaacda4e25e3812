"""Scores of a graph: by hand, against networkx, and the same whatever the signs and numbers of the neurons."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from support.studies import random_edges

from glasso_cli.scoring.structure.centrality import Edges, centrality, pagerank

P = 40


def graph(seed: int = 0) -> tuple[Edges, np.ndarray]:
    random = np.random.default_rng(seed)
    rows, cols, rho = random_edges(P - 5, 60, seed)  # five neurons have no edge
    ends = np.unique(np.concatenate([rows, cols]))
    communities = np.full(P, -1)
    communities[ends] = random.integers(0, 4, len(ends))
    return Edges(rows, cols, communities, random.integers(3, 6, P), random.choice([-1, 1], P)), rho


def test_a_graph_by_hand() -> None:
    #  0 - 1 - 2   community 0 is {0, 1}, community 1 is {2}, neuron 3 stands alone
    edges = Edges(
        np.array([0, 1]), np.array([1, 2]), np.array([0, 0, 1, -1]), np.array([8, 9, 9, 9]), np.array([1, -1, 1, 1])
    )
    found = centrality(edges, np.array([0.3, -0.1]))
    np.testing.assert_allclose(found.strength, [0.3, 0.4, 0.1, 0])
    np.testing.assert_allclose(found.expected_influence, [-0.3, -0.2, 0.1, 0])
    np.testing.assert_allclose(found.bridge_strength, [0, 0.1, 0.1, 0])
    np.testing.assert_allclose(found.participation, [0, 1 - 0.75**2 - 0.25**2, 0, 0])
    np.testing.assert_allclose(found.between_layers, [0.3, 0.3, 0, 0])


def test_pagerank_is_that_of_networkx() -> None:
    edges, rho = graph()
    other = nx.Graph()
    other.add_nodes_from(range(P))
    other.add_weighted_edges_from(zip(edges.rows.tolist(), edges.cols.tolist(), np.abs(rho).tolist()))
    expected = nx.pagerank(other, tol=1e-14, max_iter=1000)
    found = pagerank(P, edges.rows, edges.cols, np.abs(rho))
    np.testing.assert_allclose(found, [expected[neuron] for neuron in range(P)], atol=1e-10)
    assert found.sum() == pytest.approx(1)


def test_without_edges_all_neurons_are_alike() -> None:
    none = np.zeros(0, np.int64)
    found = centrality(Edges(none, none, np.full(P, -1), np.zeros(P, int), np.ones(P)), np.zeros(0))
    for name, values in found.by_name().items():
        np.testing.assert_allclose(values, 1 / P if name == "pagerank" else 0.0)


def test_flipped_neurons_have_the_same_scores() -> None:
    edges, rho = graph()
    flips = np.random.default_rng(1).choice([-1, 1], P)
    turned = Edges(edges.rows, edges.cols, edges.communities, edges.layers, edges.orientation * flips)
    before, after = centrality(edges, rho), centrality(turned, rho * flips[edges.rows] * flips[edges.cols])
    for name, values in before.by_name().items():
        np.testing.assert_allclose(after.by_name()[name], values, atol=1e-12)


def test_other_numbers_give_the_same_scores() -> None:
    edges, rho = graph()
    place = np.random.default_rng(2).permutation(P)  # neuron i becomes place[i]
    back = np.argsort(place)
    turned = Edges(
        place[edges.cols], place[edges.rows], edges.communities[back], edges.layers[back], edges.orientation[back]
    )
    before, after = centrality(edges, rho), centrality(turned, rho)
    for name, values in before.by_name().items():
        np.testing.assert_allclose(after.by_name()[name][place], values, atol=1e-12)
