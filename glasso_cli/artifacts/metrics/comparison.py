"""What `compare` measured between two corpora."""

from __future__ import annotations

from dataclasses import dataclass, field

from glasso_cli.artifacts.metrics.codec import EMPTY_FOR_NONE, LEFT_OUT_AT_DEFAULT
from glasso_cli.artifacts.metrics.fit import EstimateUsed, PairCounts


@dataclass(frozen=True)
class ComparedCorpus:
    """One of the two corpora, as it was fitted."""

    name: str
    tokens: int
    n_effective: float
    edges: int
    alpha: float
    variance_inflation: float
    sample: str = field(default="token", metadata=LEFT_OUT_AT_DEFAULT)  # what ``tokens`` counts


@dataclass(frozen=True)
class GraphOverlap:
    """Edges drawn in both graphs and in either; ``jaccard`` is None without any."""

    shared: int
    either: int
    jaccard: float | None


@dataclass(frozen=True)
class Permutations:
    """What divisions of the documents say about the corpora, and about how many pairs."""

    count: int
    smallest_p: float
    whole: float  # p-value of the largest difference of all
    pairs: int


@dataclass(frozen=True)
class Calibration:
    """What the same rules find between the halves of one corpus, where nothing differs."""

    discoveries: int  # pairs of neurons
    communities: int  # pairs of communities
    spread: float


@dataclass(frozen=True)
class CommunityCounts:
    """Pairs of communities, each with itself among them, and those whose dependence differs at ``compare.fdr``."""

    communities: int
    tested: int
    stronger: int  # in B
    weaker: int


@dataclass(frozen=True)
class ActivationCounts:
    """Neurons that are more or less active, or more or less variable, in B than in A."""

    neurons: int  # collected in both corpora
    min_shift: float  # standard deviations
    min_ratio: float  # of variances
    nonzero: int  # whose means differ at all
    higher: int  # by more than min_shift, towards the heavier pole of the neuron
    lower: int
    more_variable: int
    less_variable: int
    halves: tuple[int | None, int | None]  # between the halves of A, and of B; None with too few blocks


@dataclass(frozen=True)
class Power:
    """Which differences of a partial correlation would have been found with probability 0.8, at ``compare.fdr``."""

    detectable: float  # the smallest such difference, by the errors of a typical pair
    documents: int  # of both corpora
    documents_for_tenth: float | None  # of both corpora, at which a difference of 0.1 would be found; None if never


@dataclass(frozen=True)
class ComparisonMetrics:
    """What differs between corpora A and B, and how far that can be trusted."""

    neurons: int
    method: str
    corpora: tuple[ComparedCorpus, ...]  # A and B
    estimate: EstimateUsed
    fdr: float
    min_effect: float
    pairs: PairCounts
    edges: int
    classes: dict[str, int]
    expected_false_edges: float
    graphs: GraphOverlap
    activations: ActivationCounts | None = field(
        metadata=EMPTY_FOR_NONE
    )  # None for transformed values or too few blocks
    communities: CommunityCounts
    power: Power
    spread: float  # variance of z by its median square: 1 where nothing differs
    permutations: Permutations | None
    calibration: dict[str, Calibration | None]  # by corpus; None with too little for halves
