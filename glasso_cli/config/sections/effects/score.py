"""The section `score`: how much a scalar of the network's output depends on each neuron, and how that is judged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import Numbers, Strings, Text, as_tuple, each_once, known_or_code, require_trust

SCALARS = ("loss", "logit_difference", "class_logit", "kl")
Form = Literal["plain", "frozen", "integrated"]
Ablation = Literal["resample", "mean"]


class ScoreSection(Section):
    """How neurons are scored by what a scalar of the output loses without them."""

    hook_points: Strings = Field(
        default=(),
        description="Hook points whose neurons are scored, such as mlp.*. An empty list means collect.hook_points. `collect` need not "
        "have run: this stage measures means and standard deviations itself.",
    )
    scalar: Text = Field(
        default="loss",
        description="The scalar: loss (of the next token, in nats), logit_difference (of logit_tokens), class_logit (the logit of a "
        "class), kl (divergence of the prediction from the clean one, in nats), or package.module:function, which gets the output of the "
        "model and returns a number per token or per row.",
    )
    logit_tokens: Strings = Field(
        default=(), description="The two tokens of logit_difference, as texts: the first minus the second."
    )
    class_index: int | None = Field(
        default=None,
        description="For class_logit: the class, from 0. null takes, for each row, the class that the clean network prefers.",
        ge=0,
        le=10**7,
    )
    trust: Annotated[
        tuple[Literal["import"], ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else as_tuple(v))
    ] = Field(default=(), description="import runs the Python code that scalar names. An empty list refuses it.")
    held: Strings = Field(
        default=(),
        description="Hook points, among those scored, that paths to the scalar run through (pathways.to: scalar): those of the graph across "
        "layers. An empty list means all that are scored.",
    )
    forms: Annotated[tuple[Form, ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        description="Forms of attribution: plain (gradients of the network as it is), frozen (norm scales, attention patterns and slopes "
        "of activation functions held), integrated (gradients on the way to the baseline). The first one ranks the neurons whose effect is "
        "measured. An empty list means plain and frozen, or plain alone where the network cannot be frozen.",
    )
    steps: int = Field(default=8, description="Steps of the integrated form.", ge=1, le=1_000)
    integrate: Literal["each", "together"] = Field(
        default="each",
        description="For the integrated form: each moves the neurons of one hook point at a time to the baseline, together those of all. "
        "together takes one pass per step instead of one per step and hook point, and divides effects among layers.",
    )
    baseline: Ablation = Field(
        default="mean",
        description="What replaces a neuron in attribution and in exact ablation: its mean, or its value in another document.",
    )
    order: Literal["absolute", "signed"] = Field(
        default="absolute",
        description="How attributions rank neurons: absolute puts those with the largest sum of absolute values over tokens first, signed "
        "those whose ablation raises the scalar most (lowers it, for a scalar other than loss and kl). The curves have both.",
    )
    tokens: int = Field(
        default=4_000,
        description="Tokens on which attributions, means and standard deviations are measured.",
        ge=1,
        le=10**9,
    )
    held_out: int = Field(
        default=2_000,
        description="Tokens of other documents, on which exact effects and the curves of deletion and insertion are measured.",
        ge=1,
        le=10**9,
    )
    top: int = Field(
        default=50, description="How many of the highest-ranked neurons are ablated one by one.", ge=0, le=10**7
    )
    sample: int = Field(
        default=100,
        description="How many other neurons, drawn evenly over hook points and attributions, are ablated one by one.",
        ge=0,
        le=10**7,
    )
    shares: Numbers = Field(
        default=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
        description="Shares of the neurons that are ablated together (deletion) or kept alone (insertion). An empty list draws no curves.",
    )
    ablations: Annotated[tuple[Ablation, ...], BeforeValidator(as_tuple)] = Field(
        default=("resample",),
        description="What ablated neurons get in the curves: their value in another document (resample), or their mean.",
        min_length=1,
    )
    draws: int = Field(
        default=3,
        description="How many random orders each curve is compared with: random ones, and ones matched to the first form by hook point "
        "and write norm.",
        ge=0,
        le=1_000,
    )

    @field_validator("forms", "ablations")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return each_once(value)

    @field_validator("shares")
    @classmethod
    def _grid(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        for share in value:
            if not 0 < share <= 1:
                raise ValueError(f"has {share:g}; shares are above 0 and at most 1")
        if value and (len(set(value)) < 2 or max(value) < 1):
            raise ValueError("needs at least two shares, one of them 1 (all neurons), or none at all")
        return tuple(sorted(set(value)))

    @field_validator("scalar")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_or_code(value, SCALARS)

    @model_validator(mode="after")
    def _together(self) -> ScoreSection:
        require_trust("scalar", self.code, self.trust)
        if (self.scalar == "logit_difference") != (len(self.logit_tokens) == 2):
            raise ValueError("scalar: logit_difference goes together with two logit_tokens")
        if self.class_index is not None and self.scalar != "class_logit":
            raise ValueError("class_index is for scalar: class_logit; delete it")
        if self.scalar == "kl" and self.forms != ("integrated",):
            raise ValueError(
                "scalar: kl has no slope at the clean network, so its gradients there are zero; set forms: [integrated]"
            )
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """The scalar, as a list of outputs."""
        return (self.scalar,)

    @property
    def code(self) -> tuple[str, ...]:
        """The scalar, if it is Python code."""
        return () if self.scalar in SCALARS else (self.scalar,)

    @property
    def has_slope(self) -> bool:
        """Whether gradients of the scalar at the clean network say anything."""
        return self.scalar != "kl"

    @property
    def rises(self) -> bool:
        """Whether the scalar rises where the network gets worse."""
        return self.scalar in ("loss", "kl")
