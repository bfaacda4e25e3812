"""From a sparse precision matrix to a graph of neurons: partial correlations, communities, Graphviz text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.graph.communities import ISOLATED, find_communities
from glasso_cli.graph.sums import degrees, edge_sums
from glasso_cli.linalg.precision import partial_correlation


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
    if communities is None:
        communities = find_communities(p, rows, cols, np.abs(weights), seed)
    return Graph(
        neuron_ids=np.asarray(neuron_ids),
        rows=rows,
        cols=cols,
        weights=weights,
        layers=layers,
        communities=communities,
        degree=degrees(p, rows, cols),
        strength=edge_sums(p, rows, cols, np.abs(weights)),
    )


# -- communities ----------------------------------------------------------------------------------


def community_order(graph: Graph) -> np.ndarray:
    """Neurons ``(p,)`` for a heatmap: largest community first, strongest neuron first, isolated last."""
    last = graph.communities.max(initial=ISOLATED) + 1
    community = np.where(graph.communities == ISOLATED, last, graph.communities)
    return np.lexsort((-graph.strength, community))
