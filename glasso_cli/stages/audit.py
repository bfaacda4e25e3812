"""From measured effects to how well every score of pairs predicts them, and to what each score may claim."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import ActivationStats, Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
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
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model
from glasso_cli.pipeline.ordered import ordered_graph, pin_ordered
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report.words.audit import one_line

if TYPE_CHECKING:
    from glasso_cli.auditing.run import Network


def scores_of(config: Config, corpus: str) -> str:
    """The corpus whose texts the scores come from."""
    return config.audit.scores_from or corpus


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The statistics, also those that scores come from; the effects, and texts on a topic."""
    read = dict.fromkeys((corpus, scores_of(config, corpus)))
    return [*(("collect", name) for name in read), ("intervene", corpus), *written_texts(config, corpus)]


def used(config: Config, corpus: str) -> list[tuple[str, str]]:
    """Graphs and influence of the texts that scores come from, and the effects on these texts if they are others."""
    name = scores_of(config, corpus)
    return [("fit", name), ("influence", name), *([("intervene", name)] if name != corpus else [])]


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the tables, beside what decides the effects."""
    texts = {"corpus": texts_of(config, corpus), "tokens": config.intervene.tokens}
    section = public_fields(config.audit)
    if scores_of(config, corpus) == corpus:
        del section["scores_from"]  # the same tables as without it
    return {
        "audit": section,
        "read": texts,
        **settings_of_texts(config, corpus),
        "seed": config.seed,
    }


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model, the texts, and the ordered graph, if it was made."""
    name = scores_of(config, corpus)
    ordered = ordered_graph(config, name)
    made = ordered is not None and ordered.exists()
    return {**pins_of_texts(config, corpus), **(pin_ordered(config, name) if made else {})}


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the audit and its tables go."""
    folder = config.folder / "audit"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.csv", folder / f"{corpus}.predicted.csv")


def make(job: Job) -> str:
    """Judge all scores and write the tables."""
    from glasso_cli.auditing.run import Inputs, audit_of
    from glasso_cli.auditing.transfer import OtherTexts

    config, name = job.config, scores_of(job.config, job.corpus)
    fitted, influenced = (_of_scores(job, stage) for stage in ("fit", "influence"))
    ordered = ordered_graph(config, name)
    other = None
    if name != job.corpus:
        measured = _of_scores(job, "intervene")
        own = ActivationStats.load(job.upstream["collect"])
        other = OtherTexts(name, own, Interventions.load(measured) if measured else None)
    inputs = Inputs(
        stats=ActivationStats.load(job.upstream["collect" if other is None else f"collect/{name}"]),
        interventions=Interventions.load(job.upstream["intervene"]),
        fit=PrecisionPath.load(fitted) if fitted else None,
        ordered=OrderedGraph.load(ordered) if fitted and ordered is not None else None,
        influence=Influence.load(influenced) if influenced else None,
        transformed=config.collect.transform != "none",
        other=other,
    )
    with (_texts if config.corpora[job.corpus].has_texts else _arrays)(job, inputs) as network:
        made = audit_of(
            inputs,
            network,
            config.audit,
            model=config.model.name.removeprefix("builtin:"),
            name=job.corpus,
            seed=config.seed,
            reporter=job.console,
            folder=job.pieces,
        )
    made = replace(made, meta=job.meta(made.meta["metrics"]))
    table, predictions = job.target.companions
    write_table(table, made.score_columns())
    write_table(predictions, made.predicted_columns())
    job.save(made)
    return one_line(made.metrics)


def _of_scores(job: Job, stage: str) -> Path | None:
    """The artifact of ``stage`` that scores come from, if it is up to date."""
    name = scores_of(job.config, job.corpus)
    return job.upstream.get(stage if name == job.corpus else f"{stage}/{name}")


@contextmanager
def _texts(job: Job, inputs: Any) -> Iterator[Network]:
    from glasso_cli.auditing.texts import network_of_texts
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.intervention.texts import choose_texts

    config, name = job.config, texts_of(job.config, job.corpus)
    manifest = manifest_of(config, job.corpus, job.upstream)
    loaded = language_model(job, part_read(config.collect))
    texts = choose_texts(
        loaded,
        lambda: read_documents(name, config.corpora[name], manifest),
        inputs.measured_stats if name == job.corpus else None,
        config.collect,
        config.intervene,
        name=name,
    )
    with network_of_texts(loaded, texts, inputs.stats, inputs.interventions, config.collect, job.console) as network:
        yield network


@contextmanager
def _arrays(job: Job, inputs: Any) -> Iterator[Network]:
    from glasso_cli.auditing.texts import network_of_items
    from glasso_cli.models.modules.configured import configured_network

    config, name = job.config, texts_of(job.config, job.corpus)
    network = configured_network(config, name, job.console)
    with network_of_items(
        network,
        read_arrays(name, config.corpora[name], network.prepare),
        inputs.measured_stats,
        inputs.interventions,
        config.collect,
        config.intervene,
        own=name == job.corpus,
        seed=config.seed,
    ) as read:
        yield read


STAGE = Stage(
    version=1,
    sections=("model", "corpora", "collect", "intervene", "audit"),
    after=("collect", "intervene", "synth"),
    uses=("fit", "influence"),
    used=used,
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=corpora_changed,
    no_targets=(
        "The configuration has no section `intervene`, so there are no effects to judge by.",
        "Add one, such as `intervene: {sources: 40}`, or give a value of it: --set intervene.sources=40.",
    ),
    upstream=upstream,
)
