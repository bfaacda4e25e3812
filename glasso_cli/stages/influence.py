"""From collected corpora to what neurons of one layer do to those of the next: one more pass of the model over each corpus.

A finished part of the pass is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.corpora.documents import pin_corpus, read_documents
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.models.source import model_digest
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report.words.influence import one_line


def targets(config: Config) -> list[str]:
    """Every corpus of texts."""
    return [name for name, corpus in config.corpora.items() if corpus.has_texts]


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The statistics, and the texts where ``synth`` writes them."""
    return [("collect", corpus), *([("synth", corpus)] if config.corpora[corpus].topic is not None else [])]


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the influence, beside what decides the statistics."""
    return {"influence": public_fields(config.influence)}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model and the texts, which are read again."""
    return {
        "model": model_digest(str(config.model.id), config.model.revision),
        "corpus": pin_corpus(corpus, config.corpora[corpus]),
    }


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the influence, the table of its edges and their graph go."""
    folder = config.folder / "influence"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.dot", folder / f"{corpus}.edges.csv")


def make(job: Job) -> str:
    """Measure the influence on one corpus and write it, the table of its edges and their graph."""
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.influence.graph import dot_lines
    from glasso_cli.influence.run import influence_of_corpus, wanted_layers
    from glasso_cli.models.load import load_configured

    config = job.config
    if config.collect.sae.file is not None:
        raise InputError(
            "Influence is between neurons of MLPs, and collect.sae.file gives the latents of a dictionary.",
            "Use a configuration without collect.sae, with two neighbouring layers such as mlp.8 and mlp.9.",
        )
    stats = ActivationStats.load(job.upstream["collect"])
    wanted_layers(stats.metrics.hook_points, config.influence)  # before the model is loaded
    part = part_read(config.collect)
    influence = influence_of_corpus(
        job.once(part, lambda: load_configured(config.model, job.console, part)),
        read_documents(job.corpus, config.corpora[job.corpus], job.upstream.get("synth")),
        stats,
        config.collect,
        config.influence,
        job.pieces,
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )
    influence = replace(influence, meta=job.meta(influence.meta["metrics"]))
    dot, table = job.target.companions
    with atomic_write(dot, "w") as file:
        file.writelines(dot_lines(influence))
    write_table(table, influence.edge_columns())
    job.save(influence)
    return one_line(influence.metrics)


STAGE = Stage(
    version=1,
    sections=("model", "corpora", "collect", "influence"),
    after=("collect",),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    no_targets=(
        "No corpus has texts, and influence is for language models.",
        "Give texts under corpora, and a model of kind hf.",
    ),
    upstream=upstream,
    unasked=lambda config: "influence" in config.model_fields_set,
)
