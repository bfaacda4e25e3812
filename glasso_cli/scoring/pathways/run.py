"""From a graph across layers to its strongest paths, the effects along all of them, and the pruned view: the artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.metrics import PathwayMetrics, to_json
from glasso_cli.artifacts.metrics.pathways import Mediated
from glasso_cli.config import PathwaysSection
from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.best_paths import Path, best_paths
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.mediation import Effect
from glasso_cli.scoring.pathways.pruned import pruned_view
from glasso_cli.scoring.pathways.total_effects import effects_of, effects_on
from glasso_cli.scoring.pathways.units import Units
from glasso_cli.scoring.ranks import spearman

Trial = Callable[[Sequence[tuple[int, int, int]]], list[Effect]]  # of paths of source, middle and target


def pathways(
    graph: LayeredGraph,
    orientation: np.ndarray,
    section: PathwaysSection,
    name: str,
    trial: Trial | None = None,
    units: Units | None = None,
) -> Pathways:
    """The paths that ``section`` asks for; ``trial`` measures effects on the network, for ``section.mediate`` paths of two edges.

    The errors of effects include those of ``units``, the standard deviations of the neurons of ``graph``, where these are given.

    Raises :class:`InputError` for neurons that are not in the graph, and where no path leads from the sources to the targets.
    """
    occupied = np.unique(graph.layers)
    if len(graph.weights) == 0 or len(occupied) < 2:
        raise InputError(
            "The graph across layers has no edges, so there are no paths.",
            "Collect more text, or loosen influence.min_effect and influence.fdr (association: those of fit).",
        )
    sources = _chosen(graph, section.sources, int(occupied[0]), "pathways.sources")
    targets = _chosen(graph, section.targets, int(occupied[-1]), "pathways.targets")
    exits = targets.astype(float)
    found = best_paths(graph, max(section.count, 1), sources, exits)
    if not found:
        raise InputError(
            "No path leads from the sources to the targets.",
            "Name other pathways.sources and pathways.targets, or collect the layers between them.",
        )
    if units is not None:
        found = _with_units(found, units)
    view = pruned_view(graph, exits, section.nodes, section.edges)
    reached, passed = effects_of(graph, sources.astype(float)), effects_on(graph, exits)
    tried, effects = _tried(found, section.mediate, trial)
    metrics = PathwayMetrics(
        graph=section.graph,
        neurons=graph.n_neurons,
        layers=tuple(occupied.tolist()),
        edges=len(graph.weights),
        sources=int(sources.sum()),
        targets=int(targets.sum()),
        paths=len(found),
        longest=int(np.flatnonzero(reached.absolute[:, targets].any(axis=1)).max(initial=-1)) + 1,
        view_neurons=int(view.neurons.sum()),
        view_edges=int(view.edges.sum()),
        nodes=section.nodes,
        edge_share=section.edges,
        signed=float(reached.total[targets].sum()),
        absolute=float(reached.total_absolute[targets].sum()),
        mediated=_agreement(found, tried, effects, section.step),
    )
    measured = {
        key: np.array([getattr(effect, key) for effect in effects], dtype=float).reshape(-1, 2)
        for key in ("total", "held", "through")
    }
    return Pathways(
        meta={"corpus": name, "metrics": to_json(metrics)},
        neuron_ids=graph.neuron_ids,
        layers=graph.layers.astype(np.int32),
        orientation=orientation.astype(np.int8),
        is_source=sources,
        is_target=targets,
        sources=graph.sources.astype(np.int32),
        targets=graph.targets.astype(np.int32),
        weights=graph.weights,
        errors=graph.errors,
        in_view=view.edges,
        neuron_in_view=view.neurons,
        influence=view.influence,
        from_sources=reached.absolute,
        onto_targets=passed.absolute,
        paths=_padded(found),
        effects=np.array([path.effect for path in found]),
        effect_errors=np.array([path.error for path in found]),
        tried=np.array(tried, dtype=np.int32),
        **{key: values[:, 0] for key, values in measured.items()},
        **{f"{key}_errors": values[:, 1] for key, values in measured.items()},
    )


def _chosen(graph: LayeredGraph, ids: Sequence[str], layer: int, key: str) -> np.ndarray:
    """Which neurons ``(p,)`` are named, or all of a layer."""
    if not ids:
        return np.asarray(graph.layers == layer)
    known = set(graph.neuron_ids.tolist())
    missing = [name for name in ids if name not in known]
    if missing:
        raise InputError(
            f"{key} names '{missing[0]}', which is no neuron of the graph across layers.",
            f"Name neurons such as {graph.neuron_ids[0]}.",
        )
    return np.isin(graph.neuron_ids, list(ids))


def _with_units(paths: Sequence[Path], units: Units) -> list[Path]:
    """The same paths; the errors include that of the ratio of the standard deviations of both ends, taken as independent."""
    ends = [np.array([path.neurons[place] for path in paths]) for place in (0, -1)]
    relative = units.relative_error(*ends).tolist()
    return [
        replace(path, error=float(np.hypot(path.error, path.effect * own)))
        for path, own in zip(paths, relative, strict=True)
    ]


def _padded(paths: Sequence[Path]) -> np.ndarray:
    width = max(len(path.neurons) for path in paths)
    table = np.full((len(paths), width), -1, np.int32)
    for row, path in zip(table, paths):
        row[: len(path.neurons)] = path.neurons
    return table


def _tried(found: Sequence[Path], most: int, trial: Trial | None) -> tuple[list[int], list[Effect]]:
    """The numbers of the paths of two edges that are tried, and their effects."""
    chosen = [number for number, path in enumerate(found) if len(path.neurons) == 3][:most]
    if trial is None or not chosen:
        return [], []
    return chosen, trial([(path.neurons[0], path.neurons[1], path.neurons[2]) for path in (found[at] for at in chosen)])


def _agreement(found: Sequence[Path], tried: Sequence[int], effects: Sequence[Effect], step: float) -> Mediated | None:
    """How well products predict what goes through the middle."""
    if not effects:
        return None
    predicted = np.array([found[number].effect for number in tried])
    spread = np.array([found[number].error for number in tried])
    observed, error = np.array([effect.through for effect in effects]).T
    with np.errstate(invalid="ignore"):
        near = np.abs(observed - predicted) <= 2 * np.hypot(error, spread)
    return Mediated(
        paths=len(effects),
        documents=max(effect.documents for effect in effects),
        tokens=max(effect.tokens for effect in effects),
        step=step,
        slope=float(observed @ predicted / (predicted @ predicted)) if predicted.any() else None,
        spearman=spearman(np.abs(observed), np.abs(predicted)) if len(effects) > 2 else None,
        same_sign=float((np.sign(observed) == np.sign(predicted)).mean()),
        consistent=float(near.mean()),
    )
