"""The section `fit`: from statistics to a sparse precision matrix."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Alphas, Neurons


class SelectSection(Section):
    """Which alpha of the path is drawn and compared."""

    rule: Literal["fixed", "degree", "ebic", "cv", "stars"] | None = Field(
        default=None,
        description="fixed, degree, ebic, cv (held-out likelihood) or stars (stability); null means fixed for a single "
        "alpha and degree otherwise.",
    )
    alpha: float | None = Field(
        default=None, description="For fixed: which of several alphas; null for the only one.", gt=0
    )
    target: float = Field(default=10.0, description="For degree: mean number of edges per neuron.", gt=0)
    gamma: float = Field(default=0.5, description="For ebic: weight of the extra penalty, 0 is BIC.", ge=0, le=1)
    folds: int = Field(default=5, description="For cv: groups of document blocks that are held out in turn.", ge=2)
    instability: float = Field(
        default=0.05,
        description="For stars: largest share of pairs, on average, on which two halves of the documents may differ.",
        gt=0,
        lt=0.5,
    )
    half_samples: int = Field(
        default=20, description="For stars: halves of the documents, in complementary pairs.", ge=4, multiple_of=2
    )


class FitSection(Section):
    """From statistics to a sparse precision matrix."""

    alpha: Alphas = Field(
        default=None,
        description="Penalty on off-diagonal entries, correlation scale: a number, a list, or "
        "{from, to, num}; null lets degree search.",
    )
    select: SelectSection = Field(default=SelectSection(), description="How the alpha to show is chosen.")
    penalise_diagonal: bool = Field(
        default=False,
        description="Penalise the diagonal of the precision too, which is to add alpha to every variance.",
    )
    solver: Literal["newton", "gglasso", "sklearn"] = Field(
        default="newton", description="Which solver; every result is judged by the same certificate."
    )
    tol: float = Field(default=1e-7, description="Largest certified duality gap per neuron, in nats.", gt=0, lt=1)
    max_iter: int = Field(default=2000, description="Iterations of the solver at one alpha.", ge=1)
    neurons: Neurons = Field(
        default="all",
        description="all, a number (those of highest variance), a list of ids, or a file with one id a line.",
    )

    method: Literal["plain", "latent"] = Field(
        default="plain",
        description="latent fits a sparse precision less one of low rank, which stands for hidden factors; up to 1,000 "
        "neurons, by gglasso whatever the solver.",
    )
    latent_penalty: float = Field(
        default=1.0,
        description="For latent: penalty on the trace of the low-rank part, times alpha sqrt(p / log p).",
        gt=0,
    )
    remove_factors: int = Field(
        default=0,
        description="Leading principal components taken out of the correlation before the fit; negative edges are "
        "then suspect.",
        ge=0,
    )
    fdr: float = Field(
        default=0.05, description="Edges of a larger false discovery rate (q-value) are not drawn.", gt=0, lt=1
    )
    min_effect: float = Field(
        default=0.02,
        description="Edges of a smaller partial correlation are not drawn, however significant.",
        ge=0,
        lt=1,
    )
    estimate: Literal["auto", "inverse", "lasso"] = Field(
        default="auto",
        description="What edges are tested on: inverse is the inverse correlation, lasso the de-sparsified graphical lasso "
        "at alpha sqrt(log p / n); auto is inverse where there are three effective tokens per neuron.",
    )
    variance: Literal["pooled", "normal", "jackknife"] = Field(
        default="pooled",
        description="Errors of the edges: normal is the formula for Gaussian tokens, pooled multiplies it by what a "
        "jackknife over document blocks finds, jackknife takes that of every pair.",
    )
    half_samples: int = Field(
        default=20,
        description="Halves of the documents that are fitted to see how often an edge comes back; 0 for none.",
        ge=0,
        multiple_of=2,
    )
    null: bool | None = Field(
        default=None,
        description="Fit the shifted moments of collect.null too, at the selected alpha; null does so where there are any.",
    )
    workers: int | None = runtime(None, "Processes that fit resamples; null means one per thread.", ge=1)

    @model_validator(mode="after")
    def _selectable(self) -> FitSection:
        alphas, select = self.alpha, self.select
        if self.method == "latent" and (self.remove_factors or self.penalise_diagonal):
            raise ValueError("method latent goes with neither remove_factors nor penalise_diagonal; delete one")
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
    def solving(self) -> dict[str, Any]:
        """How every point of a path is solved, by the names of the options of ``fit_path``."""
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
