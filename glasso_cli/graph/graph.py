"""From a sparse precision matrix to a graph of neurons: partial correlations, communities, Graphviz text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.graph.communities import ISOLATED, find_communities


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
    return np.asarray(-values / (scale[rows] * scale[cols]))


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
