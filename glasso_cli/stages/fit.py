"""From statistics to a sparse precision matrix at every alpha, each with its certificate.

A finished alpha is a file, so an interrupted run continues where it was and ends in the same bytes; so does one whose
alphas or selection changed since the last fit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import ActivationStats, OrderedGraph
from glasso_cli.artifacts.metrics import FitMetrics
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, neurons, public_fields
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report.words.fit import carried_in_words


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the path, with the selection rule spelled out."""
    section = public_fields(config.fit)
    section["select"]["rule"] = config.fit.rule
    section["neurons"] = neurons.without_path(config.fit.neurons)
    if config.fit.order == "none":
        del section["order"]  # nothing is added to the fit
    return {"fit": section, "seed": config.seed}  # the seed finds the communities


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """The digest of the file of neuron ids, if there is one."""
    return neurons.pin(config.fit.neurons)


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the path, the graph of the selected alpha and the table of its edges go, and the same of an ordered graph."""
    folder = config.folder / "fit"
    endings = ["dot", "edges.csv"]
    if config.fit.order == "layers":
        endings += ["ordered.npz", "ordered.dot", "ordered.edges.csv"]
    return folder / f"{corpus}.npz", tuple(folder / f"{corpus}.{ending}" for ending in endings)


def make(job: Job) -> str:
    """Fit one corpus and write the path, the table of its edges and the graph of the selected alpha."""
    from glasso_cli.engine.pool import Pool
    from glasso_cli.fitting.assemble import dot_text
    from glasso_cli.fitting.finished_points import problem_of, problem_of_parts
    from glasso_cli.fitting.ordered.run import check_layers
    from glasso_cli.fitting.pieces import Pieces
    from glasso_cli.fitting.run import fit_corpus, shortfall

    section, statistics = job.config.fit, job.upstream["collect"]
    stats = ActivationStats.load(statistics)
    if section.order == "layers":
        check_layers(stats, section)  # before hours of fitting
    team = job.shared.entered_once("processes that fit", Pool)  # resamples of all corpora
    problem = (problem_of_parts if stats.keeps_values else problem_of)(job.target.material)
    pieces = Pieces(job.pieces, problem, statistics, job.previous, team)
    fit = fit_corpus(stats, section, name=job.corpus, seed=job.config.seed, reporter=job.console, pieces=pieces)
    metrics = fit.meta["metrics"]
    below, ordered = shortfall(job.corpus, section, fit), ""
    dot, table, *of_layers = job.target.companions
    if of_layers:
        graph = _write_ordered(job, stats, fit.metrics.alpha, *of_layers)
        ordered = f"; {graph.metrics.edges:,} edges between layers"
        below = "; ".join(text for text in (below, graph.meta["below"]) if text)
    fit = replace(fit, meta=job.meta(metrics, below=below))
    with atomic_write(dot, "w") as file:
        file.write(dot_text(fit))
    write_table(table, fit.edge_columns())
    job.save(fit)
    return _summary(fit.metrics) + ordered


def _write_ordered(job: Job, stats: ActivationStats, alpha: float, path: Path, dot: Path, table: Path) -> OrderedGraph:
    """Write the ordered graph and what lies beside it; ``alpha`` is that of the fit."""
    from glasso_cli.fitting.ordered.assemble import dot_text
    from glasso_cli.fitting.ordered.run import fit_layers, ordered_shortfall

    section = job.config.fit
    graph = fit_layers(stats, section, name=job.corpus, reporter=job.console, alpha_of_fit=alpha)
    graph = replace(graph, meta=job.meta(graph.meta["metrics"], below=ordered_shortfall(job.corpus, section, graph)))
    with atomic_write(dot, "w") as file:
        file.write(dot_text(graph))
    write_table(table, graph.edge_columns())
    graph.save(path)
    return graph


def _summary(metrics: FitMetrics) -> str:
    rules = {"fdr": metrics.dropped.fdr, "min_effect": metrics.dropped.min_effect}
    dropped = ", ".join(f"{count:,} by fit.{rule}" for rule, count in rules.items() if count)
    without = f", of {metrics.edges_at_alpha:,} less {dropped}" if dropped else ""
    hidden = carried_in_words(metrics) if metrics.hidden_factors else ""
    return (
        f"{metrics.edges:,} edges among {metrics.neurons:,} neurons at alpha {metrics.alpha:.4g} "
        f"(rule {metrics.rule}, {metrics.mean_degree:.1f} per neuron{without}; certified gap "
        f"{metrics.duality_gap:.1e} nats per neuron){'; ' if hidden else ''}{hidden}"
    )


STAGE = Stage(
    version=8,
    sections=("fit",),
    after=("collect",),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
)
