"""What each artifact says of ordered pairs of neurons. Signs are relative to the heavier poles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.across.table import EdgesAcross, Findings, joined
from glasso_cli.artifacts import Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.errors import InputError


@dataclass(frozen=True, eq=False)
class Neurons:
    """The p neurons of a table, in any order."""

    ids: np.ndarray  # (p,) str
    layers: np.ndarray  # (p,) -1 where there is none
    orientation: np.ndarray  # (p,) -1 or 1

    def places(self, names: np.ndarray) -> np.ndarray:
        """Where each of ``names (n,)`` stands, ``(n,)``; -1 for one that is not here."""
        place = {name: index for index, name in enumerate(self.ids.tolist())}
        return np.array([place.get(name, -1) for name in names.tolist()], dtype=np.int64)


def edges_across(
    neurons: Neurons,
    graph: OrderedGraph | PrecisionPath | None,
    influence: Influence | None,
    interventions: Interventions | None,
) -> EdgesAcross:
    """The edges across layers between ``neurons``, from what there is; raises ``ValueError`` where there is nothing."""
    return joined(
        None if graph is None else association_of(graph, neurons),
        None if influence is None else influence_of(influence, neurons),
        {} if interventions is None else effects_of(interventions, neurons),
    )


def association_of(graph: OrderedGraph | PrecisionPath, neurons: Neurons) -> Findings:
    """The edges across layers of an ordered graph, or of a joint graph, at its selected alpha.

    Found are those that are drawn. The value is the partial correlation without the penalty's bias: given all other neurons of
    the earlier layers in an ordered graph, given all others in a joint graph. An ordered graph also has the ``coefficient`` of the
    regression, in standard deviations of the target per standard deviation of the source, and its ``coefficient_error``.
    """
    turned = oriented(graph)
    place = neurons.places(turned.neuron_ids)
    first, second, _ = turned.edges()
    if isinstance(turned, OrderedGraph):
        numbers = {
            "value": turned.partial_correlations,
            "error": turned.standard_errors,
            "q_value": turned.q_values,
            "coefficient": turned.coefficients,
            "coefficient_error": turned.coefficient_errors,
        }
    else:
        numbers = {"value": turned.debiased, "error": turned.standard_error, "q_value": turned.q_values}
    first, second, found = place[first], place[second], np.asarray(turned.kept)
    forwards = neurons.layers[first] <= neurons.layers[second]
    sources, targets = np.where(forwards, first, second), np.where(forwards, second, first)
    used = (first >= 0) & (second >= 0) & (neurons.layers[sources] < neurons.layers[targets])
    known = np.zeros(len(neurons.ids), bool)
    known[place[place >= 0]] = True
    return _findings(sources, targets, found, numbers, used, *_by_layer(neurons.layers, known, known))


def influence_of(artifact: Influence, neurons: Neurons) -> Findings:
    """The pairs across layers of an influence artifact. Found are its edges. ``rms`` is the root mean square over tokens, ``rms_error`` its error."""
    turned = oriented(artifact)
    place = neurons.places(turned.neuron_ids)
    sources, targets = place[turned.sources], place[turned.targets]
    numbers = {
        "value": turned.mean,
        "error": turned.error,
        "q_value": turned.q_values,
        "rms": turned.rms,
        "rms_error": turned.rms_error,
    }
    points = np.full(len(neurons.ids), "", dtype=object)
    points[place[place >= 0]] = [name.rpartition("[")[0] for name in turned.neuron_ids[place >= 0].tolist()]
    pairs = turned.metrics.layers
    looked_from = np.array([points == pair.source for pair in pairs], dtype=bool).reshape(-1, len(points))
    looked_to = np.array([points == pair.target for pair in pairs], dtype=bool).reshape(-1, len(points))
    used = (sources >= 0) & (targets >= 0) & (neurons.layers[sources] < neurons.layers[targets])
    return _findings(sources, targets, np.asarray(turned.edge), numbers, used, looked_from, looked_to)


def effects_of(artifact: Interventions, neurons: Neurons) -> dict[str, Findings]:
    """The measured effects of single neurons on neurons of later layers, by kind of change.

    Effects of steps are per standard deviation of the source. ``rms`` is the root mean square over tokens, which is what the test
    of other changes is about.
    """
    turned = oriented(artifact)
    alone = single_sources(turned)
    rows, columns = neurons.places(turned.source_ids[alone]), neurons.places(turned.target_ids)
    rows, alone = rows[rows >= 0], alone[rows >= 0]
    columns, at = columns[columns >= 0], np.flatnonzero(columns >= 0)
    sources, targets = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
    used = neurons.layers[sources] < neurons.layers[targets]
    looked_from, looked_to = np.zeros((2, len(neurons.ids)), bool)
    looked_from[rows], looked_to[columns] = True, True
    findings = {}
    for number, change in enumerate(turned.changes.tolist()):
        block = np.ix_(np.array([number]), alone, at)
        numbers = {
            "value": turned.effects[block].ravel(),
            "error": turned.errors[block].ravel(),
            "q_value": turned.q_values[block].ravel(),
            "rms": turned.rms[block].ravel(),
            "rms_error": turned.rms_errors[block].ravel(),
        }
        found = turned.found[block].ravel()
        looked = _by_layer(neurons.layers, looked_from, looked_to)
        findings[change] = _findings(sources, targets, found, numbers, used, *looked)
    return findings


def single_sources(artifact: Interventions) -> np.ndarray:
    """Which sources are one neuron and no group, as indices."""
    members = np.bincount(artifact.member_sources, minlength=len(artifact.source_ids))
    first = np.concatenate([[0], np.cumsum(members)])[:-1]
    named = artifact.member_ids[np.minimum(first, len(artifact.member_ids) - 1)] == artifact.source_ids
    return np.flatnonzero((members == 1) & named)


def neurons_of(artifacts: Sequence[OrderedGraph | PrecisionPath | Influence | Interventions]) -> Neurons:
    """All neurons that artifacts name, in the order in which they come.

    The sources of interventions get the layer of another artifact, and -1 where none has them: they run before their targets.
    Raises :class:`InputError` where two artifacts give a neuron different orientations.
    """
    layers: dict[str, int] = {}
    signs: dict[str, int] = {}
    for ids, of_ids, orientation in (part for artifact in artifacts for part in _named(artifact)):
        for name, layer, sign in zip(ids.tolist(), of_ids.tolist(), orientation.tolist()):
            layers[name] = max(layer, layers.get(name, -1))
            if signs.setdefault(name, sign) != sign:
                raise InputError(
                    f"{name} has another orientation in two artifacts, so that they are of different models.",
                    "Give artifacts of one model.",
                )
    ids = np.array(list(layers), dtype=np.str_)
    return Neurons(ids, np.array(list(layers.values())), np.array(list(signs.values()), dtype=np.int8))


def _named(
    artifact: OrderedGraph | PrecisionPath | Influence | Interventions,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Ids, layers and orientation of the neurons of an artifact; the layers of sources are not known."""
    if not isinstance(artifact, Interventions):
        return [(artifact.neuron_ids, artifact.layers, artifact.orientation)]
    alone = single_sources(artifact)
    return [
        (artifact.source_ids[alone], np.full(len(alone), -1), artifact.source_orientation[alone]),
        (artifact.target_ids, artifact.target_layers, artifact.target_orientation),
    ]


def _findings(
    sources: np.ndarray,
    targets: np.ndarray,
    found: np.ndarray,
    numbers: dict[str, np.ndarray],
    used: np.ndarray,
    looked_from: np.ndarray,
    looked_to: np.ndarray,
) -> Findings:
    """The findings of the pairs that are ``used (E,)``."""
    numbers = {name: np.asarray(values)[used] for name, values in numbers.items()}
    return Findings(sources[used], targets[used], found[used], numbers, looked_from, looked_to)


def _by_layer(layers: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of one of ``sources`` and one of ``targets (p,)`` bool in a later layer: ``looked_from`` and ``looked_to``."""
    later = np.unique(layers[targets])
    return (
        np.array([sources & (layers < layer) for layer in later], dtype=bool).reshape(-1, len(layers)),
        np.array([targets & (layers == layer) for layer in later], dtype=bool).reshape(-1, len(layers)),
    )
