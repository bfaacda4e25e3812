"""From documents to statistics: one pass of the model over each corpus, block by block.

A finished block is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts.metrics import CollectMetrics
from glasso_cli.config import Config, neurons, public_fields
from glasso_cli.config.sections.corpora import ARRAY_SOURCES, IMAGES_ONLY
from glasso_cli.config.sections.model import TORCH_ONLY
from glasso_cli.corpora.arrays import pin_documents, read_arrays
from glasso_cli.corpora.documents import read_documents
from glasso_cli.models.dictionaries.source import pin_dictionary
from glasso_cli.models.source import library_versions
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model, pin_model
from glasso_cli.pipeline.stage import Stage, always

if TYPE_CHECKING:
    from glasso_cli.artifacts import ActivationStats
    from glasso_cli.artifacts.npz import Chunked


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the statistics; files and folders are known by content, not by path."""
    model, documents = public_fields(config.model), public_fields(config.corpora[corpus])
    section = public_fields(config.collect)
    documents.pop("files")
    section["neurons"] = neurons.without_path(config.collect.neurons)
    if config.collect.sae.file is None:  # a key of neurons says nothing of dictionaries
        section.pop("sae")
    else:
        section.pop("hook_points")
        section["sae"] |= {"file": "a dictionary", "hook_point": config.collect.sae_hook_point}
        if config.collect.sae.moments == "auto":  # nothing changes up to 16,384 latents
            section["sae"].pop("moments")
    if config.model.id is not None and Path(config.model.id).is_dir():
        model["id"] = "a local folder"
    if not config.corpora[corpus].has_texts:
        documents["source"] = config.corpora[corpus].source
        for name in ("arrays", "images"):
            documents.pop(name)
        if config.model.weights is not None:
            model["weights"] = "a file"
        if config.model.kind == "hf":
            documents["prepared_by_corpus"] = config.corpora[corpus].is_prepared
        # "crops" sets the keys apart from those of before arrays had contexts.
        return {"model": model, "corpus": documents, "collect": section, "seed": config.seed, "crops": 1}
    # What is only for other networks is no part of the key of a language model.
    for name in ("kind", *TORCH_ONLY):
        model.pop(name)
    for name in (*ARRAY_SOURCES, "image", *IMAGES_ONLY):
        documents.pop(name)
    for name in ("positions", "axes"):
        section.pop(name)
    section["mask"].pop("border")
    return {"model": model, "corpus": documents, "collect": section, "seed": config.seed}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model, the texts, the file of neuron ids and the dictionary."""
    model, documents = config.model, config.corpora[corpus]
    return {
        "model": pin_model(model),
        "corpus": pin_documents(corpus, documents),
        **neurons.pin(config.collect.neurons),
        **_dictionary(config),
    }


def _dictionary(config: Config) -> dict[str, Any]:
    sae = config.collect.sae
    return (
        {} if sae.file is None else {"sae": pin_dictionary(Path(sae.file), config.collect.sae_hook_point, sae.output)}
    )


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the statistics go."""
    return config.folder / "collect" / f"{corpus}.npz", ()


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The texts of a topic are written by ``synth``; other corpora need nothing before."""
    return [("synth", corpus)] if config.corpora[corpus].topic is not None else []


def make(job: Job) -> str:
    """Collect the statistics of one corpus and write them."""
    stats, stored = _collect_texts(job) if job.config.corpora[job.corpus].has_texts else _collect_arrays(job)
    job.save(replace(stats, meta=job.meta(stats.meta["metrics"], versions=library_versions())), **stored)
    return _summary(stats.metrics)


def _collect_texts(job: Job) -> tuple[ActivationStats, dict[str, Chunked]]:
    from glasso_cli.collection.run import collect_to_disk
    from glasso_cli.hooks.parts import part_read

    return collect_to_disk(
        language_model(job, part_read(job.config.collect)),
        read_documents(job.corpus, job.config.corpora[job.corpus], job.upstream.get("synth")),
        job.config.collect,
        job.pieces,
        name=job.corpus,
        seed=job.config.seed,
        reporter=job.console,
        shared=job.shared,
    )


def _collect_arrays(job: Job) -> tuple[ActivationStats, dict[str, Chunked]]:
    from glasso_cli.collection.modules.run import collect_arrays_to_disk
    from glasso_cli.models.modules.configured import configured_network

    corpus = job.config.corpora[job.corpus]
    network = configured_network(job.config, job.corpus, job.console)
    return collect_arrays_to_disk(
        network,
        read_arrays(job.corpus, corpus, network.prepare),
        job.config.collect,
        job.pieces,
        name=job.corpus,
        seed=job.config.seed,
        reporter=job.console,
    )


def _summary(metrics: CollectMetrics) -> str:
    return (
        f"{metrics.tokens.kept:,} {metrics.sample}s of {metrics.neurons:,} neurons "
        f"(masked: {metrics.tokens.masked()}; effectively independent: {metrics.n_effective.median:,.0f})"
    )


STAGE = Stage(
    version=5,
    sections=("model", "corpora", "collect"),
    after=("synth",),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    upstream=upstream,
    divided=always,
    more_units="collect.blocks",
)
