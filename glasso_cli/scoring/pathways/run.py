"""From a graph across layers to its strongest paths, the effects along all of them, and the pruned view: the artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from glasso_cli.artifacts import Pathways, Scores
from glasso_cli.artifacts.metrics import PathwayMetrics, to_json
from glasso_cli.artifacts.metrics.pathways import Mediated, ScalarReached
from glasso_cli.config import PathwaysSection
from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.best_paths import Path, best_paths
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.errors import by_jackknife, path_errors
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.lengths import lengths
from glasso_cli.scoring.pathways.mediation import Effect
from glasso_cli.scoring.pathways.pruned import pruned_view
from glasso_cli.scoring.pathways.total_effects import Effects, effects_of, effects_on, oriented_exits, total_errors
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
    scores: Scores | None = None,
    std: np.ndarray | None = None,
) -> Pathways:
    """The paths that ``section`` asks for; ``trial`` measures effects on the network, for ``section.mediate`` paths of two edges.

    The errors of effects include those of ``units``, the standard deviations of the neurons of ``graph``, where these are given.
    With ``section.to`` scalar, paths end in the scalar of ``scores``, and ``std (p,)`` are the units of ``graph``; None for those of
    ``scores``.

    Raises :class:`InputError` for neurons that are not in the graph, where no path leads from the sources to the targets, and for
    ``scores`` of other neurons.
    """
    occupied = np.unique(graph.layers)
    if len(graph.weights) == 0 or len(occupied) < 2:
        raise InputError(
            "The graph across layers has no edges, so there are no paths.",
            "Collect more text, or loosen influence.min_effect and influence.fdr (association: those of fit).",
        )
    sources = _chosen(graph, section.sources, int(occupied[0]), "pathways.sources")
    end = _end(graph, section, int(occupied[-1]), scores, std)
    targets, exits = end.is_target, end.slopes
    found = best_paths(graph, section.count, sources, exits)
    if not found:
        raise InputError(
            "No path leads from the sources to the targets.",
            "Name other pathways.sources and pathways.targets, or collect the layers between them.",
        )
    errors = path_errors(graph, found, end, units)
    view = pruned_view(graph, exits, section.nodes, section.edges)
    ends = oriented_exits(exits, end, orientation)
    reached, passed = effects_of(graph, sources * orientation), effects_on(graph, ends)
    unsure = total_errors(graph, end, sources * orientation, orientation, units)
    sums = lengths(graph, end, orientation, units)
    tried, effects = _tried(found, section.mediate, trial)
    metrics = PathwayMetrics(
        graph=section.graph,
        neurons=graph.n_neurons,
        layers=tuple(occupied.tolist()),
        edges=len(graph.weights),
        sources=int(sources.sum()),
        targets=int(targets.sum()),
        paths=len(found),
        longest=int(np.flatnonzero(reached.absolute[:, targets].any(axis=1)).max(initial=-1)) + 1 + end.is_scalar,
        view_neurons=int(view.neurons.sum()),
        view_edges=int(view.edges.sum()),
        nodes=section.nodes,
        edge_share=section.edges,
        signed=float(reached.total @ ends),
        absolute=float(reached.total_absolute @ np.abs(exits)),
        signed_error=unsure.signed,
        absolute_error=unsure.absolute,
        jackknife=by_jackknife(graph, end),
        units=units is not None,
        scalar=None
        if scores is None or end.whole is None
        else _reached(scores, end, passed, np.where(sources, orientation, 0)),
        mediated=_agreement(found, tried, effects, errors, section.step),
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
        onto_targets_signed=passed.signed,
        influence_errors=unsure.influence,
        from_sources_errors=unsure.reached,
        onto_targets_errors=unsure.passed,
        onto_targets_signed_errors=unsure.passed_signed,
        length_layers=sums.layers.astype(np.int32),
        length_edges=sums.edges.astype(np.int32),
        length_sums=sums.sums,
        length_errors=sums.errors,
        exits=exits,
        exit_errors=end.errors,
        leaves=view.ends & end.is_scalar,
        slopes=np.zeros(0) if end.whole is None else end.whole.values,
        slope_errors=np.zeros(0) if end.whole is None else end.whole.errors,
        paths=_padded(found),
        effects=np.array([path.effect for path in found]),
        effect_errors=errors,
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


def _end(
    graph: LayeredGraph, section: PathwaysSection, last: int, scores: Scores | None, std: np.ndarray | None
) -> End:
    if section.to == "scalar":
        if scores is None:
            raise InputError("Paths to the scalar need scores.", "Run score, and give its result.")
        return End.of_scalar(scores, graph, std)
    blocks = 0 if graph.deviations is None else graph.deviations.shape[1]
    return End.of_neurons(_chosen(graph, section.targets, last, "pathways.targets"), blocks)


def _reached(scores: Scores, end: End, passed: Effects, signs: np.ndarray) -> ScalarReached:
    """How the paths of each source compare with what is measured: its slope less the part that passes no later neuron.

    ``signs (p,)`` are the orientations of the sources, and 0 for other neurons. Without them, a correlation over neurons
    would depend on the arbitrary signs of gated ones.
    """
    assert end.whole is not None
    sources = np.flatnonzero(signs)
    whole, direct, predicted = ((values * signs)[sources] for values in (end.whole.values, end.slopes, passed.total))
    measured = whole - direct
    varies = len(predicted) > 2 and predicted.std() > 0 and measured.std() > 0
    return ScalarReached(
        scalar=scores.metrics.scalar,
        documents=scores.metrics.attributed.documents,
        tokens=scores.metrics.attributed.tokens,
        slope=float(measured @ predicted / (predicted @ predicted)) if predicted.any() else None,
        correlation=float(np.corrcoef(measured, predicted)[0, 1]) if varies else None,
        direct=float(np.corrcoef(whole, direct)[0, 1]) if varies else None,
        both=float(np.corrcoef(whole, direct + predicted)[0, 1]) if varies else None,
    )


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


def _agreement(
    found: Sequence[Path], tried: Sequence[int], effects: Sequence[Effect], errors: np.ndarray, step: float
) -> Mediated | None:
    """How well products predict what goes through the middle."""
    if not effects:
        return None
    predicted = np.array([found[number].effect for number in tried])
    spread = errors[list(tried)]
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
