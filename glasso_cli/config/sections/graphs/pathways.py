"""The section `pathways`: paths through the graph across layers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import Strings


class PathwaysSection(Section):
    """The strongest paths through the graph across layers, and the part of it that carries most of the influence."""

    graph: Literal["influence", "association"] = Field(
        default="influence",
        description="The edges: expected derivatives (the stage influence), or regressions on earlier layers (fit.order: layers).",
    )
    sources: Strings = Field(
        default=(), description="Ids of the neurons where paths begin. An empty list means all of the first layer."
    )
    targets: Strings = Field(
        default=(), description="Ids of the neurons where paths end. An empty list means all of the last layer."
    )
    to: Literal["neurons", "scalar"] = Field(
        default="neurons",
        description="Where paths end: neurons (targets), or the scalar of score, with the slope of the scalar in the last neuron as the last "
        "factor.",
    )
    count: int = Field(default=20, description="How many of the strongest paths are listed.", ge=1, le=100_000)
    nodes: float = Field(
        default=0.8,
        description="Share of the influence on the targets that the neurons of the pruned view have.",
        gt=0,
        le=1,
    )
    edges: float = Field(
        default=0.98,
        description="Share of the influence on the targets that the edges of the pruned view have.",
        gt=0,
        le=1,
    )
    mediate: int = Field(
        default=0,
        description="How many of the strongest paths of two edges are tried on the network: the source is pushed with and without the "
        "neuron in the middle held at its clean values.",
        ge=0,
        le=10_000,
    )
    tokens: int = Field(default=2_000, description="Tokens on which paths are tried.", ge=1, le=10**9)
    step: float = Field(
        default=0.5, description="How far a source is pushed up and down, in standard deviations.", gt=0, le=100
    )

    @model_validator(mode="after")
    def _one_end(self) -> PathwaysSection:
        if self.to == "scalar" and self.targets:
            raise ValueError(
                "targets are neurons where paths end, and to: scalar ends them in the scalar; delete one of the two"
            )
        if self.to == "scalar" and self.mediate:
            raise ValueError("mediate tries paths that end in a neuron; set mediate: 0, or to: neurons")
        return self
