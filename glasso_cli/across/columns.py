"""The table of edges across layers, by column."""

from __future__ import annotations

from typing import Any

import numpy as np

from glasso_cli.across.from_artifacts import Neurons
from glasso_cli.across.readings import READINGS
from glasso_cli.across.table import Column, EdgesAcross
from glasso_cli.artifacts import OrderedGraph, PrecisionPath

_READ = np.array([*READINGS, ""])


def edge_columns(edges: EdgesAcross, neurons: Neurons, graph: OrderedGraph | PrecisionPath | None) -> dict[str, Any]:
    """All pairs, the strongest first; a number that was not estimated or not kept is nan.

    ``graph`` is that of the association. Times ``orientation_source`` and ``orientation_target``, association, influence and
    effects of steps have the model's own signs; effects of other changes do so times ``orientation_target`` alone.
    """
    table: dict[str, Any] = {
        "source": neurons.ids[edges.sources],
        "target": neurons.ids[edges.targets],
        "source_layer": neurons.layers[edges.sources],
        "target_layer": neurons.layers[edges.targets],
        "reading": _READ[edges.reading],
    }
    if edges.association is not None and graph is not None:
        table |= _group("association", edges.association)
        table["association_graph"] = np.full(len(edges), association_name(graph))
    if edges.influence is not None:
        table |= _group("influence", edges.influence)
    for change, column in edges.effects.items():
        table |= _group(f"effect_{change}", column)
    table["orientation_source"] = neurons.orientation[edges.sources]
    table["orientation_target"] = neurons.orientation[edges.targets]
    return table


def association_name(graph: OrderedGraph | PrecisionPath) -> str:
    """Which graph the association is of: ``ordered`` or ``joint``."""
    return "ordered" if isinstance(graph, OrderedGraph) else "joint"


def _group(name: str, column: Column) -> dict[str, np.ndarray]:
    numbers = {name if part == "value" else f"{name}_{part}": values for part, values in column.numbers.items()}
    return {**numbers, f"{name}_found": np.where(column.looked, np.where(column.found, "yes", "no"), "")}
