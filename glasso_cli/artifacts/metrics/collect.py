"""What `collect` measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from glasso_cli.artifacts.metrics.codec import LEFT_OUT_AT_DEFAULT

# The rules that leave a token, or another sample, out of the statistics; the first four in the order in which they apply.
MASKS = ("special", "first", "unrouted", "massive", "border")
OF_SAMPLES = ("torch", "image", "audio")  # kinds of networks that read no texts, whose tokens are called samples
SELDOM = frozenset({"unrouted", "border"})  # of experts and of images: not mentioned where they left nothing out


@dataclass(frozen=True)
class TokenCounts:
    """How many tokens were read, how many each rule of ``MASKS`` left out, and how many were kept."""

    read: int
    special: int
    first: int
    massive: int
    kept: int
    unrouted: int = field(
        default=0, metadata=LEFT_OUT_AT_DEFAULT
    )  # sent to other experts than the one that was collected
    border: int = field(default=0, metadata=LEFT_OUT_AT_DEFAULT)

    def masked(self) -> str:
        """How many tokens each rule left out, in words."""
        shown = [rule for rule in MASKS if rule not in SELDOM or getattr(self, rule)]
        return ", ".join(f"{getattr(self, rule):,} {rule}" for rule in shown)


@dataclass(frozen=True)
class EffectiveTokens:
    """Effective numbers of tokens over all pairs of neurons."""

    n_tokens: int
    median: float
    q05: float  # 5 % of the pairs have fewer


@dataclass(frozen=True)
class DocumentCounts:
    """Documents read, those without text, and those that repeat an earlier one."""

    read: int
    empty: int
    identical: int
    nearly_identical: int  # of the others; see :mod:`glasso_cli.corpora.repeats`


@dataclass(frozen=True)
class ModelRead:
    """The model: its kind, such as ``causal``, ``masked``, ``encoder`` or ``decoder``, its dtype, and how many layers it has."""

    kind: str
    dtype: str
    layers: int


@dataclass(frozen=True)
class HookPointRead:
    """A hook point whose neurons were collected."""

    label: str
    name: str
    layer: int | None
    width: int
    gated: bool  # proved to be act(a) * b, so that the signs of its neurons are arbitrary


@dataclass(frozen=True)
class CollectMetrics:
    """What one pass over a corpus measured."""

    model: ModelRead
    hook_points: tuple[HookPointRead, ...]
    documents: DocumentCounts
    windows: int
    tokens: TokenCounts
    n_effective: EffectiveTokens
    neurons: int
    dead: int
    duplicates: int
    invariants: dict[str, Any]  # a report of hooks.invariants
    dtype_difference: dict[str, Any]  # to float32, per hook point; empty for float32
    fresh_network: EffectiveTokens | None = None  # of the network with fresh weights

    @property
    def sample(self) -> str:
        """What one row of the statistics is called: a token, or for networks that read no texts a sample."""
        return "sample" if self.model.kind in OF_SAMPLES else "token"
