"""The section `model`: the language model to study."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import PathText, as_tuple


class ModelSection(Section):
    """The language model to study."""

    id: PathText = Field(
        description="Id of a model on the Hugging Face hub, a local folder, or a model that comes as a Python package: "
        "builtin:gemma-3-270m or builtin:smollm2-135m-instruct.",
        min_length=1,
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit on the hub; null means the main branch."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Floating-point type of the forward pass; auto means float32. Statistics are float64 in any case.",
    )
    device: str = runtime(
        "auto", "Device for the forward pass: auto, cpu, cuda or cuda:N. auto means a GPU if there is one."
    )
    device_map: Literal["auto"] | None = runtime(
        None, "auto spreads a model that is too large for one GPU over all GPUs; null uses one device."
    )
    trust: Annotated[
        tuple[Literal["pickle", "remote_code"], ...],
        BeforeValidator(lambda v: (v,) if isinstance(v, str) else as_tuple(v)),
    ] = Field(
        default=(),
        description="Which risks to accept: pickle loads weights in a format that can run code, remote_code runs Python code of the "
        "model repository. An empty list refuses both.",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
            raise ValueError(f"{value!r} is not one of: auto, cpu, cuda, cuda:N")
        return value
