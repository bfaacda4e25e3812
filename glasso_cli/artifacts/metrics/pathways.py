"""What a run of `pathways` found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mediated:
    """Paths that were tried on the network."""

    paths: int
    documents: int
    tokens: int
    step: float  # standard deviations
    slope: float | None  # of the observed effect through the middle on the predicted one, by least squares through zero
    spearman: float | None  # of the sizes of both; None for fewer than three paths
    same_sign: float  # share of the paths
    consistent: float  # share of the paths whose difference is at most two of its standard errors


@dataclass(frozen=True)
class PathwayMetrics:
    """Paths through a graph across layers."""

    graph: str  # influence or association
    neurons: int
    layers: tuple[int, ...]
    edges: int
    sources: int
    targets: int
    paths: int  # that are listed
    longest: int  # edges on the longest path that reaches a target
    view_neurons: int
    view_edges: int
    nodes: float  # share of the influence that was asked for
    edge_share: float
    signed: float  # sum over sources and targets of the signed effects along all paths
    absolute: float  # of the absolute ones
    mediated: Mediated | None
