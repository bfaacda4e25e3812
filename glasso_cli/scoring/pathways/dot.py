"""The pruned view of a graph across layers as Graphviz text, with oriented signs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.graph.dot import SIGN_ATTRIBUTES, dot_head, edge_line, node_line, quoted


def dot_of_view(made: Pathways) -> Iterator[str]:
    """The lines: a row of neurons for each layer, and the edges that are kept."""
    edges = np.flatnonzero(made.in_view)
    neurons = np.flatnonzero(made.neuron_in_view)
    scalar = made.metrics.scalar
    end = f"{made.metrics.targets:,} neurons" if scalar is None else scalar.scalar
    title = f"{made.meta['corpus']}: {made.metrics.nodes:.0%} of the influence on {end}"
    count = len(edges) + int(made.leaves.sum())
    yield dot_head(str(made.meta.get("key", "")), title, len(neurons), count, directed=True)
    yield "  rankdir=LR;\n"
    for layer in np.unique(made.layers[neurons]).tolist():
        yield f"  subgraph layer_{max(layer, 0)} {{\n    rank=same;\n"
        for neuron in neurons[made.layers[neurons] == layer].tolist():
            attributes = {"layer": layer, "influence": f"{made.influence[neuron]:.6g}"}
            yield "  " + node_line(quoted(str(made.neuron_ids[neuron])), attributes)
        yield "  }\n"
    if scalar is not None:
        yield "  " + node_line(quoted(scalar.scalar), {"shape": "box", "slopes": "direct"})
    kind = "influence" if made.metrics.graph == "influence" else "coefficient"
    signs = pair_signs(made.orientation, made.sources, made.targets)
    for edge in edges.tolist():
        weight = float(made.weights[edge] * signs[edge])
        numbers = {
            "weight": f"{abs(weight):.6g}",
            kind: f"{weight:.6g}",
            "standard_error": f"{made.errors[edge]:.6g}",
        }
        first, second = (quoted(str(made.neuron_ids[end[edge]])) for end in (made.sources, made.targets))
        yield edge_line(first, second, {**numbers, **SIGN_ATTRIBUTES[weight > 0]}, directed=True)
    if scalar is not None:
        yield from _to_scalar(made, scalar.scalar)
    yield "}\n"


def _to_scalar(made: Pathways, scalar: str) -> Iterator[str]:
    for neuron in np.flatnonzero(made.leaves).tolist():
        slope = float(made.exits[neuron] * made.orientation[neuron])
        numbers = {
            "weight": f"{abs(slope):.6g}",
            "slope": f"{slope:.6g}",
            "standard_error": f"{made.exit_errors[neuron]:.6g}",
        }
        ends = quoted(str(made.neuron_ids[neuron])), quoted(scalar)
        yield edge_line(*ends, {**numbers, **SIGN_ATTRIBUTES[slope > 0]}, directed=True)
