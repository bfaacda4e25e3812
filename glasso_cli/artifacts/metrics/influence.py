"""What `influence` measured on one corpus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayersRead:
    """One pair of layers: its neurons, its paths, and how exact the closed form is on a sample."""

    source: str  # label of the hook point, such as layers.8.mlp
    target: str
    sources: int  # neurons
    targets: int
    heads: int  # whose values are paths; 0 where the target reads the stream alone
    gated: bool
    tested: int  # pairs of neurons
    edges: int
    check_mean: float  # distance of the closed form from the exact derivative over its norm, on built-in texts
    check_rms: float


@dataclass(frozen=True)
class InfluenceMetrics:
    """What neurons of one layer do to those of the next, and how far that can be trusted."""

    paths: str
    fdr: float
    min_effect: float
    documents: int
    tokens: int  # that count
    blocks: int  # of documents, with tokens
    neurons: int
    layers: tuple[LayersRead, ...]
    tested: int  # pairs of neurons, of all layers
    edges: int
    mean_rms_ratio: float | None  # median over edges of |mean| / RMS: 1 where the derivative is the same at every token
