"""What the page shows of paths through the layers: the most important neurons, the strongest edges, and the listed paths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.metrics.pathways import ScalarReached
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.report.explorer.view import PathwayView
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count, short_labels
from glasso_cli.report.words.pathways import edge_words, exit_words, path_words, product_words, trial_words, unit_words
from glasso_cli.report.words.scores import SCALARS

MOST_EDGES = 4_000  # and those of the listed paths
MOST_PATHS = 500
MOST_TOP = 200  # neurons by importance


@dataclass(frozen=True, eq=False)
class _Edges:
    """m neurons, and the E edges between them that the page has: those of paths, and the strongest."""

    ids: np.ndarray  # (m,)
    layers: np.ndarray  # (m,)
    sources: np.ndarray  # (E,)
    targets: np.ndarray  # (E,)
    weights: np.ndarray  # (E,)
    errors: np.ndarray  # (E,)
    total: int  # with those that are left out
    words: str

    @classmethod
    def strongest(
        cls,
        neurons: tuple[np.ndarray, np.ndarray],
        ends: tuple[np.ndarray, np.ndarray],
        weights: np.ndarray,
        errors: np.ndarray,
        words: str,
        wanted: np.ndarray | None = None,
    ) -> _Edges:
        """The strongest edges from strong to weak, and those ``wanted (E,)`` bool."""
        order = np.argsort(-np.abs(weights), kind="stable")
        first = np.arange(len(order)) < MOST_EDGES
        chosen = order[first] if wanted is None else order[first | wanted[order]]
        kept = (ends[0][chosen], ends[1][chosen], weights[chosen], errors[chosen])
        return cls(*neurons, *kept, len(weights), words)


def pathways_of(study: Study) -> PathwayView | None:
    """The view of the paths and of the scores; None where neither was made."""
    if study.pathways is None and study.scores is None:
        return None
    edges, paths = _edges(study), _paths(study.pathways)
    ids, layers, ranks, importance = _neurons(study, edges, paths)
    place = {name: number for number, name in enumerate(ids)}
    of_graph = np.array([place.get(str(name), -1) for name in edges.ids.tolist()], np.int64)
    fitted = {str(name): number for number, name in enumerate(study.fit.neuron_ids.tolist())}
    neurons = np.array([fitted.get(name, -1) for name in ids], np.int64)
    collected = dict(zip(study.collected.ids.tolist(), study.collected_names.texts))
    labels = [
        study.labels[neuron] if neuron >= 0 else label for neuron, label in zip(neurons, short_labels(ids, layers))
    ]
    made, effects = study.pathways, np.empty((4, 0))
    if made is not None:
        effects = _effects(made, len(paths))
    found = PathwayView(
        ids=ids,
        labels=labels,
        names=[collected.get(name, "") for name in ids],
        layers=layers,
        neurons=neurons,
        ranks=ranks,
        importance=importance,
        sources=of_graph[edges.sources],
        targets=of_graph[edges.targets],
        weights=edges.weights,
        errors=edges.errors,
        paths=np.where(paths >= 0, of_graph[np.maximum(paths, 0)], -1) if paths.size else paths,
        effects=effects[0],
        effect_errors=effects[1],
        through=effects[2],
        through_errors=effects[3],
        words=_words(study, edges, len(paths)),
    )
    return found if made is None or made.metrics.scalar is None else _with_scalar(found, made, made.metrics.scalar)


# -- edges ------------------------------------------------------------------------------------------------


def _edges(study: Study) -> _Edges:
    """Those of the paths where there are paths; else influence where it was found, else association."""
    if study.pathways is not None:
        return _of_paths(study.pathways)
    across = study.across
    column = None if across is None else across.influence or across.association
    if across is None or column is None:
        return _of_fit(study)
    found = np.flatnonzero(column.found)
    words = edge_words("influence" if across.influence is not None else "partial correlation")
    ends = (across.sources[found], across.targets[found])
    neurons = (study.collected.ids, study.collected.layers)
    return _Edges.strongest(neurons, ends, column.value[found], column.error[found], words)


def _of_paths(made: Pathways) -> _Edges:
    on_paths = {pair for number in range(min(len(made.paths), MOST_PATHS)) for pair in zip(*_steps(made.path(number)))}
    wanted = np.array([pair in on_paths for pair in zip(made.sources.tolist(), made.targets.tolist())], bool)
    weights = made.weights * pair_signs(made.orientation, made.sources, made.targets)
    neurons, ends = (made.neuron_ids, made.layers), (made.sources, made.targets)
    return _Edges.strongest(neurons, ends, weights, made.errors, edge_words(made.metrics.graph), wanted)


def _steps(path: list[int]) -> tuple[list[int], list[int]]:
    return path[:-1], path[1:]


def _of_fit(study: Study) -> _Edges:
    """The edges of the fitted graph between layers, from the earlier to the later one."""
    fit, (rows, cols, _) = study.fit, study.edges
    between = np.flatnonzero(fit.layers[rows] != fit.layers[cols])
    rows, cols = rows[between], cols[between]
    turned = fit.layers[rows] > fit.layers[cols]
    ends = (np.where(turned, cols, rows), np.where(turned, rows, cols))
    weights, errors = (study.tested(name)[between] for name in ("debiased", "standard_error"))
    return _Edges.strongest((fit.neuron_ids, fit.layers), ends, weights, errors, edge_words("partial correlation"))


# -- paths ------------------------------------------------------------------------------------------------


def _paths(made: Pathways | None) -> np.ndarray:
    """The paths of the page as neurons of the graph, ``(K, M)``."""
    return np.empty((0, 0), np.int64) if made is None else np.asarray(made.paths[:MOST_PATHS], np.int64)


def _effects(made: Pathways, amount: int) -> np.ndarray:
    """Products, errors, measured effects through the middle and their errors, ``(4, K)``, oriented as in the tables."""
    columns = made.path_columns()
    missing = np.full(len(made.paths), np.nan)
    names = ("effect", "standard_error", "through", "through_standard_error")
    return np.stack([np.asarray(columns.get(name, missing), dtype=float)[:amount] for name in names])


def _with_scalar(found: PathwayView, made: Pathways, scalar: ScalarReached) -> PathwayView:
    """The view with the scalar as the end of every path, and the edges to it from the last neurons of the paths."""
    end, rows = len(found.ids), np.arange(len(found.paths))
    lengths = (found.paths >= 0).sum(axis=1)
    paths = np.pad(found.paths, ((0, 0), (0, 1)), constant_values=-1)
    last = paths[rows, lengths - 1]
    paths[rows, lengths] = end
    leaves, first = np.unique(last, return_index=True)
    exits = np.array([made.path(number)[-1] for number in first.tolist()], np.int64)
    after = int(found.layers.max()) + 1
    return replace(
        found,
        ids=[*found.ids, scalar.scalar],
        labels=[*found.labels, scalar.scalar],
        names=[*found.names, ""],
        layers=np.append(found.layers, after),
        neurons=np.append(found.neurons, -1),
        ranks=np.append(found.ranks, 0),
        importance=np.append(found.importance, np.nan),
        sources=np.concatenate([found.sources, leaves]),
        targets=np.concatenate([found.targets, np.full(len(leaves), end)]),
        weights=np.concatenate([found.weights, made.exits[exits] * made.orientation[exits]]),
        errors=np.concatenate([found.errors, made.exit_errors[exits]]),
        paths=paths,
        words={**found.words, "scalar": end},
    )


# -- neurons ----------------------------------------------------------------------------------------------


def _neurons(study: Study, edges: _Edges, paths: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Ids, layers, ranks and importance of the neurons at the ends of edges, on paths, and of the highest rank."""
    used = np.unique(np.concatenate([edges.sources, edges.targets, paths[paths >= 0]]).astype(np.int64))
    layer_of = dict(zip(edges.ids[used].tolist(), edges.layers[used].tolist()))
    known: dict[str, tuple[int, float]] = {}
    if study.scores is not None:
        order, importance = study.scores.order(), study.scores.importance()
        for rank, neuron in enumerate(order.tolist(), start=1):
            name = str(study.scores.neuron_ids[neuron])
            known[name] = (rank, float(importance[neuron]))
            if rank <= MOST_TOP:
                layer_of.setdefault(name, int(study.scores.layers[neuron]))
    ids = [str(name) for name in layer_of]
    ranks = np.array([known.get(name, (0, 0.0))[0] for name in ids], np.int64)
    importance = np.array([known.get(name, (0, np.nan))[1] for name in ids], float)
    return ids, np.array(list(layer_of.values()), np.int64), ranks, importance


# -- words ------------------------------------------------------------------------------------------------


def _words(study: Study, edges: _Edges, paths: int) -> dict[str, Any]:
    made, scores = study.pathways, study.scores
    sentences = [edges.words if edges.total else "No edges across layers were made: glasso influence makes them."]
    if made is not None:
        if made.metrics.scalar is not None:
            sentences.append(exit_words(made.metrics.scalar))
        sentences.append(path_words(made.metrics))
        if made.metrics.mediated is not None:
            sentences.append(trial_words(made.metrics.mediated))
        if len(made.paths) > paths:
            sentences.append(f"The other {count(len(made.paths) - paths, 'path')} are in paths.csv.")
    if scores is not None:
        scalar = SCALARS.get(scores.metrics.scalar, scores.metrics.scalar)
        sentences.append(
            f"Importance: how much {scalar} depends on a neuron, by {scores.forms[0]} attribution "
            f"({scores.metrics.order}), among {count(scores.metrics.neurons, 'neuron')}."
        )
    if edges.total > len(edges.weights):
        sentences.append(f"The {edges.total - len(edges.weights):,} weakest edges had no room in this page.")
    return {
        "sentences": sentences,
        "scored": scores is not None,
        "edges": len(edges.weights),
        "tried": 0 if made is None else len(made.tried),
        "scalar": -1,  # the number of its neuron, where paths end in a scalar
        "factors": "" if made is None else product_words(made.metrics),
        "unit": "" if made is None else unit_words(made.metrics),
    }
