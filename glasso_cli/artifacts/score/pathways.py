"""Paths through a graph across layers, as `pathways` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import PathwayMetrics, metrics_of
from glasso_cli.artifacts.orientation import pair_signs

JOINT = " > "  # between the neurons of a path in tables


@dataclass(frozen=True, eq=False, repr=False)
class Pathways(Artifact):
    """K paths among p neurons and E edges, total effects, and the part of the graph that carries most of the influence.

    Weights and effects are in standard deviations of the last neuron per standard deviation of the first, with the model's own
    signs; tables are oriented.
    """

    kind: ClassVar[str] = "pathways"
    schema: ClassVar[int] = 1

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    orientation: np.ndarray = array("p", dtype="int8")  # as in ActivationStats; see orientation.py
    is_source: np.ndarray = array("p", dtype="bool")
    is_target: np.ndarray = array("p", dtype="bool")
    sources: np.ndarray = array("E", dtype="int32")  # index into neuron_ids
    targets: np.ndarray = array("E", dtype="int32")
    weights: np.ndarray = array("E", dtype="float64")
    errors: np.ndarray = array("E", dtype="float64")
    in_view: np.ndarray = array("E", dtype="bool")  # edges of the pruned view
    neuron_in_view: np.ndarray = array("p", dtype="bool")
    influence: np.ndarray = array("p", dtype="float64")  # on the targets together, not signed; see docs/score.md
    # Sums over all paths of 1, 2, … L edges, of absolute values:
    from_sources: np.ndarray = array("L", "p", dtype="float64")  # what reaches a neuron from all sources
    onto_targets: np.ndarray = array("R", "p", dtype="float64")  # what a neuron passes on to all targets
    paths: np.ndarray = array("K", "M", dtype="int32")  # neurons, -1 beyond the last; the strongest path first
    effects: np.ndarray = array("K", dtype="float64")  # products of the weights
    effect_errors: np.ndarray = array("K", dtype="float64")  # standard errors, for edges with independent errors
    # of N paths that were tried on the network:
    tried: np.ndarray = array("N", dtype="int32")  # into the paths
    total: np.ndarray = array("N", dtype="float64")  # measured effect of the source on the target
    total_errors: np.ndarray = array("N", dtype="float64")
    held: np.ndarray = array("N", dtype="float64")  # the same with the neuron in the middle held at its clean values
    held_errors: np.ndarray = array("N", dtype="float64")
    through: np.ndarray = array("N", dtype="float64")  # total less held
    through_errors: np.ndarray = array("N", dtype="float64")

    @cached_property
    def metrics(self) -> PathwayMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(PathwayMetrics, self.meta)

    def in_words(self) -> str:
        return f"{len(self.paths):,} paths among {len(self.neuron_ids):,} neurons, {len(self.weights):,} edges"

    def path(self, number: int) -> list[int]:
        """The neurons of one path, as indices."""
        row = self.paths[number]
        return [int(neuron) for neuron in row[row >= 0]]

    def path_columns(self) -> dict[str, Any]:
        """The table of paths, the strongest first: the columns of the stage's ``.paths.csv``. Signs are oriented."""
        neurons = [self.path(number) for number in range(len(self.paths))]
        ends = [np.array([each[place] for each in neurons], np.int64) for place in (0, -1)]
        signs = pair_signs(self.orientation, *ends)
        columns: dict[str, Any] = {
            "path": np.array([JOINT.join(self.neuron_ids[each].tolist()) for each in neurons], dtype=np.str_),
            "edges": np.array([len(each) - 1 for each in neurons], np.int64),
            "effect": self.effects * signs,
            "standard_error": self.effect_errors,
        }
        if len(self.tried):
            for name in ("total", "held", "through"):
                for suffix, values, turn in (
                    ("", getattr(self, name), signs),
                    ("_standard_error", getattr(self, f"{name}_errors"), np.ones(len(signs))),
                ):
                    every = np.full(len(self.paths), np.nan)
                    every[self.tried] = values
                    columns[name + suffix] = every * turn
        return columns | {"orientation": signs}

    def neuron_columns(self) -> dict[str, Any]:
        """The table of neurons, those with the largest influence on the targets first."""
        order = np.argsort(-self.influence, kind="stable")
        return {
            "neuron": self.neuron_ids[order],
            "layer": self.layers[order],
            "influence": self.influence[order],
            "from_sources": self.from_sources.sum(axis=0)[order],
            "onto_targets": self.onto_targets.sum(axis=0)[order],
            "in_view": self.neuron_in_view[order].astype(int),
        }
