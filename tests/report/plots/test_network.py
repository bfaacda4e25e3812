"""The backbone read from a .dot file, the places of neurons, and their labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pydot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.studies import random_edges

from glasso_cli.errors import InputError
from glasso_cli.graph import build_graph, quoted, to_dot
from glasso_cli.report.plots.figures import network
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.backbone import layout, read_backbone, strongest_edges
from glasso_cli.report.plots.parts.drawn_graph import LABEL, place_labels
from glasso_cli.report.plots.study import Edges, Study

HOSTILE = [
    'say "hi"', '" -- "', "a -- b [partial_correlation=9]", "line\nbreak", "// no comment", "]", "\\", "/* x", "é", "-- [",
]  # fmt: skip


HALF = 320.0  # points: of the square that labels stay in


def as_pairs(study: Study, rows: np.ndarray, cols: np.ndarray, rho: np.ndarray) -> dict[tuple[str, str], float]:
    ids = study.fit.neuron_ids
    return {(str(ids[a]), str(ids[b])): float(r) for a, b, r in zip(rows, cols, rho)}


def expected_pairs(study: Study, rows: np.ndarray, cols: np.ndarray, rho: np.ndarray) -> Any:
    return pytest.approx(as_pairs(study, rows, cols, rho), rel=1e-5)  # the file holds six digits


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 7, 1000])
def test_the_backbone_holds_the_strongest_edges_of_the_path(make_study: Callable[..., Study], budget: int) -> None:
    study = make_study(50, 80, section={"edges": budget})
    found = read_backbone(study)
    rows, cols, rho = (part[:budget] for part in study.edges)
    ends = found.neurons[found.edges.rows], found.neurons[found.edges.cols]
    assert as_pairs(study, *ends, found.edges.rho) == expected_pairs(study, rows, cols, rho)
    assert set(found.neurons) == set(rows) | set(cols)


def test_ids_that_look_like_dot_are_read_as_ids(make_study: Callable[..., Study]) -> None:
    study = make_study(len(HOSTILE), 20, ids=HOSTILE, section={"edges": 100})
    found = read_backbone(study)
    assert len(found.edges.rho) == study.n_edges
    ends = found.neurons[found.edges.rows], found.neurons[found.edges.cols]
    assert as_pairs(study, *ends, found.edges.rho) == expected_pairs(study, *study.edges)


@settings(max_examples=50, deadline=None)
@given(
    ids=st.lists(st.text(st.sampled_from('ab"\\[]-/*\n ;{}='), max_size=12), min_size=3, max_size=6, unique=True),
    seed=st.integers(0, 99),
)
def test_the_scanner_finds_the_edges_that_were_written(ids: list[str], seed: int) -> None:
    rows, cols, values = random_edges(len(ids), 6, seed)
    graph = build_graph(np.array(ids, dtype=object), rows, cols, values, np.ones(len(ids)), seed=0)
    found = {(source, target): rho for source, target, rho in strongest_edges(to_dot(graph, key="k", title="t"), 1000)}
    names = [quoted(name) for name in ids]
    edges = zip(graph.rows.tolist(), graph.cols.tolist(), graph.weights.tolist())
    assert found == pytest.approx({(names[a], names[b]): rho for a, b, rho in edges}, rel=1e-5)


def test_a_dot_file_of_other_neurons_is_refused(make_study: Callable[..., Study]) -> None:
    study = make_study(10, 12)
    study.dot.write_text('graph { "stranger" -- "layers.9.mlp[1]" [partial_correlation=0.5]; }')
    with pytest.raises(InputError, match="stranger"):
        read_backbone(study)
    study.dot.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_backbone(study)


# -- places -------------------------------------------------------------------------------------------


@pytest.fixture(params=["graphviz", "networkx"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name == "networkx":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    return name


def planted(groups: int = 3, size: int = 8) -> tuple[Edges, np.ndarray]:
    """Rings of neurons, each a community, joined in a chain."""
    rows = [g * size + k for g in range(groups) for k in range(size)]
    cols = [g * size + (k + 1) % size for g in range(groups) for k in range(size)]
    rows += [g * size for g in range(groups - 1)]
    cols += [(g + 1) * size for g in range(groups - 1)]
    edges = Edges(np.array(rows), np.array(cols), np.ones(len(rows)))
    return edges, np.repeat(np.arange(groups), size)


def test_places_repeat_and_keep_neurons_apart(engine: str) -> None:
    edges, communities = planted()
    places = layout(edges, communities)
    np.testing.assert_array_equal(places, layout(edges, communities))
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert np.isfinite(places).all()
    assert distance.min() > 0.05 * np.ptp(places)


def test_communities_stand_together(engine: str) -> None:
    edges, communities = planted()
    places = layout(edges, communities)
    middles = np.stack([places[communities == c].mean(0) for c in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles[None], axis=2).argmin(1)
    assert np.mean(nearest == communities) > 0.9


def test_a_single_pair_and_no_neuron_at_all_have_places(engine: str) -> None:
    pair = Edges(np.array([0]), np.array([1]), np.array([0.4]))
    assert np.isfinite(layout(pair, np.array([0, 0]))).all()
    none = Edges(np.empty(0, int), np.empty(0, int), np.empty(0))
    assert layout(none, np.empty(0, int)).shape == (0, 2)


def test_without_graphviz_the_network_is_drawn_and_a_sentence_says_what_to_do(
    make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with style.look():
        (picture,) = network.pictures(make_study(20, 30))
    assert len(picture.table["neuron_i"]) == 30
    assert "install" in network.graphviz_note()
    monkeypatch.undo()
    assert network.graphviz_note() == ""


# -- labels -------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), amount=st.integers(1, 60))
def test_no_label_touches_another_or_a_disc(seed: int, amount: int) -> None:
    rng = np.random.default_rng(seed)
    places, radii = rng.uniform(-150, 150, (amount, 2)), rng.uniform(4, 9, amount)
    labels = [f"L{k}·{rng.integers(10**4)}" for k in range(amount)]
    names = ["climate, warming" if k % 2 else "" for k in range(amount)]
    boxes = []
    for neuron, (x, y), name in place_labels(places, radii, labels, names, np.arange(amount), HALF):
        assert name in (names[neuron], "climate…", "")
        longest = max(labels[neuron], name, key=len)
        half = np.array([len(longest) * LABEL * 0.6 / 2, LABEL * (1 + bool(name)) / 2])
        boxes.append((np.array([x, y]) - half, np.array([x, y]) + half))
        off = np.abs(places - [x, y]) - half - radii[:, None]
        assert (off.max(axis=1) > 0).all()
    for k, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:k]:
            assert (low >= other_high).any() or (high <= other_low).any()


def test_a_lonely_neuron_has_its_label() -> None:
    found = list(place_labels(np.zeros((1, 2)), np.ones(1), ["L9·1"], ["climate"], np.arange(1), HALF))
    assert [(neuron, name) for neuron, _, name in found] == [(0, "climate")]


def test_a_name_without_room_leaves_the_label() -> None:
    around = np.array([(x, y) for x in (-40, 0, 40) for y in (-14, 0, 14)], dtype=float)
    order = np.array([4, 0, 1, 2, 3, 5, 6, 7, 8])
    placed = place_labels(around, np.full(9, 2.0), ["L9·1"] * 9, ["a very long name of words"] * 9, order, HALF)
    assert "" in {name for _, _, name in placed}


# -- the picture as Graphviz text -----------------------------------------------------------------------


@pytest.mark.slow
def test_the_pinned_graph_opens_in_pydot_with_every_edge(make_study: Callable[..., Study]) -> None:
    study = make_study(len(HOSTILE), 20, ids=HOSTILE)
    with style.look():
        (picture,) = network.pictures(study)
    (graph,) = pydot.graph_from_dot_data(picture.texts["dot"])
    assert len(graph.get_edges()) == len(picture.table["neuron_i"])
    assert all(node.get("pos") for node in graph.get_nodes() if node.get_name() not in ("node", '"\\n"'))
    negative = [edge for edge in graph.get_edges() if float(edge.get("partial_correlation")) < 0]
    assert negative
    assert all(edge.get("style") == "dashed" for edge in negative)
