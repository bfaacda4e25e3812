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
class ScalarReached:
    """Paths that end in a scalar, and the measured slopes of the scalar in the sources, per standard deviation.

    A slope has two parts: what passes no later neuron of the layers of the graph (direct), and the rest, which paths explain.
    Signs are oriented, so that no correlation depends on the arbitrary signs of gated neurons.
    """

    scalar: str
    documents: int  # on which slopes were measured
    tokens: int
    # None for fewer than three sources, or where nothing varies:
    slope: float | None  # of the rest on the sum of the products, over the sources, by least squares through zero
    correlation: float | None  # of the rest with the sum of the products
    direct: float | None  # of the whole slope with its direct part
    both: float | None  # of the whole slope with its direct part and the sum of the products


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
    signed: float  # sum over sources and targets of the signed effects along all paths, oriented
    absolute: float  # of the absolute ones
    signed_error: float | None  # standard errors of both; None where it is not known how blocks of documents differ
    absolute_error: float | None
    jackknife: bool  # whether errors of products are by the block jackknife; otherwise factors are taken as independent
    units: bool  # whether errors know that standard deviations are estimated too
    scalar: ScalarReached | None  # None where paths end in neurons
    mediated: Mediated | None
