"""The section `visualize`: from the matrix to pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import as_tuple


class VisualizeSection(Section):
    """From a sparse precision matrix to pictures."""

    formats: Annotated[tuple[Literal["png", "svg"], ...], BeforeValidator(as_tuple)] = Field(
        default=("png", "svg"), description="File formats of the figures.", min_length=1
    )
    edges: int = Field(
        default=150,
        description="Edges in the network picture: the strongest; the rest is counted, not drawn.",
        ge=1,
    )
    cards: int = Field(default=10, description="Neuron cards drawn: the strongest neurons.", ge=0, le=100)
    dpi: int = Field(default=160, description="Resolution of the PNG files.", ge=50, le=1200)
    explorer: bool = Field(default=True, description="Write explorer.html, the graph to look around in, as one file.")
    explorer_mb: float = Field(
        default=12.0,
        description="Largest explorer.html; contexts of the weakest neurons are left out beyond, and counted.",
        gt=0,
        le=500,
    )
