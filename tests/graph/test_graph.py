from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pydot
import pytest

from glasso_cli.graph import ISOLATED, Graph, build_graph, dot_lines, find_communities, to_dot
from glasso_cli.graph.graph import community_order
from glasso_cli.linalg.precision import partial_correlation

NASTY = [
    "model.layers.9.mlp.down_proj:in[3]",
    'a "quoted" neuron',
    "commas, and; semicolons",
    "<b>bold</b> & <table>",
    "two\nlines",
    "back\\slash",
    "back\\nslash",
    "trailing\\",
    "ünïcode 神経",
    "// comment /* not */ # one",
    "node",
    "x -- y [color=red]",
    "carriage\rreturn",
    "&lt;entity&gt;",
]


def planted(p: int, groups: int, seed: int, isolated: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A graph with dense groups and a few edges between them, and its groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(groups, size=p)
    chance = np.where(group[:, None] == group, 0.4, 0.01)
    rows, cols = np.nonzero(np.triu(rng.random((p, p)) < chance, 1))
    keep = (rows >= isolated) & (cols >= isolated)
    rows, cols = rows[keep], cols[keep]
    values = -rng.uniform(0.05, 0.3, len(rows)) * rng.choice([-1, 1], len(rows))
    return rows, cols, values, group


def graph_of(p: int = 60, seed: int = 0, isolated: int = 5) -> Graph:
    rows, cols, values, _ = planted(p, 4, seed, isolated)
    ids = np.array([f"layers.{i % 3}.mlp:in[{i}]" for i in range(p)])
    return build_graph(ids, rows, cols, values, np.linspace(1, 3, p), np.arange(p) % 3)


def nasty_graph() -> Graph:
    p = len(NASTY)
    rows = np.arange(p - 1)
    values = np.where(rows % 2, 0.2, -0.3)
    return build_graph(np.array(NASTY), rows, rows + 1, values, np.ones(p))


def unescaped(name: str) -> str:
    """A quoted DOT id read the way C strings are, independently of the writer."""
    assert name.startswith('"')
    assert name.endswith('"')
    out, characters = [], iter(name[1:-1])
    for character in characters:
        if character == "\\":
            character = {"n": "\n", "r": "\r", '"': '"', "\\": "\\"}[next(characters)]
        else:
            assert character != '"'
        out.append(character)
    return "".join(out)


def parsed(text: str) -> pydot.Dot:
    (graph,) = pydot.graph_from_dot_data(text)
    return graph


# -- the graph ------------------------------------------------------------------------------------


def test_partial_correlations_are_regression_residual_correlations() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5)) @ rng.standard_normal((5, 5))
    X -= X.mean(axis=0)
    precision = np.linalg.inv(X.T @ X)
    rows, cols = np.triu_indices(5, 1)
    found = partial_correlation(rows, cols, precision[rows, cols], precision.diagonal())
    for i, j, value in zip(rows, cols, found):
        rest = X[:, [k for k in range(5) if k not in (i, j)]]
        pair = X[:, [i, j]] - rest @ np.linalg.lstsq(rest, X[:, [i, j]], rcond=None)[0]
        assert value == pytest.approx(np.corrcoef(pair.T)[0, 1])


def test_a_chain_of_three_by_hand() -> None:
    graph = build_graph(
        np.array(["a", "b", "c", "d"]),
        np.array([0, 1]),
        np.array([1, 2]),
        np.array([-0.5, 1.0]),
        np.array([1.0, 4.0, 1.0, 1.0]),
    )
    np.testing.assert_allclose(graph.weights, [0.25, -0.5])
    np.testing.assert_array_equal(graph.degree, [1, 2, 1, 0])
    np.testing.assert_allclose(graph.strength, [0.25, 0.75, 0.5, 0])
    assert graph.communities[3] == ISOLATED
    assert (graph.communities[:3] >= 0).all()
    assert graph.layers is None


def test_an_empty_graph_has_only_isolated_neurons() -> None:
    none = np.array([], dtype=int)
    graph = build_graph(np.array(["a", "b"]), none, none, none.astype(float), np.ones(2))
    assert (graph.communities == ISOLATED).all()
    np.testing.assert_array_equal(graph.strength, [0, 0])
    np.testing.assert_array_equal(community_order(graph), [0, 1])
    assert len(parsed(to_dot(graph, "k", "t")).get_node_list()) == 2


# -- communities ----------------------------------------------------------------------------------


def test_planted_communities_are_recovered_and_numbered_by_size() -> None:
    rows, cols, values, group = planted(120, 5, seed=1)
    found = find_communities(120, rows, cols, np.abs(values), seed=0)
    assert len({(a, b) for a, b in zip(found, group)}) == 5
    sizes = np.bincount(found)
    assert (np.diff(sizes) <= 0).all()
    firsts = [np.flatnonzero(found == c)[0] for c in range(5)]
    for a in range(4):
        assert sizes[a] > sizes[a + 1] or firsts[a] < firsts[a + 1]


def test_communities_of_equal_size_are_numbered_by_their_first_neurons() -> None:
    triangles = np.sort(np.random.default_rng(0).permutation(30).reshape(10, 3))
    rows, cols = triangles[:, [0, 0, 1]].ravel(), triangles[:, [1, 2, 2]].ravel()
    found = find_communities(30, rows, cols, np.ones(30), seed=0)
    firsts = [int(np.flatnonzero(found == community)[0]) for community in range(10)]
    assert firsts == sorted(triangles[:, 0])


def test_neurons_without_edges_are_in_no_community() -> None:
    graph = graph_of(isolated=5)
    np.testing.assert_array_equal(graph.communities == ISOLATED, graph.degree == 0)
    assert (graph.communities[:5] == ISOLATED).all()


def test_the_same_seed_gives_the_same_communities() -> None:
    rows, cols, values, _ = planted(200, 12, seed=2)
    runs = [find_communities(200, rows, cols, np.abs(values), seed=7) for _ in range(3)]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_given_communities_are_kept() -> None:
    rows, cols, values, _ = planted(20, 2, seed=3)
    given = np.arange(20) % 2
    graph = build_graph(np.arange(20).astype(str), rows, cols, values, np.ones(20), communities=given)
    np.testing.assert_array_equal(graph.communities, given)


def test_the_order_is_by_community_then_strength_with_isolated_neurons_last() -> None:
    graph = graph_of()
    order = community_order(graph)
    np.testing.assert_array_equal(np.sort(order), np.arange(60))
    communities, strength = graph.communities[order], graph.strength[order]
    connected = communities != ISOLATED
    assert (np.diff(connected.astype(int)) <= 0).all()
    assert (np.diff(communities[connected]) >= 0).all()
    same = np.diff(communities) == 0
    assert (np.diff(strength)[same] <= 0).all()


# -- Graphviz -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("graph", [graph_of(), nasty_graph()], ids=["plain", "nasty"])
def test_pydot_reads_back_the_same_graph(graph: Graph) -> None:
    read = parsed(to_dot(graph, "k", "a title"))
    assert read.get_type() == "graph"
    nodes = {unescaped(node.get_name()): node for node in read.get_node_list()}
    assert sorted(nodes) == sorted(graph.neuron_ids.tolist())
    for i, name in enumerate(graph.neuron_ids.tolist()):
        attributes = nodes[name].get_attributes()
        assert int(attributes["community"]) == graph.communities[i]
        assert int(attributes["degree"]) == graph.degree[i]
        assert float(attributes["strength"]) == pytest.approx(graph.strength[i], rel=1e-5)
        assert ("layer" in attributes) == (graph.layers is not None)
        if graph.layers is not None:
            assert int(attributes["layer"]) == graph.layers[i]
    edges = [(unescaped(edge.get_source()), unescaped(edge.get_destination())) for edge in read.get_edge_list()]
    expected = list(zip(graph.neuron_ids[graph.rows].tolist(), graph.neuron_ids[graph.cols].tolist()))
    assert edges == expected


@pytest.mark.slow
def test_every_edge_tells_its_sign_in_number_word_colour_and_line() -> None:
    graph = graph_of()
    read = parsed(to_dot(graph, "k", "t"))
    for edge, weight in zip(read.get_edge_list(), graph.weights):
        attributes = edge.get_attributes()
        assert float(attributes["partial_correlation"]) == pytest.approx(weight, rel=1e-5)
        assert float(attributes["weight"]) == pytest.approx(abs(weight), rel=1e-5)
        look = [attributes[name].strip('"') for name in ("sign", "color", "style")]
        assert look == (["positive", "#2166AC", "solid"] if weight > 0 else ["negative", "#B2182B", "dashed"])


@pytest.mark.parametrize("size", [1e-5, 3.2e-12, 0.1234567, 1e20])
def test_numbers_of_every_size_are_valid_dot(size: float) -> None:
    graph = build_graph(np.array(["a", "b"]), np.array([0]), np.array([1]), np.array([-size]), np.ones(2))
    text = to_dot(graph, "k", "t")
    (edge,) = parsed(text).get_edge_list()
    assert float(edge.get("partial_correlation").strip('"')) == pytest.approx(size, rel=1e-5)
    if dot := shutil.which("dot"):
        read = subprocess.run([dot, "-Tcanon"], input=text, capture_output=True, text=True, check=True)
        assert read.stderr == ""


def test_different_ids_stay_different() -> None:
    names = [line.split(" [")[0] for line in dot_lines(nasty_graph(), "k", "t")][3 : 3 + len(NASTY)]
    assert len(set(names)) == len(NASTY)
    assert all("\n" not in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("title", ["films", 'a "b"\n<c> \\', "*/ }"])
def test_the_first_line_names_the_artifact(title: str) -> None:
    text = to_dot(graph_of(), "0123abcd", title)
    head = text.splitlines()[0]
    assert head.startswith("// glasso: ")
    about = json.loads(head.removeprefix("// glasso: "))
    assert about["key"] == "0123abcd"
    assert (about["title"], about["neurons"]) == (title, 60)
    assert unescaped(parsed(text).get_label()) == title


def test_equal_graphs_give_equal_bytes() -> None:
    assert to_dot(graph_of(), "k", "t") == to_dot(graph_of(), "k", "t")
    assert to_dot(graph_of(), "k", "t") == "".join(dot_lines(graph_of(), "k", "t"))
