"""From collected corpora to what neurons of one layer do to those of later ones: one more reading of each corpus.

A finished part is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.corpora.arrays import pin_documents, read_arrays
from glasso_cli.corpora.documents import read_documents
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model, pin_model
from glasso_cli.pipeline.stage import Stage, always
from glasso_cli.report.words.influence import one_line


def targets(config: Config) -> list[str]:
    """Every corpus; in closed form, those that a language model reads."""
    return [name for name, corpus in config.corpora.items() if corpus.has_texts or config.influence.paths == "all"]


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The statistics, and the texts where ``synth`` writes them."""
    return [("collect", corpus), *([("synth", corpus)] if config.corpora[corpus].topic is not None else [])]


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the influence, beside what decides the statistics."""
    return {"influence": public_fields(config.influence)}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model and the documents, which are read again."""
    model, documents = config.model, config.corpora[corpus]
    return {
        "model": pin_model(model),
        "corpus": pin_documents(corpus, documents),
    }


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the influence, the table of its edges and their graph go."""
    folder = config.folder / "influence"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.dot", folder / f"{corpus}.edges.csv")


def make(job: Job) -> str:
    """Measure the influence on one corpus and write it, the table of its edges and their graph."""
    from glasso_cli.derivatives.graph import dot_lines

    config = job.config
    if config.collect.sae.file is not None:
        raise InputError(
            "Influence is between neurons of the network, and collect.sae.file gives the latents of a dictionary.",
            "Use a configuration without collect.sae, with two neighbouring layers such as mlp.8 and mlp.9.",
        )
    stats = ActivationStats.load(job.upstream["collect"])
    influence = (_of_texts if config.corpora[job.corpus].has_texts else _of_arrays)(job, stats)
    influence = replace(influence, meta=job.meta(influence.meta["metrics"]))
    dot, table = job.target.companions
    with atomic_write(dot, "w") as file:
        file.writelines(dot_lines(influence))
    write_table(table, influence.edge_columns())
    job.save(influence)
    return one_line(influence.metrics)


def _of_texts(job: Job, stats: ActivationStats) -> Influence:
    from glasso_cli.derivatives.run import influence_of_corpus, wanted_layers
    from glasso_cli.hooks.parts import part_read

    config = job.config
    if config.influence.paths == "closed":
        wanted_layers(stats.metrics.hook_points, config.influence)  # before the model is loaded
    return influence_of_corpus(
        language_model(job, part_read(config.collect)),
        read_documents(job.corpus, config.corpora[job.corpus], job.upstream.get("synth")),
        stats,
        config.collect,
        config.influence,
        job.pieces,
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


def _of_arrays(job: Job, stats: ActivationStats) -> Influence:
    from glasso_cli.derivatives.all_paths.corpus import influence_of_arrays
    from glasso_cli.models.modules.configured import configured_network

    config = job.config
    network = configured_network(config, job.corpus, job.console)
    return influence_of_arrays(
        network,
        read_arrays(job.corpus, config.corpora[job.corpus], network.prepare),
        stats,
        config.collect,
        config.influence,
        job.pieces,
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


STAGE = Stage(
    version=2,
    sections=("model", "corpora", "collect", "influence"),
    after=("collect",),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    no_targets=("The closed form of influence is for language models that read texts.", "Set influence.paths: all."),
    upstream=upstream,
    divided=always,
    more_units="collect.blocks",
    unasked=lambda config: "influence" in config.model_fields_set,
)
