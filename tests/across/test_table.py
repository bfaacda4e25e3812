"""Pairs of several methods in one table, over planted artifacts: what is in it, how it is read, and what does not change it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.across import Planted, influence, interventions, ordered_graph
from support.studies import build_study

from glasso_cli.across.columns import edge_columns
from glasso_cli.across.from_artifacts import Neurons, association_of, edges_across, effects_of, influence_of, neurons_of
from glasso_cli.across.readings import IN_WORDS, READINGS, effect_in_words
from glasso_cli.across.table import EdgesAcross, joined

EACH = 6
ASSOCIATION = {(0, 6): 0.4, (1, 7): -0.3, (3, 9): 0.05}
INFLUENCE = {(0, 6): 0.5, (2, 8): -0.2, (1, 7): 0.01}
EFFECTS = {(0, 6): 0.45, (2, 8): -0.25}


def everything(planted: Planted) -> tuple[Any, Any, Any]:
    """The three artifacts of the planted pairs; (3, 9) is not drawn, and (1, 7) is no edge of influence."""
    return (
        ordered_graph(planted, at(planted, ASSOCIATION), at(planted, [(3, 9)])),
        influence(planted, at(planted, INFLUENCE), at(planted, [(1, 7)])),
        interventions(planted, [place(planted, source) for source in (0, 2, 3)], at(planted, EFFECTS)),
    )


def place(planted: Planted, neuron: int) -> int:
    """Where the neuron is that has this number before any permutation."""
    layers = np.unique(planted.layers)
    name = f"layers.{layers[neuron // EACH]}.mlp[{neuron % EACH}]"
    return int(np.flatnonzero(planted.ids == name)[0])


def at(planted: Planted, pairs: Any) -> Any:
    """Pairs of neurons by their present places."""
    moved = [tuple(place(planted, neuron) for neuron in pair) for pair in pairs]
    return dict(zip(moved, pairs.values())) if isinstance(pairs, dict) else moved


def by_name(edges: EdgesAcross, neurons: Neurons, graph: Any = None) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of the table by the names of source and target."""
    table = edge_columns(edges, neurons, graph)
    rows = [dict(zip(table, values)) for values in zip(*table.values(), strict=True)]
    return {(row["source"], row["target"]): row for row in rows}


def reading_of(rows: dict[tuple[str, str], dict[str, Any]], source: int, target: int) -> str:
    return str(rows[f"layers.8.mlp[{source}]", f"layers.9.mlp[{target}]"]["reading"])


def test_pairs_are_read_as_they_were_planted() -> None:
    planted = Planted.of([8, 9], EACH)
    graph, moved, measured = everything(planted)
    rows = by_name(edges_across(planted.neurons, graph, moved, measured), planted.neurons, graph)
    assert len(rows) == 3 * EACH + 1  # of three measured sources, and the pair of another one
    assert reading_of(rows, 0, 0) == "both"
    assert reading_of(rows, 1, 1) == "common cause"
    assert reading_of(rows, 2, 2) == "unused wiring"
    assert reading_of(rows, 3, 3) == "neither"  # an edge that is not drawn
    assert {reading_of(rows, 3, target) for target in range(EACH)} == {"neither"}
    wired = rows["layers.8.mlp[2]", "layers.9.mlp[2]"]
    assert (wired["influence"], wired["effect_step"]) == pytest.approx((-0.2, -0.25))
    assert wired["influence_error"] == pytest.approx(0.01)
    assert np.isnan(wired["association"])
    assert (wired["association_found"], wired["influence_found"], wired["effect_step_found"]) == ("no", "yes", "yes")
    alone = rows["layers.8.mlp[1]", "layers.9.mlp[1]"]
    assert alone["influence"] == pytest.approx(0.01)
    assert np.isnan(alone["effect_step"])
    assert alone["effect_step_found"] == ""
    assert {row["association_graph"] for row in rows.values()} == {"ordered"}


def test_the_strongest_pair_comes_first() -> None:
    planted = Planted.of([8, 9], EACH)
    edges = edges_across(planted.neurons, *everything(planted))
    assert (np.diff(edges.size) <= 0).all()
    assert edges.size[:3] == pytest.approx([0.5, 0.3, 0.25], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_places_of_neurons_and_their_signs_in_the_model_do_not_matter(seed: int) -> None:
    plain, moved = Planted.of([8, 9], EACH), Planted.of([8, 9], EACH, seed + 1)
    moved = moved.permuted(np.random.default_rng(seed).permutation(moved.p))
    here, there = (
        by_name(edges_across(planted.neurons, *everything(planted)), planted.neurons) for planted in (plain, moved)
    )
    assert here.keys() == there.keys()
    for pair, row in here.items():
        for name, value in row.items():
            if name.startswith(("orientation", "effect_step")):
                continue
            assert (there[pair][name] == value) or (np.isnan(value) and np.isnan(there[pair][name])), (pair, name)
    for pair in (("layers.8.mlp[0]", "layers.9.mlp[0]"), ("layers.8.mlp[2]", "layers.9.mlp[2]")):
        assert there[pair]["effect_step"] == pytest.approx(here[pair]["effect_step"])


def test_sources_are_earlier_in_whatever_order_the_layers_are_given() -> None:
    planted = Planted.of([9, 8], EACH)  # the layer of the sources stands last
    pairs = {(EACH, 0): 0.4}
    rows = by_name(
        edges_across(planted.neurons, ordered_graph(planted, pairs), influence(planted, pairs), None), planted.neurons
    )
    assert list(rows) == [("layers.8.mlp[0]", "layers.9.mlp[0]")]
    assert [row["reading"] for row in rows.values()] == ["both"]


def test_a_pair_that_one_method_did_not_look_at_is_not_read() -> None:
    planted = Planted.of([8, 9, 10], EACH)
    far, near = (0, 2 * EACH), (1, EACH + 1)
    edges = edges_across(
        planted.neurons, ordered_graph(planted, {far: 0.3, near: 0.2}), influence(planted, {near: 0.2}), None
    )
    rows = by_name(edges, planted.neurons)
    assert rows["layers.8.mlp[0]", "layers.10.mlp[0]"]["reading"] == ""  # influence reaches the next layer
    assert rows["layers.8.mlp[0]", "layers.10.mlp[0]"]["influence_found"] == ""
    assert reading_of(rows, 1, 1) == "both"
    fewer = Planted(planted.ids[2:], planted.layers[2:], planted.signs[2:])  # the graph was not fitted to the first two
    edges = edges_across(planted.neurons, ordered_graph(fewer, {}), influence(planted, {near: 0.2}), None)
    assert by_name(edges, planted.neurons)["layers.8.mlp[1]", "layers.9.mlp[1]"]["reading"] == ""


@pytest.mark.parametrize(
    "kept", [(True, False, False), (False, True, False), (False, False, True), (True, False, True)]
)
def test_nothing_is_read_without_both_association_and_influence(kept: tuple[bool, ...]) -> None:
    planted = Planted.of([8, 9], EACH)
    artifacts = [artifact if keep else None for artifact, keep in zip(everything(planted), kept)]
    edges = edges_across(planted.neurons, *artifacts)
    assert len(edges)
    assert set(edge_columns(edges, planted.neurons, artifacts[0])["reading"].tolist()) == {""}


def test_measured_pairs_fill_the_table_from_strong_to_weak_and_cut_nothing_that_was_found() -> None:
    planted = Planted.of([8, 9], EACH)
    graph, moved, measured = everything(planted)
    methods = (association_of(graph, planted.neurons), influence_of(moved, planted.neurons))
    effects = effects_of(measured, planted.neurons)
    few = joined(*methods, effects, measured_rows=2)
    assert few.found.sum() == len(few) == 3
    some = joined(*methods, effects, measured_rows=8)
    whole = joined(*methods, effects)
    assert len(some) == 8
    assert some.effects["step"].value[3:] == pytest.approx(whole.effects["step"].value[3:8])


def test_a_joint_graph_gives_the_edges_across_layers(tmp_path: Path) -> None:
    fit = build_study(tmp_path, p=12, edges=30).fit
    layers = np.array([9] * 6 + [8] * 6, dtype=np.int32)
    fit = replace(fit, layers=layers)
    neurons = Neurons(fit.neuron_ids, layers, fit.orientation)
    edges = edges_across(neurons, fit, None, None)
    rows, cols, _ = fit.edges()
    across = layers[rows] != layers[cols]
    assert len(edges) == across.sum() > 0
    assert (layers[edges.sources] == 8).all()
    assert edges.association is not None
    assert sorted(edges.association.value) == pytest.approx(sorted(fit.debiased[across]))
    assert set(edge_columns(edges, neurons, fit)["association_graph"].tolist()) == {"joint"}


def test_groups_are_no_neurons() -> None:
    planted = Planted.of([8, 9], EACH)
    measured = interventions(planted, [0, 1], {(0, EACH): 0.4, (1, EACH): 0.4})
    grouped = replace(measured, source_ids=np.array([planted.ids[0], "a group"]))
    edges = edges_across(planted.neurons, None, None, grouped)
    assert set(planted.ids[edges.sources].tolist()) == {planted.ids[0]}


def test_neurons_come_from_all_artifacts() -> None:
    planted = Planted.of([8, 9], EACH, seed=1)
    for artifacts in ([everything(planted)[0]], everything(planted)[1:], everything(planted)[::-1]):
        found = neurons_of(artifacts)
        known = {name: (layer, sign) for name, layer, sign in zip(planted.ids, planted.layers, planted.signs)}
        assert {name: (layer, sign) for name, layer, sign in zip(found.ids, found.layers, found.orientation)} == known
    alone = neurons_of([everything(planted)[2]])
    assert set(alone.layers.tolist()) == {-1, 9}
    assert len(edges_across(alone, None, None, everything(planted)[2])) == 3 * EACH


def test_artifacts_of_other_neurons_say_nothing() -> None:
    here, elsewhere = Planted.of([8, 9], EACH), Planted.of([3, 4], EACH)
    graph, moved, _ = everything(here)
    pairs = {(0, EACH): 0.4}
    others = (ordered_graph(elsewhere, pairs), influence(elsewhere, pairs), interventions(elsewhere, [0], pairs))
    assert len(edges_across(here.neurons, *others)) == 0
    edges = edges_across(here.neurons, graph, others[1], others[2])
    assert len(edges) == 2
    assert set(edges.reading.tolist()) == {-1}
    assert not edges.effects["step"].looked.any()
    assert len(edges_across(here.neurons, graph, moved, others[2])) == 3


def test_there_must_be_something_to_join() -> None:
    with pytest.raises(ValueError, match="nothing to join"):
        joined(None, None, {})


def test_readings_are_named_once() -> None:
    assert set(IN_WORDS) == {*READINGS, ""}
    said = [effect_in_words(name, found) for name in IN_WORDS for found in (True, False)]
    assert all(text.endswith(".") and "{" not in text for text in said)
