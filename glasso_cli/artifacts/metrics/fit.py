"""What `fit` measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from glasso_cli.artifacts.metrics.codec import EMPTY_FOR_NONE
from glasso_cli.artifacts.metrics.collect import CollectMetrics


@dataclass(frozen=True)
class EstimateUsed:
    """The estimate that was tested: ``inverse``, ``lasso`` or ``latent``; ``alpha`` is None for the inverse."""

    kind: str
    alpha: float | None


@dataclass(frozen=True)
class PairCounts:
    """All pairs that were tested, those that are not zero, and those beyond the minimum effect, at the false discovery rate."""

    tested: int
    nonzero: int
    discoveries: int


@dataclass(frozen=True)
class DroppedEdges:
    """How many edges each rule dropped, of those that the rules before it left."""

    fdr: int
    min_effect: int


@dataclass(frozen=True)
class HalfSamples:
    """Fits to halves of the documents; ``replication`` is None without any edge or any half."""

    count: int
    replication: float | None  # share of the edges of a half that the other half has too


@dataclass(frozen=True)
class NullEdges:
    """Edges among shifted neurons at the alpha and by the rules of the fit: all of them are false."""

    at_alpha: int
    drawn: int
    discoveries: int  # pairs of all that are beyond fit.min_effect at the rate fit.fdr


@dataclass(frozen=True)
class FreshNetwork:
    """The graph of the same architecture with fresh weights, on the same documents at the alpha and by the rules of the fit.

    Both replications are of one division of the documents, into even and odd blocks, at that alpha.
    """

    at_alpha: int
    drawn: int
    discoveries: int  # pairs of all that are beyond fit.min_effect at the rate fit.fdr
    communities: int
    replication: float | None  # share of the edges of a half that the other half has too; None without any edge
    replication_trained: float | None  # the same of the network that was fitted
    variance_inflation: float


@dataclass(frozen=True)
class LeadingFactor:
    """A component of the correlation, and the neurons that weigh most in it."""

    variance_explained: float
    top_neurons: str


@dataclass(frozen=True)
class LeadingFactors:
    """The leading components of the correlation, and how many of them were taken out."""

    removed: int
    removed_share_of_squared_correlations: float | None  # None where none was taken out
    share_of_squared_correlations: float  # of all leading ones
    leading: tuple[LeadingFactor, ...]


@dataclass(frozen=True)
class Dependence:
    """How much of the dependence of the neurons the hidden factors carry; shares are None without dependence.

    It is that of the most likely model with the edges and the number of factors of the fit, without penalty. Total
    correlations are in nats, squared correlations are means over all pairs.
    """

    share: float | None  # of the total correlation
    total_correlation: float
    total_correlation_given_factors: float
    share_of_squared_correlations: float | None
    mean_squared_correlation: float
    mean_squared_correlation_given_factors: float
    mean_squared_correlation_of_sample: float
    variance_explained: float  # by the factors, of the variance of a neuron; mean over all neurons


@dataclass(frozen=True)
class PlainGraph:
    """The graph of a fit without hidden factors, at the same alpha and by the same rules, against that with them."""

    edges_at_alpha: int
    edges: int  # drawn
    shared: int  # drawn in both
    lost: int  # drawn in the plain graph only
    absent: int  # of those lost, pairs that have no edge at this alpha beside the factors
    gained: int  # drawn beside the factors only
    estimate: EstimateUsed
    duality_gap: float  # nats per neuron
    converged: bool


@dataclass(frozen=True)
class FitMetrics:
    """What a fit of one corpus found at the selected alpha, and how far it can be trusted."""

    neurons: int
    alphas: int
    alpha: float
    rule: str
    edges: int
    mean_degree: float
    edges_at_alpha: int
    dropped: DroppedEdges
    fdr: float
    min_effect: float
    hidden_factors: int
    dependence: Dependence | None  # None, as the next, for a fit of method plain
    plain: PlainGraph | None
    estimate: EstimateUsed
    variance: str
    variance_inflation: float
    degrees_of_freedom: float | None  # None for the normal distribution
    pairs: PairCounts
    expected_false_edges: float
    half_samples: HalfSamples
    null: NullEdges | None
    fresh_network: FreshNetwork | None
    factors: LeadingFactors | None = field(metadata=EMPTY_FOR_NONE)
    communities: int
    duality_gap: float  # nats per neuron
    kkt_residual: float
    converged: bool
    all_converged: bool
    solver: str
    tol: float
    collect: CollectMetrics
