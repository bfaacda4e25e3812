"""The section `structure`: scores of neurons that follow from the graph, and how stable their rankings are."""

from __future__ import annotations

from pydantic import Field

from glasso_cli.config.sections.section import Section


class StructureSection(Section):
    """What each neuron is in the graph of `fit`; no model is needed."""

    subsets: int = Field(
        default=100,
        description="Subsets of the blocks of documents that are drawn at each share of dropped blocks, to measure how stable the rankings "
        "are. Each is fitted again. 0 leaves the stability out.",
        ge=0,
        le=100_000,
    )
