"""What `influence` measured on one corpus."""

from __future__ import annotations

from dataclasses import dataclass, field

from glasso_cli.artifacts.metrics.codec import LEFT_OUT_AT_DEFAULT


@dataclass(frozen=True)
class LayersRead:
    """One pair of hook points: its neurons, how the derivative was taken, and how exact it is on a sample."""

    source: str  # label of the hook point, such as layers.8.mlp
    target: str
    sources: int  # neurons
    targets: int
    heads: int | None  # whose values are paths; 0 where the target reads the stream alone; None without a closed form
    gated: bool | None  # None without a closed form
    tested: int  # pairs of neurons
    edges: int
    check_mean: (
        float | None
    )  # distance from the exact derivative over its norm; None where it is that derivative itself
    check_rms: float | None
    by: str = field(
        default="", metadata=LEFT_OUT_AT_DEFAULT
    )  # what was pushed: "directions" or "sources"; "" in closed form
    pushes: int = field(default=0, metadata=LEFT_OUT_AT_DEFAULT)  # how many directions or sources
    derivative: str = field(default="", metadata=LEFT_OUT_AT_DEFAULT)  # "forward", "differences", or "" in closed form


@dataclass(frozen=True)
class InfluenceMetrics:
    """What neurons of one hook point do to those of another, and how far that can be trusted."""

    paths: str  # "closed" or "all"
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
    # Random combinations of tokens from which root mean squares were estimated; None where every token was taken.
    combinations: int | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    # Tokens of the first documents, from which the root mean square of ablation was taken; None without ablation.
    ablation_tokens: int | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    sample: str = field(default="token", metadata=LEFT_OUT_AT_DEFAULT)  # what is counted: token or sample
