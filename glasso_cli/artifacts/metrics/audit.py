"""How an audit judged scores of pairs, and what it concludes."""

from __future__ import annotations

from dataclasses import dataclass, field

from glasso_cli.artifacts.metrics.codec import LEFT_OUT_AT_DEFAULT
from glasso_cli.artifacts.metrics.interventions import TextsRead


@dataclass(frozen=True)
class Verdict:
    """What one score says of the effects of one change."""

    target: str  # hook point
    score: str
    change: str
    statistic: str  # mean or rms
    predicts: bool
    text: str  # the same as a sentence, with the texts and the model


@dataclass(frozen=True)
class MissingScore:
    """A score that is not in the tables, and why."""

    target: str
    score: str
    reason: str


@dataclass(frozen=True)
class AuditMetrics:
    """What was judged, by which rules, and the verdicts."""

    model: str
    source: str
    targets: tuple[str, ...]
    mode: str
    delta: float
    at: str
    texts: TextsRead
    sources: int  # neurons
    blocks: int  # of documents
    share: float  # of pairs that are the strongest ones
    min_effect: float
    top: int
    replicates: int
    splits: int
    verdicts: tuple[Verdict, ...]
    left_out: tuple[MissingScore, ...]
    unpredicted: str  # why there is no table of predicted activations; empty where there is one
    # The corpus whose texts the scores come from; empty where it is that whose neurons were changed.
    scores_from: str = field(default="", metadata=LEFT_OUT_AT_DEFAULT)
