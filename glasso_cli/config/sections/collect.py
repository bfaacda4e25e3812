"""The section `collect`: how the statistics of the activations are collected."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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


class CollectSection(Section):
    """How the statistics of the activations are collected."""

    hook_points: Strings = Field(
        description="Where activations are read. mlp.9 names the hidden units of the MLP in layer 9; mlp.* those of all layers; "
        "head.9 what the attention heads of layer 9 give, head.9.1 one head; mixer.9 what a state-space model or linear attention "
        "gives; expert.9.3 the hidden units of expert 3, over the tokens routed to it; resid.9 the residual stream after layer 9. "
        "The basis of resid, and within a head, is arbitrary. Module name patterns with :in or :out name any other place.",
        min_length=1,
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
    null: bool = Field(
        default=False,
        description="Also collect the moments of circularly shifted neurons. Every edge that fit finds among them is false.",
    )
    contexts: bool = Field(
        default=True, description="Save example contexts of every neuron. They contain text of the corpus."
    )
    batch_tokens: int | None = runtime(
        None,
        "Tokens per forward pass, including padding; null means 1024 on a CPU and 16384 on a GPU.",
        ge=16,
        le=10**8,
    )
