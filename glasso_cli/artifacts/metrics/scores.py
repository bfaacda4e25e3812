"""What a run of `score` measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextsScored:
    """Documents of one part: those of attributions, or those that were held out."""

    documents: int
    tokens: int  # at which the scalar has a value


@dataclass(frozen=True)
class FormMeasured:
    """One form of attribution, and how it ranks the exact effects."""

    form: str
    total: float  # the sum over all neurons, per token: what the form says of the ablation of all at once
    # None where too few neurons were ablated, or all effects are equal:
    spearman: float | None  # with the exact effects on the same documents, over all ablated neurons
    spearman_low: float | None  # of its 95 % interval, over documents and neurons
    spearman_high: float | None
    sampled: float | None  # the same over the random sample alone
    sampled_low: float | None
    sampled_high: float | None
    ahead: float | None  # the same of attributions on the other documents, over all ablated neurons
    signs: float | None  # share of ablated neurons whose attribution has the sign of the effect, by size of the effect
    repeats: float | None  # rank correlation of the attributions on both parts of the documents, over all neurons


@dataclass(frozen=True)
class MissedNeurons:
    """How many neurons outside the top can have a larger effect than its weakest, from the random sample."""

    sampled: int
    larger: int  # of the sample, than the median effect of the top
    threshold: float  # that effect, per token
    share: float  # upper end of a 95 % interval of the share of neurons outside the top
    neurons: int  # the same as a number


@dataclass(frozen=True)
class ScoreMetrics:
    """Sizes, the scalar, and how well each form ranks exact effects."""

    kind: str  # of the network
    scalar: str
    rises: bool  # whether the scalar is larger where the network is worse
    hook_points: tuple[str, ...]
    baseline: str
    order: str
    neurons: int
    attributed: TextsScored
    held_out: TextsScored
    clean: float | None  # the scalar per token of held-out documents; None without curves
    everything: dict[str, float]  # with all neurons ablated, by the kind of ablation
    forms: tuple[FormMeasured, ...]
    missed: MissedNeurons | None
    replay_difference: float | None  # of the scalar in passes that begin at a hook point, relative
    held: tuple[str, ...]  # labels of the hook points that direct slopes hold
    frozen_error: float | None  # share of the output that is not linear with everything held
