"""The section `compare`: how corpora are compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glasso_cli.config.sections.section import Section
from glasso_cli.config.sections.values import Strongest


class CompareSection(Section):
    """How corpora are compared."""

    method: Literal["differential", "group", "fused"] = Field(
        default="differential",
        description="differential tests every pair of neurons for every pair of corpora. group and fused fit all corpora at once "
        "(joint graphical lasso, by gglasso): group favours edges that the corpora share, fused also equal values.",
    )
    fdr: float = Field(
        default=0.05,
        description="For differential: a pair of neurons counts as different only if its false discovery rate (q-value) is at most "
        "this.",
        gt=0,
        lt=1,
    )
    min_effect: float = Field(
        default=0.02,
        description="For differential: a pair of neurons counts as different only if its partial correlations are shown to differ by "
        "more than this. Pairs are tested against this value, not against zero.",
        ge=0,
        lt=2,
    )
    min_shift: float = Field(
        default=0.02,
        description="For differential: a neuron counts as more or less active only if its means are shown to differ by more than "
        "this many standard deviations.",
        ge=0,
        lt=100,
    )
    min_ratio: float = Field(
        default=1.05,
        description="For differential: a neuron counts as more or less variable only if the ratio of its variances is shown to be "
        "above this, or below one over this.",
        ge=1,
        lt=1000,
    )
    permutations: int = Field(
        default=0,
        description="For differential: number of random divisions of the documents of both corpora for a permutation test of the "
        "differences; 0 skips the test.",
        ge=0,
        le=100_000,
    )
    contexts: int = Field(
        default=8,
        description="For differential: number of neurons that are shown with their contexts in both corpora: those whose activation "
        "differs most, and those whose edges change most.",
        ge=0,
        le=50,
    )
    neurons: Strongest = Field(
        default="all",
        description="For group and fused: all, or this many neurons (at least 2), those with the largest strength over all graphs. About 1,900 "
        "connected neurons take ten minutes, which is the limit.",
    )
    lambda1: float | None = Field(
        default=None,
        description="For group and fused: penalty on every off-diagonal entry; null means the mean alpha of the fits.",
        gt=0,
    )
    lambda2: float | None = Field(
        default=None,
        description="For group and fused: second penalty, which makes the graphs of the corpora more alike; null means a fifth of "
        "lambda1.",
        ge=0,
    )
    tol: float = Field(
        default=1e-10,
        description="For group and fused: largest duality gap per neuron, in nats, at which a fit counts as converged. 1e-10 leaves "
        "a KKT residual below 1e-4.",
        gt=0,
        lt=1,
    )
    max_iter: int = Field(
        default=2000, description="For group and fused: largest number of iterations of the solver.", ge=1, le=1_000_000
    )
