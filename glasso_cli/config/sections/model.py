"""The section `model`: the network whose neurons are studied."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import as_tuple


class ModelSection(Section):
    """The network whose neurons are studied."""

    id: str = Field(
        description="A hub id, a local folder, or a model that ships as a package: builtin:gemma-3-270m, "
        "builtin:smollm2-135m-instruct.",
        min_length=1,
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit on the hub; null means its main branch."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Precision of the forward pass; auto is float32. Statistics are float64 in any case.",
    )
    device: str = runtime("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")
    device_map: Literal["auto"] | None = runtime(
        None, "auto spreads a model that is too large for one GPU over all of them."
    )
    trust: Annotated[
        tuple[Literal["pickle", "remote_code"], ...],
        BeforeValidator(lambda v: (v,) if isinstance(v, str) else as_tuple(v)),
    ] = Field(
        default=(),
        description="pickle and remote_code let a model repository run its own code here; empty refuses.",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
            raise ValueError(f"{value!r} is not one of: auto, cpu, cuda, cuda:N")
        return value
