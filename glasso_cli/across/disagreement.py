"""Neurons whose pairs with later layers have association without influence, or influence without association."""

from __future__ import annotations

import numpy as np

from glasso_cli.across.from_artifacts import association_of, influence_of, neurons_of
from glasso_cli.across.readings import COMMON_CAUSE, UNUSED_WIRING
from glasso_cli.across.table import joined
from glasso_cli.artifacts import Influence, OrderedGraph


def disagreements(graph: OrderedGraph, influence: Influence) -> dict[str, tuple[int, int]]:
    """For every neuron that both looked at as a source: its pairs read as common cause, and those read as unused wiring."""
    neurons = neurons_of([graph, influence])
    methods = association_of(graph, neurons), influence_of(influence, neurons)
    edges = joined(*methods, {})
    counts = [
        np.bincount(edges.sources[edges.reading == reading], minlength=len(neurons.ids))
        for reading in (COMMON_CAUSE, UNUSED_WIRING)
    ]
    looked = np.all([method.looked_from.any(axis=0) for method in methods], axis=0)
    return {
        name: (int(alone), int(wired))
        for name, alone, wired, read in zip(neurons.ids.tolist(), *counts, looked.tolist(), strict=True)
        if read
    }
