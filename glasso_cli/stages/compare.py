"""From fitted corpora to the dependencies that differ: every pair of corpora tested, or all fitted at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report.words.comparison import one_line

if TYPE_CHECKING:
    from glasso_cli.comparison.estimates import Corpus

_DRAWN = ("contexts",)  # what only the figures of a comparison read


def targets(config: Config) -> list[str]:
    """One comparison for every pair of corpora, or one of all."""
    return list(config.comparisons)


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The statistics and fits of all corpora compared."""
    return [(stage, corpus) for corpus in config.comparisons[name] for stage in ("collect", "fit")]


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the comparison; how a fit is solved, for the one that is solved anew."""
    fit = public_fields(config.fit)
    return {
        "compare": {name: value for name, value in public_fields(config.compare).items() if name not in _DRAWN},
        "fit": {name: fit[name] for name in ("solver", "tol", "max_iter", "method", "remove_factors")},
        "compared": name,
        "seed": config.seed if config.compare.permutations else None,
    }


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the comparison, the graph of what differs and the tables go."""
    folder = config.folder / "compare"
    endings = ["dot", "edges.csv"]
    if config.compare.method == "differential":
        endings += ["neurons.csv", "communities.csv", "activations.csv", "community-pairs.csv"]
    return folder / f"{name}.npz", tuple(folder / f"{name}.{ending}" for ending in endings)


def make(job: Job) -> str:
    """Compare corpora: the artifact, its graph and its tables."""
    corpora = [_corpus(job, name) for name in job.config.comparisons[job.corpus]]
    if job.config.compare.method == "differential":
        return _pair(job, corpora[0], corpora[1])
    return _joint(job, corpora)


def _corpus(job: Job, name: str) -> Corpus:
    from glasso_cli.comparison.estimates import Corpus

    stats = ActivationStats.load(job.upstream[f"collect/{name}"])
    fit = PrecisionPath.load(job.upstream[f"fit/{name}"])
    return Corpus(name, stats, fit)


def _pair(job: Job, first: Corpus, second: Corpus) -> str:
    from glasso_cli.comparison import pairwise
    from glasso_cli.comparison.run import compare_pair

    config = job.config
    comparison = compare_pair(
        first,
        second,
        config.compare,
        config.fit,
        name=job.corpus,
        seed=config.seed,
        folder=job.pieces,
        reporter=job.console,
    )
    comparison = replace(comparison, meta=job.meta(comparison.meta["metrics"]))
    dot, edges, per_neuron, communities, activations, pairs = job.target.companions
    with atomic_write(dot, "w") as file:
        file.writelines(pairwise.dot_lines(comparison))
    write_table(edges, comparison.edge_columns())
    write_table(per_neuron, comparison.neuron_columns())
    write_table(communities, pairwise.community_columns(comparison))
    write_table(activations, comparison.activation_columns())
    write_table(pairs, comparison.community_pair_columns())
    job.save(comparison)
    return one_line(comparison.metrics)


def _joint(job: Job, corpora: list[Corpus]) -> str:
    from glasso_cli.comparison import joint
    from glasso_cli.comparison.run import compare_jointly

    fit = compare_jointly(corpora, job.config.compare, name=job.corpus, reporter=job.console)
    fit = replace(fit, meta=job.meta(fit.meta["metrics"], below=fit.meta["below"]))
    dot, edges = job.target.companions
    with atomic_write(dot, "w") as file:
        file.writelines(joint.dot_lines(fit))
    write_table(edges, fit.edge_columns())
    job.save(fit)
    return joint.summary(fit.metrics)


STAGE = Stage(
    version=4,
    sections=("fit", "compare"),
    after=("collect", "fit"),
    settings=settings,
    paths=paths,
    make=make,
    targets=targets,
    no_targets=("There is one corpus, and nothing to compare it with.", "Give another under corpora."),
    upstream=upstream,
    divided=lambda config: config.compare.method == "differential" and config.compare.permutations > 0,
)
