"""From statistics to a sparse precision matrix at every alpha, each with its certificate.

A finished alpha is a file, so an interrupted run continues where it was and ends in the same bytes; so does one whose
alphas or selection changed since the last fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics import FitMetrics
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, FitSection, neurons, public_fields
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.fit import edge_table, finished_points
from glasso_cli.fit.assemble import Findings, assemble, dot_text
from glasso_cli.fit.sample_curves import Resamples
from glasso_cli.fit.tested_edges import tested_point
from glasso_cli.inference.blocks import Blocks, check_blocks
from glasso_cli.inference.factors import Factors, leading_factors
from glasso_cli.inference.select import select
from glasso_cli.pipeline.job import Job
from glasso_cli.report.words.labels import fewer_tokens_than_neurons
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.components import spanning_tree
from glasso_cli.solvers.degree import fit_degree
from glasso_cli.solvers.memory import check_memory
from glasso_cli.solvers.path import PathPoint
from glasso_cli.solvers.problem import alpha_max

VERSION = 4
_FACTORS = 5  # leading components that are always reported
_MUCH = 0.5  # of the squared correlations in them is worth a warning


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the path, with the selection rule spelled out."""
    section = public_fields(config.fit)
    section["select"]["rule"] = config.fit.rule
    section["neurons"] = neurons.without_path(config.fit.neurons)
    return {"fit": section, "seed": config.seed}  # the seed finds the communities


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """The digest of the file of neuron ids, if there is one."""
    return neurons.pin(config.fit.neurons)


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the path, the graph of the selected alpha and the table of its edges go."""
    folder = config.folder / "fit"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.dot", folder / f"{corpus}.edges.csv")


def make(job: Job) -> str:
    """Fit one corpus and write the path, the table of its edges and the graph of the selected alpha."""
    section = job.config.fit
    stats = ActivationStats.load(job.upstream["collect"])
    chosen_neurons = choose_neurons(stats, section)
    available = machine.available_memory()
    check_memory(stats.n_neurons, 1, section.solver, available)  # the covariance of all that were collected
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, chosen_neurons)
    _check_resampling(blocks, section)
    factors, removed, correlation = _without_factors(job, blocks)
    if removed is not None:
        blocks = blocks.without(removed)
    largest = _largest(section, correlation)
    check_memory(len(correlation), largest, section.solver, available)
    _warn_isolated(job, section, correlation)
    points = _solve(job, section, correlation)
    resamples = Resamples(job, chosen_neurons, removed, blocks.filled, memory=available, largest=largest)
    n_effective = stats.n_effective
    chosen = select(
        points,
        section.rule,
        alpha=section.select.alpha or (section.alpha or (None,))[0],
        target=section.select.target,
        gamma=section.select.gamma,
        n_effective=n_effective,
        threshold=section.select.instability,
        **resamples.curves([point.alpha for point in points]),
    )
    if chosen.warning:
        job.console.warn(f"{job.corpus}: {chosen.warning}")
    _warn_few(job, n_effective, len(correlation))
    best = points[chosen.index]
    found = Findings(
        neurons=chosen_neurons,
        correlation=correlation,
        points=points,
        chosen=chosen,
        tested=tested_point(best, correlation, stats, blocks, section),
        stability=resamples.stability(best),
        factors=factors,
    )
    below = _below(job, points, section)
    path = assemble(lambda metrics: job.meta(metrics, below=below), section, job.config.seed, stats, found)
    dot, table = job.target.companions
    with atomic_write(dot, "w") as file:
        file.write(dot_text(path))
    write_table(table, edge_table.columns(path))
    path.save(job.target.path)
    return _summary(path.metrics)


def _check_resampling(blocks: Blocks, section: FitSection) -> None:
    """Raise :class:`InputError` when there are too few blocks for what the configuration asks for."""
    wanted = {
        f"fit.variance: {section.variance}": section.variance != "normal",
        "fit.half_samples": section.half_samples > 0,
        f"fit.select.rule: {section.rule}": section.rule in ("cv", "stars"),
    }
    for name, needed in wanted.items():
        if needed:
            check_blocks(len(blocks.filled), name)


# -- the neurons ----------------------------------------------------------------------------------------


def choose_neurons(stats: ActivationStats, section: FitSection) -> np.ndarray:
    """Indices of the neurons to fit, increasing; dead and duplicate ones are never among them."""
    usable = stats.usable()
    wanted = section.neurons
    if isinstance(wanted, int):
        order = np.argsort(-stats.std[usable], kind="stable")[:wanted]
        usable = np.sort(usable[order])
    elif (ids := neurons.wanted_ids(wanted)) is not None:
        usable = np.intersect1d(usable, neurons.indices_of(ids, stats.neuron_ids.tolist()))
    if len(usable) == 0:
        raise InputError(
            "No neuron is left to fit: all are dead, duplicates, or not among fit.neurons.",
            "Give other fit.neurons, or collect more text.",
        )
    return usable


# -- the path -------------------------------------------------------------------------------------------


def _solve(job: Job, section: FitSection, correlation: np.ndarray) -> list[PathPoint]:
    """All alphas asked for, and those that the search for a degree adds; finished ones are taken as they are."""
    problem = finished_points.problem_of(job.target.material)
    done = finished_points.of_pieces(job.pieces, problem)
    if job.previous is not None:
        done += finished_points.of_artifact(job.previous, problem)
    solved = []

    def keep(point: PathPoint) -> None:
        finished_points.save_piece(job.pieces, point, problem)
        solved.append(point.chain)
        job.console.note(
            f"fit {job.corpus}: alpha {point.alpha:.4g}, {len(point.rows):,} edges, "
            f"gap {point.duality_gap:.1e}, {point.n_iter} iterations"
        )

    options: dict[str, Any] = {**section.solving, "done": done, "on_point": keep}
    points: list[PathPoint] = []
    if section.alpha is not None:
        points = fit_path(correlation, section.alpha, **options)
    if section.rule == "degree":
        points = fit_degree(correlation, section.select.target, grid=points, **options)
    if len(solved) < len(points):
        taken = len(points) - len(solved)
        job.console.note(f"fit {job.corpus}: {taken} of {len(points)} alphas taken from the last fit")
    return points


def _largest(section: FitSection, correlation: np.ndarray) -> int:
    """Neurons in the largest component at the smallest alpha; a search for a degree may connect all."""
    if section.rule == "degree" or section.alpha is None:
        return len(correlation)
    return spanning_tree(correlation).largest(min(section.alpha))


def _warn_isolated(job: Job, section: FitSection, correlation: np.ndarray) -> None:
    top = alpha_max(correlation)
    over = [alpha for alpha in section.alpha or () if alpha >= top]
    if over:
        job.console.warn(
            f"{job.corpus}: at alpha {', '.join(f'{a:g}' for a in over)} every neuron is isolated; "
            f"the strongest correlation is {top:.4g}, so edges begin below that."
        )


def _without_factors(job: Job, blocks: Blocks) -> tuple[Factors | None, Factors | None, np.ndarray]:
    """The leading components of the correlation, those taken out of it, and what is fitted ``(p, p)``."""
    wanted = job.config.fit.remove_factors
    correlation = blocks.correlation()
    p = len(correlation)
    if wanted >= p:
        raise InputError(f"{wanted} factors cannot be taken out of {p} neurons.", "Lower fit.remove_factors.")
    if p < 2:
        return None, None, correlation
    factors = leading_factors(correlation, max(wanted, min(_FACTORS, p - 1)))
    if wanted:
        removed = factors.first(wanted)
        return factors, removed, blocks.without(removed).correlation()
    if factors.share > _MUCH and p > 2 * _FACTORS:
        job.console.warn(
            f"{job.corpus}: {len(factors.variances)} directions carry {100 * factors.share:.0f} % of the squared "
            "correlations; a sparse graph spends edges on them. Compare with fit.method: latent (up to 1,000 neurons) or "
            "fit.remove_factors."
        )
    return factors, None, correlation


def _warn_few(job: Job, n_effective: float, p: int) -> None:
    if few := fewer_tokens_than_neurons(n_effective, p):
        job.console.warn(
            f"{job.corpus}: {few}: error bars are too small, and only edges that come back in most half-samples "
            "(frequency) can be trusted. Collect more text, or fit fewer neurons."
        )


def _below(job: Job, points: Sequence[PathPoint], section: FitSection) -> str:
    missed = [point for point in points if not point.converged]
    if not missed:
        return ""
    rows = ", ".join(f"{point.alpha:.4g} (gap {point.duality_gap:.1e})" for point in missed)
    return (
        f"fit {job.corpus}: not converged to a gap of {section.tol:g} nats per neuron at alpha {rows}; "
        "raise fit.max_iter or fit.tol."
    )


# -- what is said ---------------------------------------------------------------------------------------


def _summary(metrics: FitMetrics) -> str:
    rules = {"fdr": metrics.dropped.fdr, "min_effect": metrics.dropped.min_effect}
    dropped = ", ".join(f"{count:,} by fit.{rule}" for rule, count in rules.items() if count)
    without = f", of {metrics.edges_at_alpha:,} less {dropped}" if dropped else ""
    return (
        f"{metrics.edges:,} edges among {metrics.neurons:,} neurons at alpha {metrics.alpha:.4g} "
        f"(rule {metrics.rule}, {metrics.mean_degree:.1f} per neuron{without}; certified gap "
        f"{metrics.duality_gap:.1e} nats per neuron)"
    )
