"""From statistics to a sparse precision matrix at every alpha, each with its certificate.

A finished alpha is a file, so an interrupted run continues where it was and ends in the same bytes; so does one whose
alphas or selection changed since the last fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli import finished_points, machine, neurons
from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.config import Config, FitSection, public_fields
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.graph import build_graph, to_dot
from glasso_cli.inference.select import Selection, select
from glasso_cli.pipeline import Job
from glasso_cli.solvers.base import alpha_max
from glasso_cli.solvers.components import spanning_tree
from glasso_cli.solvers.memory import check_memory
from glasso_cli.solvers.path import PathPoint, fit_degree, fit_path

VERSION = 2


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
    """Where the path and the graph of the selected alpha go."""
    folder = config.folder / "fit"
    return folder / f"{corpus}.npz", (folder / f"{corpus}.dot",)


def make(job: Job) -> str:
    """Fit one corpus and write the path and the graph of the selected alpha."""
    section = job.config.fit
    stats: ActivationStats = ActivationStats.load(job.upstream["collect"])
    chosen_neurons = choose_neurons(stats, section)
    available = machine.available_memory()
    check_memory(stats.n_neurons, 1, section.solver, available)  # the covariance of all that were collected
    correlation = stats.correlation(chosen_neurons)
    largest = _largest(section, correlation)
    check_memory(len(correlation), largest, section.solver, available, section.penalise_diagonal)
    _warn_isolated(job, section, correlation)
    points = _solve(job, section, correlation)
    n_effective = float(stats.meta["metrics"]["n_effective"]["median"])
    chosen = select(
        points,
        section.rule,
        alpha=section.select.alpha or (section.alpha or (None,))[0],
        target=section.select.target,
        gamma=section.select.gamma,
        n_effective=n_effective,
    )
    if chosen.warning:
        job.console.warn(f"{job.corpus}: {chosen.warning}")
    path = assemble(job, stats, chosen_neurons, correlation, points, chosen)
    dot = job.target.companions[0]
    with atomic_write(dot, "w") as file:
        file.write(dot_text(path))
    path.save(job.target.path)
    return _summary(path.meta["metrics"])


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

    options: dict[str, Any] = {
        "solver": section.solver,
        "tol": section.tol,
        "max_iter": section.max_iter,
        "penalise_diagonal": section.penalise_diagonal,
        "done": done,
        "on_point": keep,
    }
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


def _below(job: Job, points: Sequence[PathPoint], section: FitSection) -> str:
    missed = [point for point in points if not point.converged]
    if not missed:
        return ""
    rows = ", ".join(f"{point.alpha:.4g} (gap {point.duality_gap:.1e})" for point in missed)
    return (
        f"fit {job.corpus}: not converged to a gap of {section.tol:g} nats per neuron at alpha {rows}; "
        "raise fit.max_iter or fit.tol."
    )


# -- the artifact -----------------------------------------------------------------------------------------


def assemble(
    job: Job,
    stats: ActivationStats,
    indices: np.ndarray,
    correlation: np.ndarray,
    points: list[PathPoint],
    chosen: Selection,
) -> PrecisionPath:
    """The points of a path as one artifact."""
    width = len(indices)
    rows, cols, values = (
        np.concatenate([getattr(point, name) for point in points]) for name in ("rows", "cols", "values")
    )
    best = points[chosen.index]
    ids, layers = stats.neuron_ids[indices], stats.layers[indices]
    graph = build_graph(ids, best.rows, best.cols, best.values, best.diagonal, layers, seed=job.config.seed)
    criterion = chosen.criterion
    metrics = {
        "neurons": width,
        "alphas": len(points),
        "alpha": best.alpha,
        "rule": chosen.rule,
        "edges": len(best.rows),
        "mean_degree": 2 * len(best.rows) / width,
        "communities": int(graph.communities.max(initial=-1)) + 1,
        "duality_gap": best.duality_gap,
        "kkt_residual": best.kkt_residual,
        "converged": bool(best.converged),
        "all_converged": all(bool(point.converged) for point in points),
        "solver": job.config.fit.solver,
        "tol": job.config.fit.tol,
        "collect": stats.meta["metrics"],
    }
    ebic = np.full(len(points), np.nan) if criterion is None else np.asarray(criterion)
    return PrecisionPath(
        meta=job.meta(metrics, below=_below(job, points, job.config.fit)),
        neuron_ids=ids,
        layers=layers,
        neurons=indices.astype(np.int32),
        communities=graph.communities.astype(np.int32),
        alphas=np.array([point.alpha for point in points]),
        starts=finished_points.starts(points),
        offsets=np.cumsum([0, *(len(point.rows) for point in points)]),
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        values=values,
        marginals=correlation[rows, cols].astype(np.float32),
        diagonals=np.stack([point.diagonal for point in points]),
        objective=np.array([point.objective for point in points]),
        duality_gap=np.array([point.duality_gap for point in points]),
        kkt_residual=np.array([point.kkt_residual for point in points]),
        n_iter=np.array([point.n_iter for point in points], dtype=np.int32),
        converged=np.array([point.converged for point in points], dtype=bool),
        log_likelihood=np.array([point.log_likelihood for point in points]),
        n_components=np.array([components(point, width) for point in points], dtype=np.int32),
        ebic=ebic,
        selected=np.array(chosen.index),
    )


def components(point: PathPoint, width: int) -> int:
    """Connected components of the graph at one alpha, isolated neurons included."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(point.rows)), (point.rows, point.cols)), shape=(width, width))
    return int(connected_components(links, directed=False, return_labels=False))


def dot_text(path: PrecisionPath) -> str:
    """The Graphviz text of the selected graph."""
    rows, cols, _ = path.edges()
    index = int(path.selected)
    part = slice(int(path.offsets[index]), int(path.offsets[index + 1]))
    graph = build_graph(
        path.neuron_ids,
        rows,
        cols,
        path.values[part],
        path.diagonals[index],
        path.layers,
        communities=path.communities,
    )
    return to_dot(graph, key=path.meta["key"], title=path.meta["corpus"])


def _summary(metrics: dict[str, Any]) -> str:
    return (
        f"{metrics['edges']:,} edges among {metrics['neurons']:,} neurons at alpha {metrics['alpha']:.4g} "
        f"(rule {metrics['rule']}, {metrics['mean_degree']:.1f} per neuron, certified gap "
        f"{metrics['duality_gap']:.1e} nats per neuron)"
    )
