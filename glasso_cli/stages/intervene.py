"""From a network, its statistics and texts to effects: neurons are changed, and later ones are measured.

A finished batch of documents is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import ActivationStats, Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, neurons, public_fields
from glasso_cli.corpora.arrays import read_arrays
from glasso_cli.corpora.documents import read_documents
from glasso_cli.corpora.of_interventions import (
    corpora_changed,
    manifest_of,
    pins_of_texts,
    settings_of_texts,
    texts_of,
    written_texts,
)
from glasso_cli.models.modules.code import code_digest
from glasso_cli.models.source import library_versions
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model
from glasso_cli.pipeline.ordered import ordered_graph, pin_ordered
from glasso_cli.pipeline.stage import Stage, always
from glasso_cli.report.words.interventions import one_line


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The statistics; the fit and influence, if they decide on the sources; texts on a topic."""
    read = [("collect", corpus)]
    if config.intervene.reads_fit or config.intervene.reads_disagreement:
        read.append(("fit", corpus))
    if config.intervene.reads_disagreement:
        read.append(("influence", corpus))
    return read + written_texts(config, corpus)


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the effects; the network is that of the statistics."""
    section = public_fields(config.intervene)
    section["sources"] = neurons.without_path(config.intervene.sources)
    return {"intervene": section, **settings_of_texts(config, corpus), "seed": config.seed}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model, the texts, the file of neuron ids and the code of outputs."""
    found = {**pins_of_texts(config, corpus), **neurons.pin(config.intervene.sources)}
    if config.intervene.reads_disagreement:
        found |= pin_ordered(config, corpus)
    if config.intervene.code:
        found["outputs"] = {name: code_digest(name, "intervene.outputs") for name in config.intervene.code}
    return found


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the effects and their table go."""
    folder = config.folder / "intervene"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.csv",)


def make(job: Job) -> str:
    """Measure the effects and write them with their table."""
    config = job.config
    stats = ActivationStats.load(job.upstream["collect"])
    fit = PrecisionPath.load(job.upstream["fit"]) if config.intervene.reads_fit else None
    made = (_of_texts if config.corpora[job.corpus].has_texts else _of_arrays)(job, stats, fit)
    made = replace(made, meta=job.meta(made.meta["metrics"], versions=library_versions()))
    (table,) = job.target.companions
    write_table(table, made.pair_columns(everything=config.intervene.all_pairs))
    job.save(made)
    return one_line(made.metrics)


def _of_texts(job: Job, stats: ActivationStats, fit: PrecisionPath | None) -> Interventions:
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.intervention.texts import choose_texts, intervene_texts

    config = job.config
    name = texts_of(config, job.corpus)
    manifest = manifest_of(config, job.corpus, job.upstream)
    loaded = language_model(job, part_read(config.collect))
    texts = choose_texts(
        loaded,
        lambda: read_documents(name, config.corpora[name], manifest),
        stats if name == job.corpus else None,
        config.collect,
        config.intervene,
        name=name,
    )
    return intervene_texts(
        loaded,
        texts,
        stats,
        fit,
        config.collect,
        config.intervene,
        job.pieces,
        disagreements=_disagreements(job),
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


def _disagreements(job: Job) -> dict[str, tuple[int, int]] | None:
    """Where association and influence of the neurons disagree, if that decides on the sources."""
    ordered = ordered_graph(job.config, job.corpus)
    if ordered is None or not job.config.intervene.reads_disagreement:
        return None
    from glasso_cli.across.disagreement import disagreements

    return disagreements(OrderedGraph.load(ordered), Influence.load(job.upstream["influence"]))


def _of_arrays(job: Job, stats: ActivationStats, fit: PrecisionPath | None) -> Interventions:
    from glasso_cli.intervention.arrays import intervene_arrays
    from glasso_cli.models.modules.configured import configured_network

    config = job.config
    name = texts_of(config, job.corpus)
    network = configured_network(config, name, job.console)
    return intervene_arrays(
        network,
        read_arrays(name, config.corpora[name], network.prepare),
        stats,
        fit,
        config.collect,
        config.intervene,
        job.pieces,
        read=name,
        disagreements=_disagreements(job),
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


STAGE = Stage(
    version=2,
    sections=("model", "corpora", "collect", "fit", "influence", "intervene"),
    after=("collect", "fit", "influence", "synth"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=corpora_changed,
    no_targets=(
        "The configuration has no section `intervene`.",
        "Add one, such as `intervene: {sources: 40}`, or give a value of it: --set intervene.sources=40.",
    ),
    upstream=upstream,
    divided=always,
)
