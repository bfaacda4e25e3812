"""The section `collect.sae`: a sparse dictionary whose latents are the units."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import PathText, Text


class SaeSection(Section):
    """A sparse dictionary whose latents are collected in the place of neurons."""

    file: PathText | None = Field(
        default=None,
        description="Folder with a sparse autoencoder or a transcoder of SAELens, sparsify, dictionary_learning or Gemma Scope, or its file of weights. "
        "null collects neurons.",
    )
    hook_point: Text | None = Field(
        default=None,
        description="The hook point that the dictionary was trained at, such as resid.12; null takes it from its files, where they "
        "name it.",
    )
    output: Text | None = Field(
        default=None,
        description="The hook point that a transcoder predicts, such as *layers.12.mlp:out; null takes it from its files, where they "
        "name it. Only for transcoders.",
    )
    scale: float | None = Field(
        default=None,
        description="Multiplies the activations before they are encoded. null takes the scale of the files, or the one that gives a "
        "sample the mean norm that the dictionary expects.",
        gt=0,
    )
    centre: bool = Field(
        default=False,
        description="Take the mean over the coordinates off each token first, for dictionaries that were trained on a model without it.",
    )
    least_documents: int = Field(
        default=50,
        description="Leave out latents that are active in fewer documents than this.",
        ge=1,
        le=10**9,
    )

    moments: Literal["auto", "dense", "sparse"] = Field(
        default="auto",
        description="What is kept of the latents. dense keeps the second moments of all pairs, which every stage can read. sparse keeps "
        "the values that are not zero, from which fit reads tens of thousands of latents without a matrix of all pairs. auto means sparse "
        "for more than 16,384 latents.",
    )

    @model_validator(mode="after")
    def _with_a_file(self) -> SaeSection:
        if self.file == "":
            raise ValueError("file is empty; give a folder, or delete it")
        if self.file is None and (given := sorted(self.model_fields_set - {"file"})):
            raise ValueError(f"{given[0]} has no effect without file; give file, or delete it")
        return self
