"""From a network and texts to scores of its neurons: attribution, exact ablation, and curves that judge them.

A finished part is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import PrecisionPath, Scores, Structure
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.corpora.arrays import pin_documents, read_arrays
from glasso_cli.corpora.documents import read_documents
from glasso_cli.models.modules.code import code_digest
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model, pin_model
from glasso_cli.pipeline.stage import Stage, always
from glasso_cli.report.words.scores import one_line

if TYPE_CHECKING:
    from glasso_cli.scoring.assemble import Known

_BY_CONTENT = ("files", "arrays", "images")


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The texts of a topic; means and spreads are measured here."""
    return [("synth", corpus)] if config.corpora[corpus].topic is not None else []


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the scores."""
    texts, collect = public_fields(config.corpora[corpus]), public_fields(config.collect)
    for name in _BY_CONTENT:
        texts.pop(name)
    read = ("max_length", "mask", "axes", "blocks", *(() if config.score.hook_points else ("hook_points",)))
    return {
        "score": public_fields(config.score),
        "texts": {**texts, "source": config.corpora[corpus].source},
        "collect": {name: collect[name] for name in read},
        "dtype": config.model.dtype,
        "seed": config.seed,
    }


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model, the texts and the code of the scalar."""
    model, texts = config.model, config.corpora[corpus]
    found: dict[str, Any] = {
        "model": pin_model(model),
        "texts": pin_documents(corpus, texts),
    }
    if config.score.code:
        found["scalar"] = {name: code_digest(name, "score.scalar") for name in config.score.code}
    return found


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the scores and the tables of neurons and communities go."""
    folder = config.folder / "score"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.neurons.csv", folder / f"{corpus}.communities.csv")


def make(job: Job) -> str:
    """Score the neurons on one corpus and write the scores, and the tables of neurons and communities."""
    from glasso_cli.scoring.circuit import community_columns

    made = (_of_texts if job.config.corpora[job.corpus].has_texts else _of_arrays)(job, _known(job))
    made = replace(made, meta=job.meta(made.meta["metrics"], versions=_versions()))
    neurons, communities = job.target.companions
    write_table(neurons, made.neuron_columns())
    write_table(communities, community_columns(made))
    job.save(made)
    return one_line(made.metrics)


def _known(job: Job) -> Known:
    """What other stages say of the neurons, where their artifacts are up to date."""
    from glasso_cli.scoring.assemble import Known

    communities: dict[str, int] = {}
    if "fit" in job.upstream:
        fit = PrecisionPath.load(job.upstream["fit"])
        communities = dict(zip(fit.neuron_ids.tolist(), fit.communities.tolist()))
    structure = Structure.load(job.upstream["structure"]).by_neuron() if "structure" in job.upstream else {}
    return Known(communities, structure)


def _of_texts(job: Job, known: Known) -> Scores:
    from glasso_cli.hooks.parts import part_named
    from glasso_cli.scoring.texts import score_texts, scored_points

    config = job.config
    return score_texts(
        language_model(job, part_named(scored_points(config.collect, config.score))),
        read_documents(job.corpus, config.corpora[job.corpus], job.upstream.get("synth")),
        config.collect,
        config.score,
        known,
        job.pieces,
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


def _of_arrays(job: Job, known: Known) -> Scores:
    from glasso_cli.models.modules.configured import configured_network
    from glasso_cli.scoring.arrays import score_arrays

    config = job.config
    network = configured_network(config, job.corpus, job.console)
    return score_arrays(
        network,
        read_arrays(job.corpus, config.corpora[job.corpus], network.prepare),
        config.collect,
        config.score,
        known,
        job.pieces,
        name=job.corpus,
        seed=config.seed,
        reporter=job.console,
    )


def _versions() -> dict[str, str]:
    import torch
    import transformers

    return {"torch": torch.__version__, "transformers": transformers.__version__}


STAGE = Stage(
    version=2,
    sections=("model", "corpora", "collect", "score"),
    after=("synth",),
    uses=("fit", "structure"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    upstream=upstream,
    divided=always,
    unasked=lambda config: "score" in config.model_fields_set or config.pathways.to == "scalar",
)
