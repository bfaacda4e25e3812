"""The whole configuration: one frozen pydantic model per section, unknown keys rejected.

A field marked ``runtime`` changes how the work is done, not the result, so it is not part of a cache key. Every field
has a help text, which ``glasso schema`` and docs/configuration.md show. :mod:`glasso_cli.config.load` reads the files.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from glasso_cli.config.sections.collect import CollectSection
from glasso_cli.config.sections.compare import CompareSection
from glasso_cli.config.sections.corpora import ARRAY_SOURCES, CorpusSection
from glasso_cli.config.sections.effects.audit import AuditSection
from glasso_cli.config.sections.effects.influence import InfluenceSection
from glasso_cli.config.sections.effects.intervene import InterveneSection
from glasso_cli.config.sections.effects.score import ScoreSection
from glasso_cli.config.sections.engine import EngineSection
from glasso_cli.config.sections.fit import FitSection
from glasso_cli.config.sections.graphs.pathways import PathwaysSection
from glasso_cli.config.sections.graphs.structure import StructureSection
from glasso_cli.config.sections.model import ModelSection
from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.synth import SynthSection
from glasso_cli.config.sections.values import CorpusName, FilePath
from glasso_cli.config.sections.visualize import VisualizeSection


class Config(Section):
    """One experiment: what to study, and how each stage works."""

    name: str = Field(default="", description="Name of the experiment. The default is the name of the file.")
    out: FilePath | None = runtime(
        None, "Folder for the results, relative to the working directory; null means runs/NAME."
    )
    seed: int = Field(default=0, description="Seed of all random numbers.", ge=0, lt=2**63)
    model: ModelSection = Field(description="The network to study.")
    corpora: dict[CorpusName, CorpusSection] = Field(
        description="The texts, arrays or images to study: one section per corpus, under a name of your choice.",
        min_length=1,
    )
    synth: SynthSection = Field(default=SynthSection(), description="How texts on topics are written.")
    collect: CollectSection = Field(description="How the statistics of the activations are collected.")
    fit: FitSection = Field(
        default=FitSection(),
        description="How the sparse precision matrices are fitted, and how their edges are tested.",
    )
    visualize: VisualizeSection = Field(default=VisualizeSection(), description="Which figures are drawn, and how.")
    compare: CompareSection = Field(default=CompareSection(), description="How corpora are compared.")
    influence: InfluenceSection = Field(
        default=InfluenceSection(),
        description="What neurons of one layer do to those of the next. `glasso run` computes it only if this section is given, be it "
        "empty (`influence: {}`).",
    )

    intervene: InterveneSection = Field(
        default=InterveneSection(),
        description="Which neurons are changed, how, and where the effects are measured. `glasso run` does so if the section is given.",
    )
    structure: StructureSection = Field(
        default=StructureSection(),
        description="What each neuron is in the graph of fit. `glasso run` computes it if the section is given, be it empty (`structure: {}`).",
    )
    pathways: PathwaysSection = Field(
        default=PathwaysSection(),
        description="Paths through the graph across layers. `glasso run` finds them if the section is given, be it empty (`pathways: {}`).",
    )
    score: ScoreSection = Field(
        default=ScoreSection(),
        description="How much a scalar of the output depends on each neuron. `glasso run` measures it if the section is given, be it empty "
        "(`score: {}`).",
    )
    audit: AuditSection = Field(
        default=AuditSection(),
        description="How scores of pairs are judged against the effects that `intervene` measured.",
    )

    engine: EngineSection = Field(
        default=EngineSection(), description="Which processes and machines do the work. Nothing here changes a result."
    )

    @field_validator("name")
    @classmethod
    def _one_folder(cls, value: str) -> str:
        if re.search(r"[/\\]", value) or value in ("", ".", ".."):
            raise ValueError(f"{value!r} cannot be the name of a folder; give a name without slashes")
        return value

    @field_validator("corpora")
    @classmethod
    def _distinct_files(cls, value: dict[str, CorpusSection]) -> dict[str, CorpusSection]:
        names = sorted(value, key=str.lower)
        for name, after in itertools.pairwise(names):
            if name.lower() == after.lower():
                raise ValueError(f"{name!r} and {after!r} are the same file name on some systems; rename one")
        compared: dict[str, tuple[str, ...]] = {}
        for pair in itertools.permutations(value, 2):
            name = "-vs-".join(pair).lower()
            if any(name == corpus.lower() for corpus in value):
                raise ValueError(
                    f"{'-vs-'.join(pair)!r} is the name of the comparison of {pair[0]!r} and {pair[1]!r}; rename one"
                )
            other = compared.setdefault(name, pair)
            if other != pair:
                raise ValueError(
                    f"the comparison of {pair[0]!r} and {pair[1]!r} has the name of that of {other[0]!r} and "
                    f"{other[1]!r}; rename one"
                )
        return value

    @field_validator("corpora")
    @classmethod
    def _what_the_model_reads(cls, value: dict[str, CorpusSection], info: ValidationInfo) -> dict[str, CorpusSection]:
        model = info.data.get("model")
        if not isinstance(model, ModelSection) or not model.model_fields_set:
            return value
        texts = {name: corpus.source for name, corpus in value.items() if corpus.has_texts}
        others = {name: corpus.source for name, corpus in value.items() if not corpus.has_texts}
        if texts and model.kind == "torch":
            name, source = next(iter(texts.items()))
            raise ValueError(
                f"{name!r} gives {source}, which a model of kind torch does not read; give {', '.join(ARRAY_SOURCES)}, or "
                "set model.kind: hf"
            )
        if texts and others:
            (first, text), (second, other) = next(iter(texts.items())), next(iter(others.items()))
            raise ValueError(
                f"{first!r} gives {text} and {second!r} gives {other}, but a model reads texts or no texts"
            )
        return value

    @field_validator("collect")
    @classmethod
    def _for_any_network(cls, value: CollectSection, info: ValidationInfo) -> CollectSection:
        corpora = info.data.get("corpora")
        if not isinstance(corpora, dict) or not corpora:
            return value
        texts = all(corpus.has_texts for corpus in corpora.values())
        if not texts and value.sae.file is not None:
            raise ValueError("sae is only for texts, since dictionaries are of language models; delete it")
        if texts:
            for name in ("positions", "axes"):
                if name in value.model_fields_set:
                    raise ValueError(f"{name} has no effect on texts; delete it")
            if "border" in value.mask.model_fields_set:
                raise ValueError("mask.border has no effect on texts; delete it")
        return value

    @field_validator("intervene")
    @classmethod
    def _of_neurons(cls, value: InterveneSection, info: ValidationInfo) -> InterveneSection:
        collect = info.data.get("collect")
        if isinstance(collect, CollectSection) and collect.sae.file is not None:
            raise ValueError(
                "changes neurons, and collect.sae collects latents of a dictionary; delete one of them, or make two experiments"
            )
        corpora = info.data.get("corpora") or {}
        if value.corpus is not None and corpora and value.corpus not in corpora:
            raise ValueError(f"corpus {value.corpus!r} is not under corpora; those are {', '.join(corpora)}")
        fit = info.data.get("fit")
        if value.reads_disagreement and isinstance(fit, FitSection) and fit.order != "layers":
            raise ValueError(
                "stratify by disagreement needs the ordered graph; set fit.order: layers, or delete disagreement"
            )
        return value

    @field_validator("audit")
    @classmethod
    def _of_other_texts(cls, value: AuditSection, info: ValidationInfo) -> AuditSection:
        corpora, intervene, name = info.data.get("corpora") or {}, info.data.get("intervene"), value.scores_from
        if name is None or not corpora:
            return value
        if name not in corpora:
            raise ValueError(f"scores_from {name!r} is not under corpora; those are {', '.join(corpora)}")
        if len(corpora) == 1:
            raise ValueError(
                f"scores_from {name!r} is the only corpus, whose own scores are judged without it; delete it"
            )
        if isinstance(intervene, InterveneSection) and intervene.corpus is not None:
            raise ValueError(
                f"scores_from {name!r} and intervene.corpus {intervene.corpus!r} both choose texts; delete one of them"
            )
        return value

    @field_validator("score")
    @classmethod
    def _distinct_score_folders(cls, value: ScoreSection, info: ValidationInfo) -> ScoreSection:
        corpora = info.data.get("corpora")
        if isinstance(corpora, dict):
            names = {name.lower(): name for name in corpora}
            for name in corpora:
                other = names.get(f"{name}.score".lower())
                if other is not None:
                    raise ValueError(f"{other!r} is the name of the figures of the scores of {name!r}; rename one")
        return value

    @field_validator("fit")
    @classmethod
    def _distinct_ordered_files(cls, value: FitSection, info: ValidationInfo) -> FitSection:
        corpora = info.data.get("corpora")
        if value.order == "layers" and isinstance(corpora, dict):
            names = {name.lower(): name for name in corpora}
            for name in corpora:
                other = names.get(f"{name}.ordered".lower())
                if other is not None:
                    raise ValueError(f"{other!r} is the name of the ordered graph of the corpus {name!r}; rename one")
        return value

    @property
    def folder(self) -> Path:
        """Where the artifacts go."""
        return self.out if self.out is not None else Path("runs") / self.name

    def missing_sections(self) -> list[str]:
        """The sections without defaults that were not given, which only stages that do not read them allow."""
        return [name for name in without_default() if not getattr(self, name).model_fields_set]

    @property
    def comparisons(self) -> dict[str, tuple[str, ...]]:
        """The corpora of each comparison, by its name: every pair of them, or all where they are fitted at once."""
        names = tuple(self.corpora)
        if len(names) < 2:
            return {}
        groups = itertools.combinations(names, 2) if self.compare.method == "differential" else [names]
        return {"-vs-".join(group): tuple(group) for group in groups}


def without_default() -> dict[str, type[Section]]:
    """The sections that have to be given where they are read: those in which a key has no default."""
    kinds = {name: info.annotation for name, info in Config.model_fields.items() if info.is_required()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Section)}
