"""The section `collect`: from text to statistics of activations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Neurons, Strings


class MaskSection(Section):
    """Tokens that stay in the model's input but out of the statistics."""

    special: bool = Field(default=True, description="Leave out special tokens, by id.")
    first: int = Field(default=1, description="Leave out so many first tokens of each window (attention sinks).", ge=0)
    massive: float | None = Field(
        default=10.0,
        description="Leave out tokens whose norm at a hook point is over so many medians; null keeps them.",
        gt=1,
    )


class CollectSection(Section):
    """From text to statistics of activations."""

    hook_points: Strings = Field(
        description="What a neuron is: mlp.9 is the MLP's hidden units at layer 9; also mlp.*, resid.9, "
        "or module patterns with :in or :out.",
        min_length=1,
    )
    neurons: Neurons = Field(
        default="all",
        description="all, a number (those of highest variance), a list of ids, or a file with one id a line.",
    )
    max_tokens: int | None = Field(
        default=200_000,
        description="Stop after the document that reaches so many tokens; null reads all.",
        ge=1,
    )
    max_length: int = Field(default=512, description="Longer documents are cut into windows of so many tokens.", ge=2)
    blocks: int = Field(
        default=16, description="Groups of whole documents that any resampling draws from.", ge=1, le=4096
    )
    transform: Literal["none", "normal_scores"] = Field(
        default="none", description="normal_scores replaces each neuron's values by their normal scores."
    )
    pilot_tokens: int | None = Field(
        default=None,
        description="Tokens of the pilot sample (centre, medians, quantiles); null means 2048, or 16384 for "
        "normal_scores or a number of neurons.",
        ge=64,
    )
    mask: MaskSection = Field(default=MaskSection(), description="Tokens left out of the statistics.")
    lags: int = Field(
        default=32,
        description="Autocorrelation within documents is recorded up to this lag, in tokens.",
        ge=1,
    )
    null: bool = Field(
        default=False,
        description="Sum the moments of circularly shifted neurons too: edges that fit finds there are false.",
    )
    contexts: bool = Field(default=True, description="Keep example contexts per neuron; they are text of the corpus.")
    batch_tokens: int | None = runtime(
        None, "Tokens in one forward pass, padding included; null means 1024 on a CPU and 16384 on a GPU.", ge=16
    )
