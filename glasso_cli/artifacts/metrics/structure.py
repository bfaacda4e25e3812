"""What a run of `structure` measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RankingStability:
    """How stable the ranking of the neurons by one score is."""

    score: str
    coefficient: (
        float | None
    )  # largest share of blocks that can be dropped; None where it was not or cannot be measured
    of_ranks: float | None  # the same of rank correlations


@dataclass(frozen=True)
class StructureMetrics:
    """Scores of neurons in the graph of a fit."""

    neurons: int
    edges: int  # that are drawn
    communities: int
    layers: int
    blocks: int  # of documents, with tokens
    n_effective: float
    estimate: str  # of the partial correlations: inverse, lasso or latent
    penalty: float  # of the ridge regressions that predict held-out documents
    mean_predictability: float
    subsets: int  # at each level
    largest: float  # share of dropped blocks that was tried
    refused: tuple[float, ...]  # shares of dropped blocks that leave fewer effective tokens than neurons
    stability: tuple[RankingStability, ...]
