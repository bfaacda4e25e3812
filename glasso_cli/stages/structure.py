"""From a fit to scores of its neurons in the graph, with errors over documents. No model is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.pipeline.units import Pieces
from glasso_cli.report.words.structure import one_line


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the scores, beside what decides the fit."""
    return {"structure": public_fields(config.structure), "seed": config.seed}


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the scores and the tables of neurons and communities go."""
    folder = config.folder / "structure"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.neurons.csv", folder / f"{corpus}.communities.csv")


def make(job: Job) -> str:
    """Score the neurons of one fit and write the scores, and the tables of neurons and communities."""
    from glasso_cli.scoring.structure.assemble import structure_artifact
    from glasso_cli.scoring.structure.scores import structure_scores

    config = job.config
    stats, fit = ActivationStats.load(job.upstream["collect"]), PrecisionPath.load(job.upstream["fit"])
    found = structure_scores(
        stats,
        fit,
        config.fit,
        subsets=config.structure.subsets,
        seed=config.seed,
        pieces=Pieces(job.pieces, "structure-subsets", 1, job.console),
        name=job.corpus,
    )
    blocks = int((stats.counts > 0).sum())
    made = structure_artifact(found, fit, stats.n_effective, blocks, job.corpus)
    made = replace(made, meta=job.meta(made.meta["metrics"]))
    neurons, communities = job.target.companions
    write_table(neurons, made.neuron_columns())
    write_table(communities, made.community_columns())
    job.save(made)
    return one_line(made.metrics)


STAGE = Stage(
    version=1,
    sections=("collect", "fit", "structure"),
    after=("collect", "fit"),
    settings=settings,
    paths=paths,
    make=make,
    divided=lambda config: config.structure.subsets > 0,
    unasked=lambda config: "structure" in config.model_fields_set,
)
