"""The section `collect`: how the statistics of the activations are collected."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from glasso_cli.config.sections.sae import SaeSection
from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Neurons, Strings


class MaskSection(Section):
    """Tokens that the model reads but the statistics leave out."""

    special: bool = Field(default=True, description="Exclude special tokens, such as the one at the start of a text.")
    first: int = Field(
        default=1,
        description="Exclude this many tokens at the start of each window (attention sinks).",
        ge=0,
        le=1_000_000,
    )
    massive: float | None = Field(
        default=10.0,
        description="Exclude tokens whose norm at a hook point exceeds this multiple of the median norm; null keeps them.",
        gt=1,
    )
    border: Literal["auto"] | int = Field(
        default="auto",
        description="For networks that read no texts: exclude the positions of an image or a sequence that depend on the padding at "
        "its border. auto measures which do; a number excludes so many at each side, and 0 none.",
        json_schema_extra={"minimum": 0},
    )

    @field_validator("border")
    @classmethod
    def _not_negative(cls, value: str | int) -> str | int:
        if isinstance(value, int) and not 0 <= value <= 10_000:
            raise ValueError(f"should be auto, or a number from 0 to 10000, not {value}")
        return value


class CollectSection(Section):
    """How the statistics of the activations are collected."""

    sae: SaeSection = Field(
        default=SaeSection(),
        description="A sparse dictionary whose latents are collected in the place of neurons.",
    )
    hook_points: Strings = Field(
        default=(),
        description="Where activations are read. mlp.9 names the hidden units of the MLP in layer 9; mlp.* those of all layers; "
        "head.9 what the attention heads of layer 9 give, head.9.1 one head; mixer.9 what a state-space model or linear attention "
        "gives; expert.9.3 the hidden units of expert 3, over the tokens routed to it; resid.9 the residual stream after layer 9. "
        "In encoder-decoder models decoder.mlp.9 is in the decoder, mlp.9 in the encoder. "
        "The basis of resid, and within a head, is arbitrary. In networks that read no texts, conv.3 names the channels of the fourth convolution "
        "and rnn.0 the units of the first recurrent layer. Module name patterns with :in or :out name any other place. Required, "
        "unless sae.file is given.",
        validate_default=True,
        json_schema_extra={"minItems": 1},
    )
    neurons: Neurons = Field(
        default="all",
        description="Which neurons to study: all, a number (those with the highest variance), a list of ids, or a file with one id "
        "per line.",
    )
    max_tokens: int | None = Field(
        default=200_000,
        description="Stop after the document in which this many tokens are reached; null reads all documents.",
        ge=1,
        le=10**12,
    )
    max_length: int = Field(
        default=512,
        description="Length of a window in tokens; longer documents are cut into several windows.",
        ge=2,
        le=2**24,
    )
    blocks: int = Field(
        default=16,
        description="Number of groups of whole documents. Standard errors and all resampling use these blocks.",
        ge=1,
        le=4096,
    )
    transform: Literal["none", "normal_scores"] = Field(
        default="none",
        description="normal_scores replaces the values of each neuron by normal scores of their ranks, which tames heavy tails; "
        "none leaves them as they are.",
    )
    pilot_tokens: int | None = Field(
        default=None,
        description="Tokens in the pilot pass, which determines centres, medians and quantiles. null means 2048, or 16384 if "
        "transform is normal_scores or neurons is a number.",
        ge=64,
        le=10**8,
    )
    mask: MaskSection = Field(default=MaskSection(), description="Which tokens are left out of the statistics.")
    lags: int = Field(
        default=32,
        description="Largest lag, in tokens, at which the autocorrelation within documents is recorded.",
        ge=1,
        le=4096,
    )
    null: bool | Literal["reinitialised"] = Field(
        default=False,
        description="A null to collect beside the neurons. true: circularly shifted neurons; every edge that fit finds among them is "
        "false. reinitialised: the same architecture with fresh weights on the same documents, in a second pass; a graph that it gives "
        "as well says nothing about training.",
    )
    contexts: bool = Field(
        default=True,
        description="Save example contexts of every neuron. They contain text of the corpus, or crops of its images.",
    )
    positions: Literal["each", "mean"] = Field(
        default="each",
        description="For networks that read no texts: each takes every position of an image or a sequence as a sample; mean takes their mean, "
        "one sample for each document, which also fits hook points with different numbers of positions.",
    )
    axes: str | None = Field(
        default=None,
        description="For networks that read no texts: the axes of the tensors at the hook points, one letter each: b documents, c units, and any "
        "other letters positions, such as bchw or btc. null finds them by the kind of the module.",
    )
    batch_tokens: int | None = runtime(
        None,
        "Tokens per forward pass, including padding; null means 1024 on a CPU and 16384 on a GPU.",
        ge=16,
        le=10**8,
    )

    @property
    def sae_hook_point(self) -> str | None:
        """The hook point of the dictionary, where the section gives it."""
        return self.sae.hook_point or next(iter(self.hook_points), None)

    @field_validator("hook_points", mode="before")
    @classmethod
    def _given(cls, value: Any, info: ValidationInfo) -> Any:
        if value == [] or value == ():
            sae = info.data.get("sae")
            if isinstance(value, list):
                raise ValueError("is empty")
            if isinstance(sae, SaeSection) and sae.file is None:
                raise PydanticCustomError("missing", "missing")
        return value

    @model_validator(mode="after")
    def _of_latents(self) -> CollectSection:
        if self.sae.file is None:
            return self
        if len(self.hook_points) > 1 or (
            self.hook_points and self.sae.hook_point and self.hook_points != (self.sae.hook_point,)
        ):
            raise ValueError(
                "sae.file gives the latents of one hook point, and hook_points names others; delete hook_points, or name that one"
            )
        if self.transform == "normal_scores":
            raise ValueError(
                "transform: normal_scores gives the many zeros of a latent ranks that mean nothing; set transform: none"
            )
        if self.null == "reinitialised":
            raise ValueError(
                "null: reinitialised has no latents, since the dictionary belongs to the trained network; set null: true"
            )
        return self

    @field_validator("axes")
    @classmethod
    def _axes(cls, value: str | None) -> str | None:
        if value is not None and not (
            re.fullmatch("[a-z]{2,5}", value) and "b" in value and "c" in value and len(set(value)) == len(value)
        ):
            raise ValueError(
                f"{value!r} is no list of axes; write one letter for each, with b and c among them, such as bchw"
            )
        return value
