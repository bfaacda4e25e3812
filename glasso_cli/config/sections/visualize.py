"""The section `visualize`: which figures are drawn, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import as_tuple


class VisualizeSection(Section):
    """Which figures are drawn, and how."""

    formats: Annotated[tuple[Literal["png", "svg"], ...], BeforeValidator(as_tuple)] = Field(
        default=("png",), description="File formats of the figures. Each takes as long as the other.", min_length=1
    )
    edges: int = Field(
        default=150,
        description="Number of edges in the network figure: the strongest ones. The figure states how many are left out.",
        ge=1,
    )
    cards: int = Field(
        default=4,
        description="Number of neuron cards to draw: those of the strongest neurons. The explorer has all.",
        ge=0,
        le=100,
    )
    dpi: int = Field(default=160, description="Resolution of the PNG files in dots per inch.", ge=50, le=1200)
    explorer: bool = Field(
        default=True, description="Write explorer.html, an interactive page of the graph in one file."
    )
    explorer_mb: float = Field(
        default=12.0,
        description="Largest size of explorer.html in megabytes. If it would be larger, the contexts of the weakest neurons are left "
        "out, and the page says how many.",
        gt=0,
        le=500,
    )
