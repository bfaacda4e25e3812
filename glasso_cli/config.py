"""The configuration: one frozen pydantic model per section, unknown keys rejected.

A field marked ``runtime`` says how the work is done, not what comes out: it is not part of a cache key. Every
field carries one line of help, which ``glasso schema`` shows. :mod:`glasso_cli.config_file` reads the files.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glasso_cli.config_compare import CompareSection
from glasso_cli.config_section import Section, is_runtime, public_fields, runtime
from glasso_cli.config_synth import SynthSection
from glasso_cli.config_values import Alphas, CorpusName, FilePath, Neurons, Strings, as_tuple

__all__ = ["Config", "Section", "is_runtime", "public_fields"]

# -- shared sections ------------------------------------------------------------------------------


class ModelSection(Section):
    """The network whose neurons are studied."""

    id: str = Field(
        description="A hub id, a local folder, or a model that ships as a package: builtin:gemma-3-270m, "
        "builtin:smollm2-135m-instruct.",
        min_length=1,
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit on the hub; null means its main branch."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Precision of the forward pass; auto is float32. Statistics are float64 in any case.",
    )
    device: str = runtime("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")
    device_map: Literal["auto"] | None = runtime(
        None, "auto spreads a model that is too large for one GPU over all of them."
    )
    trust: Annotated[
        tuple[Literal["pickle", "remote_code"], ...],
        BeforeValidator(lambda v: (v,) if isinstance(v, str) else as_tuple(v)),
    ] = Field(
        default=(),
        description="pickle and remote_code let a model repository run its own code here; empty refuses.",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
            raise ValueError(f"{value!r} is not one of: auto, cpu, cuda, cuda:N")
        return value


_DATASET_ONLY = ("config", "split", "revision", "streaming")


class CorpusSection(Section):
    """One body of text: a hub dataset, local files, or a topic."""

    dataset: str | None = Field(default=None, description="Hub id of a dataset.")
    config: str | None = Field(default=None, description="Configuration (subset) of the hub dataset.")
    split: str = Field(default="train", description="Split of the hub dataset.")
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of the hub dataset; null means its main branch."
    )
    streaming: bool = runtime(False, "Read the hub dataset as a stream instead of downloading it.")
    files: Strings | None = Field(
        default=None,
        description="Local .txt, .jsonl, .csv or .parquet files; patterns such as texts/*.jsonl.",
    )
    lines: bool = Field(
        default=False, description="In .txt files every line is a document; otherwise every file is one."
    )
    text: str = Field(default="text", description="Column that holds the text.")
    topic: str | None = Field(default=None, description="A topic, such as 'climate change'.")
    max_documents: int | None = Field(default=None, description="Read at most so many documents; null reads all.", ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> CorpusSection:
        given = [name for name in ("dataset", "files", "topic") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none of them"
            raise ValueError(f"give exactly one of dataset, files, topic; this has {found}")
        if self.topic is not None and not self.topic.strip():
            raise ValueError("topic is empty; write what the texts are to be about")
        if self.files is not None and not self.files:
            raise ValueError("files is empty; name at least one file")
        belongs = {"dataset": (*_DATASET_ONLY, "text"), "files": ("lines", "text"), "topic": ()}[given[0]]
        for name in (*_DATASET_ONLY, "lines", "text"):
            if name in self.model_fields_set and name not in belongs:
                raise ValueError(f"{name} means nothing for a corpus given as {given[0]}; delete it")
        return self


# -- stages ---------------------------------------------------------------------------------------


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


class VisualizeSection(Section):
    """From a sparse precision matrix to pictures."""

    formats: Annotated[tuple[Literal["png", "svg"], ...], BeforeValidator(as_tuple)] = Field(
        default=("png", "svg"), description="File formats of the figures.", min_length=1
    )
    edges: int = Field(
        default=150,
        description="Edges in the network picture: the strongest; the rest is counted, not drawn.",
        ge=1,
    )
    cards: int = Field(default=10, description="Neuron cards drawn: the strongest neurons.", ge=0, le=100)
    dpi: int = Field(default=160, description="Resolution of the PNG files.", ge=50, le=1200)
    explorer: bool = Field(default=True, description="Write explorer.html, the graph to look around in, as one file.")
    explorer_mb: float = Field(
        default=12.0,
        description="Largest explorer.html; contexts of the weakest neurons are left out beyond, and counted.",
        gt=0,
        le=500,
    )


class Config(Section):
    """One experiment: what to study, and how each stage does its part."""

    name: str = Field(default="", description="Name of the experiment; the file's name if left out.")
    out: FilePath | None = runtime(None, "Folder of the artifacts, relative to where you run; runs/NAME if left out.")
    seed: int = Field(default=0, description="Seed of everything random.", ge=0, lt=2**63)
    model: ModelSection = Field(description="The network.")
    corpora: dict[CorpusName, CorpusSection] = Field(
        description="The texts, each under a name of your choice.", min_length=1
    )
    synth: SynthSection = Field(default=SynthSection(), description="From topics to texts.")
    collect: CollectSection = Field(description="From text to statistics of activations.")
    fit: FitSection = Field(default=FitSection(), description="From statistics to a sparse precision matrix.")
    visualize: VisualizeSection = Field(default=VisualizeSection(), description="From the matrix to pictures.")
    compare: CompareSection = Field(
        default=CompareSection(), description="From two fitted corpora to the dependencies that differ."
    )

    @field_validator("name")
    @classmethod
    def _one_folder(cls, value: str) -> str:
        if re.search(r"[/\\]", value) or value in ("", ".", ".."):
            raise ValueError(f"{value!r} cannot name a folder: give a word without slashes")
        return value

    @field_validator("corpora")
    @classmethod
    def _distinct_files(cls, value: dict[str, CorpusSection]) -> dict[str, CorpusSection]:
        names = sorted(value, key=str.lower)
        for name, after in itertools.pairwise(names):
            if name.lower() == after.lower():
                raise ValueError(f"{name!r} and {after!r} are the same file name on some systems; rename one")
        return value

    @property
    def folder(self) -> Path:
        """Where the artifacts go."""
        return self.out if self.out is not None else Path("runs") / self.name
