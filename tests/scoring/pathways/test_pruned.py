"""The pruned view is that of circuit tracing, written out with dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from support.layered import layered, of

from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.pruned import PrunedView, pruned_view


def dense(graph: LayeredGraph, exits: np.ndarray, nodes: float, edges: float) -> PrunedView:
    """The scalar is one more node, p, whose row holds the exits."""
    p = graph.n_neurons
    A = np.zeros((p + 1, p + 1))
    A[graph.targets, graph.sources] = np.abs(graph.weights)
    A[p, :p] = np.abs(exits)

    def passed(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(matrix.sum(axis=1, keepdims=True), 1e-300)
        share = matrix / total
        return share, (np.linalg.inv(np.eye(p + 1) - share) - np.eye(p + 1))[p]

    def strongest(scores: np.ndarray, share: float) -> np.ndarray:
        order = np.argsort(-scores, kind="stable")
        cumulative = np.cumsum(scores[order]) / scores.sum()
        count = int((cumulative < share - 1e-12).sum()) + 1
        return np.isin(np.arange(len(scores)), order[:count]) & (scores > 0)

    _, influence = passed(A)
    kept = np.append(strongest(influence[:p], nodes), True)
    inside = A * np.multiply.outer(kept, kept)
    share, again = passed(inside)
    again[p] = 1
    scores = share * again[:, None]
    # both ways of listing edges break ties alike: no two scores are equal
    chosen = strongest(scores.ravel(), edges).reshape(scores.shape)
    fed = A[:p].any(axis=1)
    while True:
        left = kept[:p] & chosen[:, :p].any(axis=0) & (~fed | chosen[:p].any(axis=1))
        if (left == kept[:p]).all():
            return PrunedView(influence[:p], left, chosen[graph.targets, graph.sources], chosen[p, :p])
        kept = np.append(left, True)
        chosen = chosen & np.multiply.outer(kept, kept)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("nodes", "edges"), [(0.8, 0.98), (0.5, 0.7), (1.0, 1.0)])
def test_the_view_is_that_of_dense_matrices(seed: int, nodes: float, edges: float) -> None:
    graph = layered((6, 8, 7), 0.5, seed=seed)
    exits = np.random.default_rng(seed).standard_normal(graph.n_neurons) * (graph.layers == 2)
    found, expected = pruned_view(graph, exits, nodes, edges), dense(graph, exits, nodes, edges)
    np.testing.assert_allclose(found.influence, expected.influence, atol=1e-12)
    np.testing.assert_array_equal(found.neurons, expected.neurons)
    np.testing.assert_array_equal(found.edges, expected.edges)
    np.testing.assert_array_equal(found.ends, expected.ends)


def test_every_kept_neuron_leads_to_the_end() -> None:
    graph = layered((10, 10, 10), 0.4, seed=3)
    exits = (graph.layers == 2).astype(float)
    found = pruned_view(graph, exits)
    assert 0 < found.neurons.sum() < graph.n_neurons
    for neuron in np.flatnonzero(found.neurons):
        assert exits[neuron] or (found.edges & (graph.sources == neuron)).any()
    assert (found.neurons[graph.sources[found.edges]] & found.neurons[graph.targets[found.edges]]).all()


def test_signs_do_not_matter() -> None:
    graph = layered(seed=4)
    exits = np.random.default_rng(0).standard_normal(graph.n_neurons)
    turned = of(graph.layers, graph.sources, graph.targets, -np.abs(graph.weights), graph.errors)
    one, other = pruned_view(graph, exits), pruned_view(turned, -exits)
    np.testing.assert_array_equal(one.neurons, other.neurons)
    np.testing.assert_array_equal(one.edges, other.edges)


def test_a_neuron_without_a_way_to_the_end_has_no_influence() -> None:
    graph = of([0, 0, 1], [0], [2], [0.5], [0.1])
    found = pruned_view(graph, np.array([0.0, 0.0, 1.0]), 1.0, 1.0)
    np.testing.assert_allclose(found.influence, [1, 0, 1])
    assert found.neurons.tolist() == [True, False, True]


def test_no_end_is_refused() -> None:
    with pytest.raises(InputError, match="leads to the end"):
        pruned_view(layered(), np.zeros(16))
