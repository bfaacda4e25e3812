"""The section `audit`: how scores of pairs are judged against measured effects."""

from __future__ import annotations

from pydantic import Field

from glasso_cli.config.sections.section import Section


class AuditSection(Section):
    """How scores of pairs are judged against measured effects."""

    share: float = Field(
        default=0.005,
        description="The share of pairs with the strongest measured effects that a score should rank first. Every average precision "
        "is shown beside the share of true pairs, which is what a random score gets.",
        gt=0,
        le=0.5,
    )
    scores_from: str | None = Field(
        default=None,
        description="A corpus whose texts the scores come from: its statistics, graphs and influence. The effects of every other corpus "
        "are then judged by them, beside the effects measured on the texts of this one. null takes each corpus by itself.",
    )
    top: int = Field(
        default=100,
        description="How many pairs with the largest scores the precision is also given for.",
        ge=1,
        le=10**7,
    )
    replicates: int = Field(
        default=200,
        description="Resamples of sources and of blocks of documents, both at once, from which the intervals come.",
        ge=20,
        le=10**5,
    )
    splits: int = Field(
        default=10,
        description="Random halves of the documents for the noise ceiling, which ranks the effects of one half by those of the other.",
        ge=1,
        le=10**4,
    )
