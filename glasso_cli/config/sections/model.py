"""The section `model`: the network to study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import CodeName, PathText, one_or_several

_HF_ONLY = ("id", "revision", "device_map")
TORCH_ONLY = ("target", "args", "weights", "adapter")


class ModelSection(Section):
    """The network to study: a model of transformers, or any torch.nn.Module."""

    kind: Literal["hf", "torch"] = Field(
        default="hf",
        description="hf is a model of transformers, named by id, that reads texts, images or sounds. torch is any torch.nn.Module, "
        "named by target, that reads arrays or images.",
    )
    id: PathText | None = Field(
        default=None,
        description="Id of a model on the Hugging Face hub, a local folder, or a model that comes as a Python package: "
        "builtin:gemma-3-270m or builtin:smollm2-135m-instruct. package:folder is a folder in an installed package. For kind hf, which "
        "needs it.",
        validate_default=True,
    )
    target: CodeName | None = Field(
        default=None,
        description="For kind torch, which needs it: a function or class that gives the module, as package.module:name. It may also "
        "give a pair of the module and a function that prepares one document.",
        validate_default=True,
    )
    args: dict[str, Any] = Field(default={}, description="For kind torch: keyword arguments of target.")
    weights: PathText | None = Field(
        default=None,
        description="For kind torch: file with the state dict, .safetensors or .npz, or a pickle of tensors alone. package:file is a "
        "file in an installed package. null keeps the weights that target gives.",
    )
    adapter: CodeName | None = Field(
        default=None,
        description="For kind torch: a function that turns a batch into the arguments of the module, as package.module:name. It "
        "takes the values, a tensor of documents, and their lengths.",
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
        tuple[Literal["pickle", "remote_code", "import"], ...],
        BeforeValidator(one_or_several),
    ] = Field(
        default=(),
        description="Which risks to accept: pickle loads weights in a format that can run code, remote_code runs Python code of the "
        "model repository. import runs the Python code that kind torch names. An empty list refuses all.",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
            raise ValueError(f"{value!r} is not one of: auto, cpu, cuda, cuda:N")
        return value

    @field_validator("id", "target")
    @classmethod
    def _named(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "":
            raise ValueError("is empty")
        needs = {"hf": "id", "torch": "target"}.get(info.data.get("kind", ""))
        if value is None and info.field_name == needs:
            raise PydanticCustomError("missing", "missing")
        return value

    @model_validator(mode="after")
    def _of_one_kind(self) -> ModelSection:
        others = _HF_ONLY if self.kind == "torch" else TORCH_ONLY
        for name in others:
            if name in self.model_fields_set:
                raise ValueError(f"{name} has no effect with kind: {self.kind}; delete it")
        if self.kind == "hf" and "import" in self.trust:
            raise ValueError("trust: import has no effect with kind: hf; delete it")
        if self.kind == "torch":
            if "import" not in self.trust:
                raise ValueError(
                    f"target {self.target!r} is Python code, which can do anything on this machine; if you trust it, add "
                    "trust: import"
                )
            if self.dtype not in ("auto", "float32"):
                raise ValueError(f"dtype {self.dtype} is only for kind: hf; networks of kind torch run in float32")
        return self

    @property
    def name(self) -> str:
        """A short name: of the folder, the model on the hub, or the target."""
        if self.kind == "torch":
            return str(self.target).rpartition(":")[2]
        return Path(str(self.id)).name
