"""From a sparse precision matrix to a graph of neurons: partial correlations, communities, Graphviz text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

ISOLATED = -1  # the community of a neuron without edges

_TRIALS = 5  # independent runs of Leiden, of which the best is kept; one takes 0.4 s for 100,000 edges
_SIGN_ATTRIBUTES = {
    True: 'sign="positive", color="#2166AC", style=solid',
    False: 'sign="negative", color="#B2182B", style=dashed',
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph of p neurons and E edges, each weighted by its partial correlation."""

    neuron_ids: np.ndarray  # (p,) str
    rows: np.ndarray  # (E,) int, each edge once, row < column
    cols: np.ndarray  # (E,) int
    weights: np.ndarray  # (E,) float64, partial correlations in [-1, 1]
    layers: np.ndarray | None  # (p,) int
    communities: np.ndarray  # (p,) int, 0 is the largest; ISOLATED without edges
    degree: np.ndarray  # (p,) int, edges of a neuron
    strength: np.ndarray  # (p,) float64, sum of the |partial correlations| of its edges


def partial_correlation(rows: np.ndarray, cols: np.ndarray, values: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Partial correlations ``(E,)`` of precision entries: -Theta_ij / sqrt(Theta_ii Theta_jj)."""
    scale = np.sqrt(diagonal)
    return -values / (scale[rows] * scale[cols])


def build_graph(
    neuron_ids: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    values: np.ndarray,
    diagonal: np.ndarray,
    layers: np.ndarray | None = None,
    seed: int = 0,
    *,
    communities: np.ndarray | None = None,
) -> Graph:
    """The graph of a precision matrix given by its upper triangle and diagonal.

    ``communities`` are found with ``seed`` unless they are given.
    """
    p = len(neuron_ids)
    weights = partial_correlation(rows, cols, values, diagonal)
    ends = np.concatenate([rows, cols])
    if communities is None:
        communities = find_communities(p, rows, cols, np.abs(weights), seed)
    return Graph(
        neuron_ids=np.asarray(neuron_ids),
        rows=rows,
        cols=cols,
        weights=weights,
        layers=layers,
        communities=communities,
        degree=np.bincount(ends, minlength=p),
        strength=np.bincount(ends, np.tile(np.abs(weights), 2), minlength=p),
    )


# -- communities ----------------------------------------------------------------------------------


def find_communities(p: int, rows: np.ndarray, cols: np.ndarray, strengths: np.ndarray, seed: int) -> np.ndarray:
    """The community ``(p,)`` of every neuron by Leiden on modularity (Traag, Waltman and van Eck, 2019).

    Numbered by size, then by the first neuron; neurons without edges are ``ISOLATED``. ``strengths``
    ``(E,)`` are positive weights. The same input and seed give the same communities.
    """
    from graspologic_native import leiden

    found = np.full(p, ISOLATED)
    if len(rows) == 0:
        return found
    edges = [(str(i), str(j), weight) for i, j, weight in zip(rows.tolist(), cols.tolist(), strengths.tolist())]
    _, partition = leiden(edges, seed=seed, trials=_TRIALS)
    found[[int(name) for name in partition]] = list(partition.values())
    return _numbered_by_size(found)


def _numbered_by_size(labels: np.ndarray) -> np.ndarray:
    """The same partition with 0 for the largest part; equal sizes in the order of their first neurons."""
    members = np.flatnonzero(labels != ISOLATED)
    _, first, inverse, sizes = np.unique(labels[members], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=labels.dtype)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    numbered = labels.copy()
    numbered[members] = rank[inverse]
    return numbered


def community_order(graph: Graph) -> np.ndarray:
    """Neurons ``(p,)`` for a heatmap: largest community first, strongest neuron first, isolated last."""
    last = graph.communities.max(initial=ISOLATED) + 1
    community = np.where(graph.communities == ISOLATED, last, graph.communities)
    return np.lexsort((-graph.strength, community))


def backbone(graph: Graph, budget: int) -> Graph:
    """The ``budget`` strongest edges and the neurons they touch, in the order they had.

    Communities, degree and strength remain those of the whole graph.
    """
    strongest = np.argsort(-np.abs(graph.weights), kind="stable")[:budget]
    kept = np.sort(strongest)
    neurons, ends = np.unique([graph.rows[kept], graph.cols[kept]], return_inverse=True)
    rows, cols = ends.reshape(2, -1)
    return replace(
        graph,
        neuron_ids=graph.neuron_ids[neurons],
        rows=rows,
        cols=cols,
        weights=graph.weights[kept],
        layers=None if graph.layers is None else graph.layers[neurons],
        communities=graph.communities[neurons],
        degree=graph.degree[neurons],
        strength=graph.strength[neurons],
    )


# -- Graphviz -------------------------------------------------------------------------------------


def to_dot(graph: Graph, key: str, title: str) -> str:
    """The Graphviz text of the graph, for Graphviz and Gephi; equal graphs give equal bytes.

    The first line is a comment, ``// glasso: `` and a JSON object with ``key``.
    """
    return "".join(dot_lines(graph, key, title))


def dot_lines(graph: Graph, key: str, title: str) -> Iterator[str]:
    """The lines of :func:`to_dot`, one at a time."""
    yield dot_head(key, title, len(graph.neuron_ids), len(graph.rows))
    names = [quoted(name) for name in graph.neuron_ids.tolist()]
    yield from _node_lines(graph, names)
    yield from _edge_lines(graph, names)
    yield "}\n"


def dot_head(key: str, title: str, neurons: int, edges: int) -> str:
    """The first lines of a graph: what it is, for `glasso show`, and its label."""
    about = {"key": key, "title": title, "neurons": neurons, "edges": edges}
    return f"// glasso: {json.dumps(about)}\ngraph {{\n  label={quoted(title)};\n"


def quoted(text: str) -> str:
    """``text`` as a quoted DOT id: no two texts give the same id, and none ends the quotes early."""
    return f'"{text.translate(_ESCAPES)}"'


def _node_lines(graph: Graph, names: list[str]) -> Iterator[str]:
    layers = [None] * len(names) if graph.layers is None else graph.layers.tolist()
    columns = zip(names, layers, graph.communities.tolist(), graph.degree.tolist(), graph.strength.tolist())
    for name, layer, community, degree, strength in columns:
        place = "" if layer is None else f"layer={layer}, "
        yield f"  {name} [{place}community={community}, degree={degree}, strength={strength:.6g}];\n"


def _edge_lines(graph: Graph, names: list[str]) -> Iterator[str]:
    for i, j, weight in zip(graph.rows.tolist(), graph.cols.tolist(), graph.weights.tolist()):
        yield (
            f"  {names[i]} -- {names[j]} [weight={abs(weight):.6g}, "
            f"partial_correlation={weight:.6g}, {_SIGN_ATTRIBUTES[weight > 0]}];\n"
        )
