"""The section `influence`: what neurons of one layer do to those of the next."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import as_tuple, shown


def _pairs(value: Any) -> Any:
    """A YAML list of pairs of layers as tuples."""
    pairs = as_tuple(value)
    if not isinstance(pairs, tuple):
        return pairs
    for pair in pairs:
        if not isinstance(pair, list | tuple) or [type(layer) for layer in pair] != [int, int]:
            raise ValueError(f"should be a list of pairs of layers such as [[8, 9]], not {shown(value)}")
    return tuple(tuple(pair) for pair in pairs)


ALL_PATHS_TOKENS = 1_000  # that are taken by default where the network itself is differentiated

_LAYER = {"type": "integer", "minimum": 0}
_PAIR = {"type": "array", "items": _LAYER, "minItems": 2, "maxItems": 2}
LayerPairs = Annotated[
    tuple[tuple[int, int], ...] | None,
    BeforeValidator(_pairs),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _PAIR, "minItems": 1}, {"type": "null"}]}),
]


class InfluenceSection(Section):
    """What neurons of one layer do to those of the next, or of any later one."""

    paths: Literal["closed", "all"] = Field(
        default="closed",
        description="closed is the closed form between the MLPs of neighbouring layers of a language model, with attention patterns and "
        "scales of norms held. all differentiates the network itself: any hook points of any network, any distance, nothing held.",
    )
    layers: LayerPairs = Field(
        default=None,
        description="Pairs of layers, such as [[8, 9]]: what the collected neurons of the first layer do to those of the second. closed "
        "takes neighbouring layers whose MLPs were collected, and null every two of them. With all, the second layer may be any later one, "
        "and null takes every collected hook point to every later one.",
    )
    min_effect: float = Field(
        default=0.05,
        description="A pair of neurons is an edge only if its influence is shown to be larger than this: standard deviations of the "
        "target per standard deviation of the source. Pairs are tested against this value, not against zero.",
        ge=0,
        lt=1_000,
    )
    fdr: float = Field(
        default=0.05,
        description="A pair of neurons is an edge only if its false discovery rate (q-value over all pairs) is at most this.",
        gt=0,
        lt=1,
    )
    max_tokens: int | None = Field(
        default=None,
        description="Stop after the document in which this many of the collected tokens are reached. null takes all that were collected; "
        "for all paths, it takes 1,000.",
        ge=1,
        le=10**12,
    )
    ablation: bool = Field(
        default=False,
        description="Also predict, in closed form, the mean effect of ablation: each source set to its mean at every token; and its "
        "root mean square over the first 4,000 tokens. The pass then takes two to three times as long, and needs a matrix of all pairs for each "
        "block of documents.",
    )
    keep: Literal["edges", "all"] = Field(
        default="edges",
        description="edges saves the pairs that are edges. all saves every pair, about 50 bytes each: 200 MB for two layers of 2,048 neurons. "
        "The table and the graph have edges only.",
    )

    @property
    def tokens(self) -> int | None:
        """How many of the collected tokens are taken; None takes all."""
        return ALL_PATHS_TOKENS if self.paths == "all" and self.max_tokens is None else self.max_tokens

    @field_validator("layers")
    @classmethod
    def _one_after_the_other(cls, value: tuple[tuple[int, int], ...] | None) -> tuple[tuple[int, int], ...] | None:
        if value is None:
            return value
        if not value:
            raise ValueError("is empty; give pairs of layers such as [[8, 9]], or null")
        for source, target in value:
            if source < 0 or target <= source:
                raise ValueError(f"[{source}, {target}] is no pair of a layer and a later one such as [8, 9]")
        if len(set(value)) < len(value):
            raise ValueError("names a pair of layers twice; delete one")
        return value

    @model_validator(mode="after")
    def _within_the_closed_form(self) -> InfluenceSection:
        if self.paths == "all" and self.ablation:
            raise ValueError("ablation needs the closed form; delete it, or set paths: closed")
        apart = [pair for pair in self.layers or () if pair[1] != pair[0] + 1]
        if self.paths == "closed" and apart:
            raise ValueError(
                f"layers has [{apart[0][0]}, {apart[0][1]}], and the closed form is for neighbouring layers; set paths: all"
            )
        return self
