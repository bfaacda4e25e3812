"""A graph as Graphviz text."""

from __future__ import annotations

import json
from collections.abc import Iterator

from glasso_cli.graph.colours import NEGATIVE, POSITIVE
from glasso_cli.graph.graph import Graph

_SIGN_ATTRIBUTES = {
    True: f'sign="positive", color="{POSITIVE}", style=solid',
    False: f'sign="negative", color="{NEGATIVE}", style=dashed',
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


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
