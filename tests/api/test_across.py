"""`edges_across` in a notebook: the table, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from support.across import Planted, influence, interventions, ordered_graph

import glasso_cli as g

PAIRS = {(0, 6): 0.4, (1, 7): -0.3}


def test_the_table_has_three_groups_of_columns_and_a_reading() -> None:
    planted = Planted.of([8, 9], seed=2)
    found = g.edges_across(
        ordered_graph(planted, PAIRS), interventions(planted, [0], {(0, 6): 0.5}), influence(planted, PAIRS)
    )
    assert found["reading"].iloc[0] == "both"
    assert found.loc[0, ["association", "influence", "effect_step"]].tolist() == pytest.approx([0.4, 0.4, 0.5])
    assert set(found["source_layer"]) == {8}
    only = g.edges_across(influence(planted, PAIRS))
    assert only["influence"].tolist() == pytest.approx([0.4, -0.3])
    assert "association" not in only
    assert set(only["reading"]) == {""}


def test_the_signs_of_the_model_come_back_by_the_orientations() -> None:
    planted = Planted.of([8, 9], seed=4)
    moved = influence(planted, PAIRS)
    found = g.edges_across(moved)
    own = found["influence"] * found["orientation_source"] * found["orientation_target"]
    np.testing.assert_allclose(np.sort(own), np.sort(moved.mean))


def test_wrong_artifacts_are_refused_in_a_sentence() -> None:
    planted = Planted.of([8, 9])
    graph = ordered_graph(planted, PAIRS)
    with pytest.raises(g.GlassoError, match="no artifact"):
        g.edges_across()
    with pytest.raises(g.GlassoError, match="2 artifacts of the kind graph"):
        g.edges_across(graph, graph)
    with pytest.raises(g.GlassoError, match="says nothing of edges across layers"):
        g.edges_across("runs/films.npz")  # type: ignore[arg-type]
    with pytest.raises(g.GlassoError, match="different models"):
        g.edges_across(graph, influence(Planted.of([8, 9], seed=1), PAIRS))
