"""What paths end in: a set of neurons, or the scalar of `score`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.graph import LayeredGraph


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes of a scalar in p neurons, per standard deviation, each with its standard error."""

    values: np.ndarray  # (p,)
    errors: np.ndarray  # (p,)


@dataclass(frozen=True, eq=False)
class End:
    """What the end gets of each of p neurons, per standard deviation: 1 for a target, or the slope of the scalar; 0 for other neurons.

    The slope of the scalar holds the neurons of later layers of the graph, so that each way to the scalar is in one path only.
    """

    slopes: np.ndarray  # (p,)
    errors: np.ndarray  # (p,) standard errors over documents
    deviations: np.ndarray | None  # (p, B), as those of the graph; None where they are not known
    whole: Slopes | None = None  # of the scalar with nothing held; None for neurons

    @property
    def is_scalar(self) -> bool:
        return self.whole is not None

    @property
    def is_target(self) -> np.ndarray:
        """The neurons at which a path may end, ``(p,)``."""
        return np.asarray(self.slopes != 0)

    @classmethod
    def of_neurons(cls, chosen: np.ndarray, blocks: int) -> End:
        """The neurons ``chosen (p,)``; there are ``blocks`` of documents."""
        return cls(chosen.astype(float), np.zeros(len(chosen)), np.zeros((len(chosen), blocks)))

    @classmethod
    def of_scalar(cls, scores: Scores, graph: LayeredGraph, std: np.ndarray | None) -> End:
        """The scalar of ``scores``; ``std (p,)`` are the units of ``graph``, or None for those of ``scores``.

        Raises :class:`InputError` where a neuron of the graph was not scored, where the scalar has no slope, and where the slopes
        hold other layers than those of the graph.
        """
        if scores.slopes is None:
            raise InputError(
                f"Paths cannot end in {scores.metrics.scalar}: its slope at the clean network is zero.",
                "Take another score.scalar, such as loss, and run score again.",
            )
        place = {name: number for number, name in enumerate(scores.neuron_ids.tolist())}
        missing = [name for name in graph.neuron_ids.tolist() if name not in place]
        if missing:
            raise InputError(
                f"The graph has {missing[0]}, and score was of {', '.join(scores.metrics.hook_points)}.",
                "Score the hook points of the graph: add them to score.hook_points, or leave it empty to score those of collect.",
            )
        own = np.array([place[name] for name in graph.neuron_ids.tolist()], np.int64)
        _require_same_layers(scores, graph, own)
        unit = scores.std[own] if std is None else std
        direct, direct_errors, errors = scores.direct_slopes, scores.direct_slope_errors, scores.slope_errors
        assert direct is not None
        assert direct_errors is not None
        assert errors is not None
        assert scores.direct_block_deviations is not None
        deviations = scores.direct_block_deviations[own] * unit[:, None]
        return cls(
            direct[own] * unit,
            direct_errors[own] * unit,
            deviations if np.isfinite(deviations).all() else None,
            Slopes(scores.slopes[own] * unit, errors[own] * unit),
        )


def _require_same_layers(scores: Scores, graph: LayeredGraph, own: np.ndarray) -> None:
    """Raise :class:`InputError` unless the slopes hold the hook points of ``graph`` after the first layer, and no others there."""
    labels = list(scores.metrics.hook_points)
    layer_of = dict(zip(scores.points.tolist(), scores.layers.tolist()))
    first = int(graph.layers.min())
    wanted = {labels[point] for point in np.unique(scores.points[own]).tolist() if layer_of[point] > first}
    held = {label for label in scores.metrics.held if layer_of[labels.index(label)] > first}
    if wanted != held:
        every = [labels[point] for point in np.unique(scores.points[own]).tolist()]
        raise InputError(
            f"Paths run through {_listed(every)}, and score held {_listed(scores.metrics.held)} for the slopes of the scalar.",
            f"Set score.held to the hook points of the graph ({_short(every)}), and run score again.",
        )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "nothing"


def _short(labels: Sequence[str]) -> str:
    """Labels as a configuration may name them: layers.9.mlp is mlp.9."""
    found = []
    for label in labels:
        parts = label.split(".")
        short = len(parts) == 3 and parts[0] == "layers"
        found.append(f"{parts[2]}.{parts[1]}" if short else label)
    return f"[{', '.join(found)}]"
