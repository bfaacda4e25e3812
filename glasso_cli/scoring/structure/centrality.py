"""What a neuron is in an undirected graph: sums over its edges, and PageRank.

Betweenness and closeness are not among them: both need distances, which partial correlations are not, and their rankings
change most between samples (Bringmann et al. 2019; Epskamp, Borsboom and Fried 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.errors import InputError
from glasso_cli.graph.sums import edge_sums

DAMPING = 0.85  # of PageRank: the share of steps that follow an edge
_TOLERANCE = 1e-12  # of PageRank, summed over neurons
_STEPS = 500


@dataclass(frozen=True, eq=False)
class Edges:
    """E edges of p neurons, each once, and what is known of the neurons whatever their strengths."""

    rows: np.ndarray  # (E,)
    cols: np.ndarray  # (E,)
    communities: np.ndarray  # (p,), -1 for neurons without
    layers: np.ndarray  # (p,)
    orientation: np.ndarray  # (p,), 1 or -1

    @property
    def n_neurons(self) -> int:
        return len(self.communities)


@dataclass(frozen=True, eq=False)
class Centrality:
    """Scores of p neurons in one graph, ``(p,)`` each. All but ``expected_influence`` are the same for any signs of the neurons."""

    strength: np.ndarray  # sum of |rho| over the edges of a neuron
    expected_influence: np.ndarray  # sum of rho between oriented neurons (Robinaugh, Millner and McNally 2016)
    bridge_strength: np.ndarray  # sum of |rho| to other communities (Jones, Ma and McNally 2021)
    participation: (
        np.ndarray
    )  # 1 - sum of squared shares of the strength by community (Guimera and Amaral 2005); 0 without edges
    between_layers: np.ndarray  # sum of |rho| to other layers
    pagerank: np.ndarray  # on |rho|; sums to one over the neurons

    def by_name(self) -> dict[str, np.ndarray]:
        """The scores by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def centrality(edges: Edges, rho: np.ndarray) -> Centrality:
    """The scores of the graph of ``edges`` with partial correlations ``rho (E,)``, not oriented."""
    p, rows, cols = edges.n_neurons, edges.rows, edges.cols
    size = np.abs(rho)
    signed = rho * edges.orientation[rows] * edges.orientation[cols]
    return Centrality(
        strength=edge_sums(p, rows, cols, size),
        expected_influence=edge_sums(p, rows, cols, signed),
        bridge_strength=edge_sums(p, rows, cols, size * (edges.communities[rows] != edges.communities[cols])),
        participation=participation(edges, size),
        between_layers=edge_sums(p, rows, cols, size * (edges.layers[rows] != edges.layers[cols])),
        pagerank=pagerank(p, rows, cols, size),
    )


def participation(edges: Edges, size: np.ndarray) -> np.ndarray:
    """How evenly the strength of each neuron is spread over communities, ``(p,)``: 0 in one, up to 1 - 1/c in c of them."""
    p = edges.n_neurons
    to = coo_array(
        (
            np.tile(size, 2),
            (
                np.concatenate([edges.rows, edges.cols]),
                np.concatenate([edges.communities[edges.cols], edges.communities[edges.rows]]) + 1,
            ),
        ),
        shape=(p, int(edges.communities.max(initial=-1)) + 2),
    ).tocsr()
    strength = to.sum(axis=1)
    squares = (to**2).sum(axis=1)
    return np.where(strength > 0, 1 - squares / np.where(strength > 0, strength, 1.0) ** 2, 0.0)


def pagerank(p: int, rows: np.ndarray, cols: np.ndarray, size: np.ndarray) -> np.ndarray:
    """PageRank ``(p,)`` of an undirected graph with weights ``size (E,)``, by power iteration (Brin and Page 1998).

    A walk follows an edge in proportion to its weight with probability ``DAMPING``; else, and from a neuron without edges,
    it goes on at any neuron. Unlike the leading eigenvector it is defined where the graph is not connected.
    """
    strength = edge_sums(p, rows, cols, size)
    linked = strength > 0
    out = np.where(linked, 1 / np.where(linked, strength, 1.0), 0.0)
    weights = csr_array(
        coo_array((np.tile(size, 2), (np.concatenate([rows, cols]), np.concatenate([cols, rows]))), (p, p))
    )
    rank = np.full(p, 1 / p)
    for _ in range(_STEPS):
        following = weights @ (rank * out)
        new = DAMPING * (following + rank[~linked].sum() / p) + (1 - DAMPING) / p
        if np.abs(new - rank).sum() <= _TOLERANCE:
            return np.asarray(new)
        rank = new
    raise InputError(
        f"PageRank did not settle in {_STEPS} steps.",
        "Check that no partial correlation of the graph is infinite or nan.",
    )
