"""A graph as Graphviz text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from glasso_cli.graph.colours import NEGATIVE, POSITIVE
from glasso_cli.graph.graph import Graph

# What follows of the sign of a number, True for a positive one.
SIGN_ATTRIBUTES = {
    True: {"sign": '"positive"', "color": f'"{POSITIVE}"', "style": "solid"},
    False: {"sign": '"negative"', "color": f'"{NEGATIVE}"', "style": "dashed"},
}
SIGNS = "relative to each neuron's heavier pole"
MARK = "// glasso: "  # how the first line of a file of ours begins
# A name, a number or a quoted text: https://graphviz.org/doc/info/lang.html
_NEEDS_NO_QUOTES = re.compile(r'[A-Za-z_]\w*|-?(\.[0-9]+|[0-9]+(\.[0-9]*)?)|"(?:[^"\\]|\\.)*"', re.ASCII | re.DOTALL)
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


def dot_head(key: str, title: str, neurons: int, edges: int, *, directed: bool = False) -> str:
    """The first lines of a graph: what it is, for `glasso show`, and its label."""
    kind = "digraph" if directed else "graph"
    about = {"key": key, "title": title, "neurons": neurons, "edges": edges, "signs": SIGNS}
    return f"{MARK}{json.dumps(about)}\n{kind} {{\n  label={quoted(title)};\n"


def quoted(text: str) -> str:
    """``text`` as a quoted DOT id: no two texts give the same id, and none ends the quotes early."""
    return f'"{text.translate(_ESCAPES)}"'


def node_line(name: str, attributes: Mapping[str, object]) -> str:
    """The line of a neuron; ``name`` is quoted already."""
    return f"  {name} [{_listed(attributes)}];\n"


def edge_line(first: str, second: str, attributes: Mapping[str, object], *, directed: bool = False) -> str:
    """The line of an edge between two quoted names, or from one to the other."""
    return f"  {first} {'->' if directed else '--'} {second} [{_listed(attributes)}];\n"


def _listed(attributes: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_value(str(value))}" for name, value in attributes.items())


def _value(text: str) -> str:
    """``text`` in quotes unless it needs none; DOT knows no exponents, so ``1e-05`` needs them."""
    return text if _NEEDS_NO_QUOTES.fullmatch(text) else quoted(text)


def _node_lines(graph: Graph, names: list[str]) -> Iterator[str]:
    layers = [None] * len(names) if graph.layers is None else graph.layers.tolist()
    columns = zip(names, layers, graph.communities.tolist(), graph.degree.tolist(), graph.strength.tolist())
    for name, layer, community, degree, strength in columns:
        place = {} if layer is None else {"layer": layer}
        yield node_line(name, {**place, "community": community, "degree": degree, "strength": f"{strength:.6g}"})


def signed_attributes(weight: float) -> dict[str, str]:
    """The attributes of an edge with this partial correlation: its size, its sign, and how the sign is drawn."""
    return {"weight": f"{abs(weight):.6g}", "partial_correlation": f"{weight:.6g}", **SIGN_ATTRIBUTES[weight > 0]}


def _edge_lines(graph: Graph, names: list[str]) -> Iterator[str]:
    for i, j, weight in zip(graph.rows.tolist(), graph.cols.tolist(), graph.weights.tolist()):
        yield edge_line(names[i], names[j], signed_attributes(weight))
