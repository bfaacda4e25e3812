"""The section `fit`: how the sparse precision matrices are fitted, and how their edges are tested."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Alphas, Neurons


class SelectSection(Section):
    """How the alpha is selected whose graph is tested, drawn and compared."""

    rule: Literal["fixed", "degree", "ebic", "cv", "stars"] | None = Field(
        default=None,
        description="fixed (given by select.alpha), degree (a mean number of edges per neuron), ebic (extended BIC), cv (held-out "
        "likelihood) or stars (stability). null means fixed if there is a single alpha or select.alpha, else degree.",
    )
    alpha: float | None = Field(
        default=None, description="For fixed: the alpha to select; null means the only one of fit.alpha.", gt=0
    )
    target: float = Field(
        default=10.0, description="For degree: the mean number of edges per neuron.", gt=0, le=1_000_000
    )
    gamma: float = Field(
        default=0.5, description="For ebic: weight of the extra penalty; 0 is the plain BIC.", ge=0, le=1
    )
    folds: int = Field(
        default=5,
        description="For cv: number of groups of document blocks; each group is held out once.",
        ge=2,
        le=4096,
    )
    instability: float = Field(
        default=0.05,
        description="For stars: largest mean share of neuron pairs on which the graphs of two halves of the documents may differ.",
        gt=0,
        lt=0.5,
    )
    half_samples: int = Field(
        default=20,
        description="For stars: number of halves of the documents to fit, in complementary pairs.",
        ge=4,
        le=10_000,
        multiple_of=2,
    )


class FitSection(Section):
    """How the sparse precision matrices are fitted, and how their edges are tested."""

    alpha: Alphas = Field(
        default=None,
        description="Penalty on the off-diagonal entries, on the scale of correlations: a number, a list, or {from, to, num}, a "
        "range with equal ratios. null searches for the alpha that gives select.target edges per neuron.",
    )
    select: SelectSection = Field(default=SelectSection(), description="How the alpha is selected.")
    penalise_diagonal: bool = Field(
        default=False,
        description="Also penalise the diagonal of the precision matrix. This is the same as adding alpha to every variance.",
    )
    solver: Literal["newton", "gglasso", "sklearn"] = Field(
        default="newton", description="The solver. The duality gap of every solver is computed in the same way."
    )
    tol: float = Field(
        default=1e-7,
        description="Largest duality gap per neuron, in nats, at which a fit counts as converged.",
        gt=0,
        lt=1,
    )
    max_iter: int = Field(
        default=2000, description="Largest number of iterations of the solver at one alpha.", ge=1, le=1_000_000
    )
    neurons: Neurons = Field(
        default="all",
        description="Which neurons to fit: all, a number (those with the highest variance), a list of ids, or a file with one id per "
        "line.",
    )

    method: Literal["plain", "latent"] = Field(
        default="plain",
        description="plain fits a sparse precision matrix. latent fits a sparse matrix minus one of low rank, which stands for "
        "hidden factors; it has a solver of its own.",
    )
    latent_penalty: float = Field(
        default=1.0,
        description="For latent: penalty on the trace of the low-rank part, in units of alpha sqrt(p / log p) for p neurons.",
        gt=0,
        le=1_000_000,
    )
    remove_factors: int = Field(
        default=0,
        description="Number of leading principal components to remove from the data before the fit. Removing them creates weak, "
        "mostly negative partial correlations.",
        ge=0,
        le=10_000,
    )
    order: Literal["none", "layers"] = Field(
        default="none",
        description="layers also regresses each neuron on all neurons of earlier layers, and writes the directed graph of these "
        "regressions beside the fit. none does not. docs/ordered.md describes the graph.",
    )
    fdr: float = Field(
        default=0.05,
        description="Draw and list an edge only if its false discovery rate (q-value) is at most this.",
        gt=0,
        lt=1,
    )
    min_effect: float = Field(
        default=0.02,
        description="Draw and list an edge only if its partial correlation is shown to be larger than this in size. Edges are tested "
        "against this value, not against zero: with enough text, all pairs differ from zero.",
        ge=0,
        lt=1,
    )
    estimate: Literal["auto", "inverse", "lasso"] = Field(
        default="auto",
        description="Estimate by which edges are tested. inverse is the inverse of the correlation matrix; lasso is the "
        "de-sparsified graphical lasso at alpha sqrt(log p / n) for p neurons and n effective tokens. auto means "
        "inverse if there are at least three effective tokens per neuron, else lasso.",
    )
    variance: Literal["auto", "pooled", "normal", "jackknife"] = Field(
        default="auto",
        description="Standard errors for the tests. normal is the formula for Gaussian tokens; pooled multiplies it by one factor "
        "from a jackknife over document blocks; jackknife estimates the error of every pair by itself, and takes that of "
        "normal where it is larger. auto means pooled, or jackknife if that factor differs between pairs by more than two, "
        "as it does for neurons that are mostly zero.",
    )
    half_samples: int = Field(
        default=20,
        description="Number of halves of the documents to fit, to see how often each edge reappears; 0 skips this.",
        ge=0,
        le=10_000,
        multiple_of=2,
    )
    null: bool | None = Field(
        default=None,
        description="Also fit what collect.null collected at the selected alpha. null means: if it was collected.",
    )
    workers: int | None = runtime(
        None,
        "Number of processes that fit the halves and folds of the documents; null means one per thread. A fit of sparse latents "
        "does not use it: it fits one after the other, each on all threads.",
        ge=1,
        le=1024,
    )

    @model_validator(mode="after")
    def _selectable(self) -> FitSection:
        alphas, select = self.alpha, self.select
        if self.method == "latent" and (self.remove_factors or self.penalise_diagonal):
            raise ValueError(
                "method latent cannot be combined with remove_factors or penalise_diagonal; delete one of them"
            )
        if self.order == "layers" and (self.method == "latent" or self.remove_factors or self.penalise_diagonal):
            raise ValueError(
                "order layers cannot be combined with method latent, remove_factors or penalise_diagonal; delete one of them"
            )
        if select.rule in ("ebic", "cv", "stars") and (alphas is None or len(alphas) < 2):
            raise ValueError(f"select.rule {select.rule} compares alphas; give fit.alpha a list or a range")
        if self.rule == "fixed":
            if alphas is None:
                raise ValueError("select.rule fixed needs fit.alpha")
            if select.alpha is None and len(alphas) > 1:
                raise ValueError("select.rule fixed with several alphas needs select.alpha")
            if select.alpha is not None and select.alpha not in alphas:
                raise ValueError(f"select.alpha {select.alpha} is not one of the alphas of the path")
        return self

    @property
    def solved_by(self) -> str:
        """``solver``, or ``latent``, which has its own."""
        return "latent" if self.method == "latent" else self.solver

    @property
    def solving(self) -> dict[str, Any]:
        """How every point of the path is solved, as keyword arguments of ``fit_path``."""
        return {
            "solver": self.solver,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "penalise_diagonal": self.penalise_diagonal,
            "hidden": self.latent_penalty if self.method == "latent" else None,
        }

    @property
    def rule(self) -> str:
        """The selection rule with the default filled in."""
        if self.select.rule is not None:
            return self.select.rule
        single = self.alpha is not None and len(self.alpha) == 1
        return "fixed" if single or self.select.alpha is not None else "degree"
