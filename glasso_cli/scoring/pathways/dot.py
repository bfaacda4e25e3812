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
    title = f"{made.meta['corpus']}: {made.metrics.nodes:.0%} of the influence on {made.metrics.targets:,} neurons"
    yield dot_head(str(made.meta.get("key", "")), title, len(neurons), len(edges), directed=True)
    yield "  rankdir=LR;\n"
    for layer in np.unique(made.layers[neurons]).tolist():
        yield f"  subgraph layer_{max(layer, 0)} {{\n    rank=same;\n"
        for neuron in neurons[made.layers[neurons] == layer].tolist():
            attributes = {"layer": layer, "influence": f"{made.influence[neuron]:.6g}"}
            yield "  " + node_line(quoted(str(made.neuron_ids[neuron])), attributes)
        yield "  }\n"
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
    yield "}\n"
