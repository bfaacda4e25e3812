"""The strongest edges of a ``.dot`` file, and where Graphviz puts their neurons.

A scanner reads the edges, which is all that is needed: pydot reads about 300 statements a second, and a file has thousands.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.graph import quoted
from glasso_cli.report.plots.study import Edges, Study

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME = rf"(?:{_QUOTED}|[\w.]+)"
# An edge, or else a quoted text or a comment, so that what looks like an edge inside them is passed over.
_SCAN = re.compile(
    rf"(?P<source>{_NAME})\s*--\s*(?P<target>{_NAME})\s*\[(?P<looks>(?:{_QUOTED}|[^\"\]])*)\]|{_QUOTED}|//[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_RHO = re.compile(r'\bpartial_correlation\s*=\s*"?([-+.\deE]+)')
_MOST_NEATO = 1000  # neurons; stress majorisation takes quadratic time, beyond it the multilevel sfdp lays out
_MOST_PUSHED = 2000  # neurons; the distances of all pairs have to fit into memory
_SEED = 1


@dataclass(frozen=True, eq=False)
class Backbone:
    """The neurons with a strong edge, ``neurons (m,)`` in the path, and ``edges`` between positions in it."""

    neurons: np.ndarray
    edges: Edges  # from strong to weak


def read_backbone(study: Study) -> Backbone:
    """The ``section.edges`` strongest edges of ``study.dot``.

    Raises :class:`InputError` if the file is missing or names neurons that the path does not have.
    """
    found = strongest_edges(_text(study.dot), study.section.edges)
    index = {quoted(str(name)): i for i, name in enumerate(study.fit.neuron_ids)}
    try:
        ends = [(index[source], index[target]) for source, target, _ in found]
    except KeyError as error:
        raise InputError(
            f"{study.dot} names the neuron {error}, which the fitted path does not have.",
            "Run `glasso fit` again: the .dot file belongs to another fit.",
        ) from None
    rho = np.array([value for _, _, value in found])
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    order = np.argsort(-np.abs(rho), kind="stable")
    neurons, places = np.unique(pairs[order], return_inverse=True)
    places = places.reshape(-1, 2)
    return Backbone(neurons, Edges(places[:, 0], places[:, 1], rho[order]))


def strongest_edges(text: str, budget: int) -> list[tuple[str, str, float]]:
    """The two quoted names and the partial correlation of the ``budget`` strongest edges of a DOT text, in its order."""
    edges = [
        (match["source"], match["target"], float(rho[1]))
        for match in _SCAN.finditer(text)
        if match["source"] and (rho := _RHO.search(match["looks"]))
    ]
    order = np.argsort([-abs(rho) for *_, rho in edges], kind="stable")[:budget]
    return [edges[place] for place in sorted(order.tolist())]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise InputError(f"The graph {path} cannot be read.", "Run `glasso fit` again: it writes the file.") from None


# -- where the neurons stand --------------------------------------------------------------------------


def has_graphviz() -> bool:
    return shutil.which("dot") is not None


def layout(edges: Edges, communities: np.ndarray) -> np.ndarray:
    """Places ``(m, 2)`` of m neurons: edges pull, and so does an unseen anchor of each community.

    From Graphviz, or where that is not installed from networkx; either way the same input gives the same places. Only
    neighbourhood and community mean anything, distances do not (Jones, Mair & McNally 2018).
    """
    if not len(communities):
        return np.empty((0, 2))
    places = _graphviz(edges, communities) if has_graphviz() else _spring(edges, communities)
    return np.asarray(places - places.mean(axis=0))


def in_rows(places: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """``places (m, 2)`` moved into a band for each layer, the first below; from left to right in the order they had.

    A band has as many rows as keep neighbours about as far apart as the bands are high.
    """
    rows = np.empty_like(places)
    known = np.unique(layers)
    band = 1.0 / len(known)
    for number, layer in enumerate(known.tolist()):
        members = np.flatnonzero(layers == layer)
        order = members[np.argsort(places[members, 0], kind="stable")]
        lines = max(1, round(np.sqrt(len(members) * band / 3)))
        index = np.arange(len(members))
        rows[order, 0] = (index + 0.5) / len(members)
        rows[order, 1] = band * (number + 0.15 + 0.7 * (index % lines + 0.5) / lines)
    return rows


def _graphviz(edges: Edges, communities: np.ndarray) -> np.ndarray:
    import pydot

    graph = pydot.Dot(graph_type="graph", overlap="prism", start=str(_SEED), K="0.7")
    graph.set_node_defaults(shape="circle", fixedsize="true", width="0.42", label='""')
    for i in range(len(communities)):
        graph.add_node(pydot.Node(f"n{i}"))
    for a, b in zip(edges.rows.tolist(), edges.cols.tolist()):
        graph.add_edge(pydot.Edge(f"n{a}", f"n{b}", len="1", weight="1"))
    weak = {"weight": "0.1"}
    anchors = np.unique(communities[communities >= 0]).tolist()
    for place, c in enumerate(anchors):
        for i in np.flatnonzero(communities == c).tolist():
            graph.add_edge(pydot.Edge(f"c{c}", f"n{i}", len="2.5", **weak))
        for other in anchors[place + 1 :]:
            graph.add_edge(pydot.Edge(f"c{c}", f"c{other}", len="7", **weak))
    engine = "neato" if len(communities) <= _MOST_NEATO else "sfdp"
    plain = graph.create(prog=engine, format="plain").decode()
    rows = (line.split() for line in plain.splitlines() if line.startswith("node n"))
    positions = {int(row[1][1:]): (float(row[2]), float(row[3])) for row in rows}
    return np.array([positions[i] for i in range(len(communities))])


def _spring(edges: Edges, communities: np.ndarray) -> np.ndarray:
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(communities)))
    graph.add_edges_from(zip(edges.rows.tolist(), edges.cols.tolist()), weight=1.0)
    anchors = np.unique(communities[communities >= 0]).tolist()
    for place, c in enumerate(anchors):
        graph.add_edges_from(((f"c{c}", i) for i in np.flatnonzero(communities == c).tolist()), weight=0.3)
        graph.add_edges_from(((f"c{c}", f"c{other}") for other in anchors[place + 1 :]), weight=0.05)
    rounds = 300 if len(graph) < 500 else 50  # each takes quadratic time
    places = nx.spring_layout(graph, seed=_SEED, iterations=rounds)
    return _pushed_apart(np.array([places[i] for i in range(len(communities))]))


def _pushed_apart(places: np.ndarray) -> np.ndarray:
    """``places`` where no two are closer than about 1, scaled so that this needs little movement."""
    if len(places) > _MOST_PUSHED:
        return places
    extent = max(float(np.ptp(places, axis=0).max()), 1e-9)
    places = places / extent * 1.25 * np.sqrt(len(places))
    places = places + np.random.default_rng(_SEED).normal(0, 1e-3, places.shape)  # none coincide
    for _ in range(300):
        apart = places[:, None] - places[None]
        distance = np.sqrt((apart**2).sum(axis=-1))
        np.fill_diagonal(distance, np.inf)
        push = np.clip(1 - distance, 0, None)
        if push.max() < 0.04:
            break
        places = places + 0.25 * (apart * (push / distance)[..., None]).sum(axis=1)
    return places
