"""What a run of interventions measured, and its controls."""

from __future__ import annotations

from dataclasses import dataclass, field

from glasso_cli.artifacts.metrics.codec import LEFT_OUT_AT_DEFAULT


@dataclass(frozen=True)
class TextsRead:
    """The texts on which effects were measured."""

    corpus: str
    held_out: bool  # whether `collect` read none of them
    documents: int
    tokens: int  # kept by the masks, from the first changed token of a window on
    sample: str = field(default="token", metadata=LEFT_OUT_AT_DEFAULT)  # what is counted: token or sample


@dataclass(frozen=True)
class EffectsFound:
    """What one kind of change did, over all pairs of source and target."""

    change: str
    tested: str  # mean, or rms
    found: int  # pairs with a q-value up to fdr
    sources: int  # of which so many have a found effect
    median: float  # of the absolute mean effects
    strongest: float  # the largest absolute mean effect


@dataclass(frozen=True)
class ImpossiblePairs:
    """The largest absolute effect where none can be; None where the network has no such pair."""

    same_hook_point: float  # on other neurons of the source hook point
    earlier_hook_point: float | None
    earlier_point: str | None  # which one
    earlier_position: float | None  # on the targets, before the first changed token
    self_patch: float  # on the targets, of a neuron set to its own values


@dataclass(frozen=True)
class RandomDirections:
    """Effects of random directions of the sources' sizes, written in the same place."""

    directions: int
    where: str  # the tensor they were added to
    median: float  # absolute mean effect on a target
    q99: float
    largest: float
    found_above: float | None  # share of the found effects of steps that exceed q99; None if none was found


@dataclass(frozen=True)
class InterventionMetrics:
    """Sizes, rules, findings and controls."""

    kind: str  # of the network
    source: str
    targets: tuple[str, ...]
    mode: str
    delta: float
    at: str
    texts: TextsRead
    sources: int
    groups: int
    pairs: int
    fdr: float
    min_effect: float
    test: str
    smallest_p: float  # that the test can give; 0 for Student's t
    effects: tuple[EffectsFound, ...]
    replay_difference: float  # of a clean pass that begins at the source from a whole one, relative
    impossible: ImpossiblePairs
    random: RandomDirections | None  # None without steps
    linearity: dict[str, float]  # median ratio of slopes, by the size of the step
    outside_sources: dict[str, float]  # share of changed values outside the range of the clean pass, by change
    outside_targets: float | None  # the same of the targets, for steps of the checked sources
