"""The section `intervene`: which neurons are changed, how, and where the effects are measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import (
    CorpusName,
    Neurons,
    Strings,
    Text,
    as_tuple,
    each_once,
    known_or_code,
    one_or_several,
    require_trust,
    shown,
)

Change = Literal["step", "mean", "resample", "zero"]
OUTPUTS = ("loss", "kl", "logit_difference")


def _at(value: Any) -> Any:
    items = value if isinstance(value, list | tuple) else (value,)
    if value == "all":
        return value
    if not items:
        raise ValueError("is an empty list; give all, or positions and tokens")
    for item in items:
        if (
            isinstance(item, bool)
            or not isinstance(item, int | str)
            or item == ""
            or (isinstance(item, int) and item < 0)
        ):
            raise ValueError(f"should be all, or positions from 0 and texts of tokens, not {shown(item)}")
    return tuple(items)


At = Annotated[Literal["all"] | tuple[int | str, ...], BeforeValidator(_at)]


class InterveneSection(Section):
    """How neurons are changed, and how the effects of that are measured."""

    source: Text | None = Field(
        default=None,
        description="Hook point whose neurons are changed, such as mlp.8; it must be collected. null means the first collected one "
        "to run.",
    )
    targets: Strings = Field(
        default=(),
        description="Hook points at whose neurons effects are measured, such as mlp.9; they must be collected, and run after the "
        "source. An empty list means all that do.",
    )
    sources: Neurons = Field(
        default=160,
        description="Which neurons are changed one by one: a number (drawn from all strata alike), all, a list of ids, or a file with "
        "one id per line.",
    )
    stratify: Annotated[tuple[Literal["degree", "write_norm", "disagreement"], ...], BeforeValidator(as_tuple)] = Field(
        default=("degree", "write_norm"),
        description="What a number of sources is stratified by: degree in the fitted graph (which needs `fit`), write_norm (how much a "
        "standard deviation of the neuron adds to the output of its module), disagreement (how many of its pairs have association "
        "without influence, and influence without association; needs `fit` with fit.order: layers, and `influence`). An empty list "
        "draws from all neurons alike.",
    )
    groups: dict[Text, Strings] = Field(
        default={},
        description="Groups of neurons that are changed together: a list of ids under a name of your choice.",
    )
    communities: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        description="Communities of the fitted graph, by number, whose neurons are changed together (needs `fit`).",
    )
    changes: Annotated[tuple[Change, ...], BeforeValidator(as_tuple)] = Field(
        default=("step", "mean"),
        description="What becomes of a neuron: step raises and lowers it by delta standard deviations, and the effect is the central "
        "difference; mean and zero set it to its mean or to zero; resample gives it its value in another document.",
        min_length=1,
    )
    delta: float = Field(default=0.5, description="Size of a step, in standard deviations of the neuron.", gt=0, le=100)
    at: At = Field(
        default="all",
        description="Where neurons are changed: at all tokens, or at a list of positions in a window (numbers, from 0) and tokens "
        "(texts, such as ' the'). Effects are then averaged from the first such token of a window on.",
    )
    mode: Literal["free", "attention", "direct"] = Field(
        default="free",
        description="What is held at its clean value: free holds nothing, attention the attention patterns, direct the outputs of "
        "attention and MLPs in all later layers, so that only the residual stream carries an effect.",
    )
    outputs: Strings = Field(
        default=(),
        description="Effects on the output to measure as well: loss (of the next token, in nats), kl (divergence of the prediction "
        "from the clean one, in nats), logit_difference (of logit_tokens), or package.module:function, which gets the output of the model "
        "and returns a number per token or per row. They need passes to the end of the network.",
    )
    logit_tokens: Strings = Field(
        default=(), description="The two tokens of logit_difference, as texts: the first minus the second."
    )
    trust: Annotated[tuple[Literal["import"], ...], BeforeValidator(one_or_several)] = Field(
        default=(), description="import runs the Python code that outputs name. An empty list refuses it."
    )
    corpus: CorpusName | None = Field(
        default=None,
        description="Corpus on whose texts effects are measured. null means the corpus itself: documents that `collect` did not read, "
        "if there are enough, and otherwise the first ones.",
    )
    tokens: int = Field(
        default=2_500,
        description="Stop after the document in which this many tokens are reached.",
        ge=1,
        le=10**9,
    )
    blocks: int = Field(
        default=16,
        description="Largest number of groups of whole documents whose effects are kept apart in the artifact. Errors and tests use "
        "single documents in any case.",
        ge=2,
        le=4096,
    )
    fdr: float = Field(
        default=0.05,
        description="An effect counts as found only if its false discovery rate (q-value), over all pairs of source and target, is at "
        "most this.",
        gt=0,
        lt=1,
    )
    min_effect: float = Field(
        default=0.02,
        description="An effect counts as found only if it is shown to be larger than this many standard deviations of the target. Effects "
        "are tested against this value, not against zero.",
        ge=0,
        lt=100,
    )
    all_pairs: bool = Field(
        default=False,
        description="List every pair of source and target in the .csv; false lists the found ones, at most 100,000.",
    )

    @field_validator("changes", "outputs", "stratify", "communities")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return each_once(value)

    @field_validator("outputs")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_or_code(name, OUTPUTS) for name in value)

    @model_validator(mode="after")
    def _together(self) -> InterveneSection:
        require_trust("outputs", self.code, self.trust)
        if ("logit_difference" in self.outputs) != (len(self.logit_tokens) == 2):
            raise ValueError("logit_difference in outputs goes together with two logit_tokens")
        return self

    @property
    def code(self) -> tuple[str, ...]:
        """The outputs that are Python code."""
        return tuple(name for name in self.outputs if name not in OUTPUTS)

    @property
    def reads_fit(self) -> bool:
        """Whether the fitted graph decides what is changed."""
        return bool(self.communities) or (isinstance(self.sources, int) and "degree" in self.stratify)

    @property
    def reads_disagreement(self) -> bool:
        """Whether the ordered graph and influence decide what is changed."""
        return isinstance(self.sources, int) and "disagreement" in self.stratify
