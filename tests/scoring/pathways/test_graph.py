"""Graphs across layers out of artifacts, and circles refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.layered import layered

from glasso_cli.artifacts import Influence
from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.graph import LayeredGraph


def influence() -> Influence:
    none = np.zeros(0, np.float32)
    return Influence(
        meta={},
        neuron_ids=np.array(["layers.8.mlp[0]", "layers.8.mlp[1]", "layers.9.mlp[0]"]),
        layers=np.array([8, 8, 9], np.int32),
        orientation=np.array([1, -1, 1], np.int8),
        neurons=np.arange(3, dtype=np.int32),
        std=np.ones(3),
        counts=np.full(4, 10),
        sources=np.array([0, 1], np.int32),
        targets=np.array([2, 2], np.int32),
        mean=np.array([0.5, -0.2], np.float32),
        error=np.array([0.01, 0.02], np.float32),
        direct=np.zeros(2, np.float32),
        direct_error=np.ones(2, np.float32),
        rms=np.ones(2, np.float32),
        rms_error=np.ones(2, np.float32),
        z=np.array([50, -10], np.float32),
        ablation=none,
        ablation_error=none,
        ablation_rms=none,
        ablation_rms_error=none,
        p_values=np.zeros(2),
        q_values=np.array([0.0, 0.2]),
        edge=np.array([True, False]),
    )


def test_pairs_that_are_no_edges_are_left_out() -> None:
    graph = LayeredGraph.of_influence(influence())
    assert graph.sources.tolist() == [0]
    assert graph.matrix.toarray()[2, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(graph.errors, 0.01, rtol=1e-6)
    assert graph.in_layer(8).tolist() == [0, 1]


def test_an_edge_past_a_layer_of_the_graph_is_left_out() -> None:
    """Along all paths it has the paths through that layer in it."""
    found = replace(
        influence(),
        layers=np.array([8, 9, 10], np.int32),
        sources=np.array([0, 0, 1], np.int32),
        targets=np.array([1, 2, 2], np.int32),
        mean=np.array([0.5, 0.7, 0.3], np.float32),
        error=np.full(3, 0.01, np.float32),
        edge=np.ones(3, bool),
        block_deviations=np.arange(12, dtype=np.float32).reshape(3, 4),
    )
    graph = LayeredGraph.of_influence(found)
    assert list(zip(graph.sources.tolist(), graph.targets.tolist())) == [(0, 1), (1, 2)]
    assert graph.deviations is not None
    np.testing.assert_array_equal(graph.deviations[1], [8, 9, 10, 11])


def test_an_edge_within_a_layer_is_refused() -> None:
    with pytest.raises(InputError, match="earlier layer to a later one"):
        LayeredGraph.of_influence(replace(influence(), layers=np.array([8, 8, 8], np.int32)))


def test_the_matrix_holds_every_edge() -> None:
    graph = layered()
    B = graph.matrix.toarray()
    np.testing.assert_array_equal(B[graph.targets, graph.sources], graph.weights)
    assert np.count_nonzero(B) == len(graph.weights)
