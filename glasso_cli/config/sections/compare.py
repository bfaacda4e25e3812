"""The section `compare`: how corpora are compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from glasso_cli.config.sections.section import Section


class CompareSection(Section):
    """From fitted corpora to the dependencies that differ."""

    method: Literal["differential", "group", "fused"] = Field(
        default="differential",
        description="differential tests every pair of neurons, for every pair of corpora; group and fused fit all corpora "
        "at once (joint graphical lasso, by gglasso) and share edges, or their values.",
    )
    fdr: float = Field(
        default=0.05,
        description="For differential: pairs of a larger false discovery rate (q-value) are not called different.",
        gt=0,
        lt=1,
    )
    min_effect: float = Field(
        default=0.02,
        description="For differential: pairs whose partial correlations differ by less are not called different, however "
        "significant.",
        ge=0,
        lt=2,
    )
    permutations: int = Field(
        default=0,
        description="For differential: random divisions of the documents of both corpora, against which the largest difference "
        "is held; 0 for none.",
        ge=0,
        le=100_000,
    )
    contexts: int = Field(
        default=8,
        description="For differential: neurons that rewire most, shown with their contexts in both corpora.",
        ge=0,
        le=50,
    )
    neurons: int | Literal["all"] = Field(
        default="all",
        description="For group and fused: all, or so many neurons of largest strength over all graphs; about 1,900 connected "
        "ones take ten minutes, which is the limit.",
    )
    lambda1: float | None = Field(
        default=None,
        description="For group and fused: penalty on every entry; null takes the mean alpha of the fits.",
        gt=0,
    )
    lambda2: float | None = Field(
        default=None,
        description="For group and fused: penalty on what corpora do not share; null takes a fifth of lambda1.",
        ge=0,
    )
    tol: float = Field(
        default=1e-10,
        description="For group and fused: largest certified duality gap per neuron, in nats; 1e-10 leaves a KKT residual "
        "below 1e-4.",
        gt=0,
        lt=1,
    )
    max_iter: int = Field(default=2000, description="For group and fused: iterations of the solver.", ge=1)

    @field_validator("neurons")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 2:
            raise ValueError(f"should be at least 2, not {value}")
        return value
