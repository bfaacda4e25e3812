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
LENGTH_SUMS = ("positive", "negative", "signed", "net", "absolute")  # rows of ``length_sums``


@dataclass(frozen=True, eq=False, repr=False)
class Pathways(Artifact):
    """K paths among p neurons and E edges, total effects, and the part of the graph that carries most of the influence.

    Weights and effects are in standard deviations of the last neuron per standard deviation of the first, with the model's own
    signs; tables are oriented. Where paths end in a scalar, effects are changes of the scalar per token and standard deviation.
    """

    kind: ClassVar[str] = "pathways"
    schema: ClassVar[int] = 3

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    orientation: np.ndarray = array("p", dtype="int8")  # as in ActivationStats; see orientation.py
    is_source: np.ndarray = array("p", dtype="bool")
    is_target: np.ndarray = array("p", dtype="bool")
    # What the end gets of each neuron: 1 for a target; or the slope of the scalar, with the neurons of later layers held:
    exits: np.ndarray = array("p", dtype="float64")
    exit_errors: np.ndarray = array("p", dtype="float64")
    # The measured slope of the scalar with nothing held; empty where paths end in neurons:
    slopes: np.ndarray = array("p", dtype="float64", may_be_empty=True)
    slope_errors: np.ndarray = array("p", dtype="float64", may_be_empty=True)
    sources: np.ndarray = array("E", dtype="int32")  # index into neuron_ids
    targets: np.ndarray = array("E", dtype="int32")
    weights: np.ndarray = array("E", dtype="float64")
    errors: np.ndarray = array("E", dtype="float64")
    in_view: np.ndarray = array("E", dtype="bool")  # edges of the pruned view
    neuron_in_view: np.ndarray = array("p", dtype="bool")
    leaves: np.ndarray = array("p", dtype="bool")  # neurons whose own way to the scalar is in the pruned view
    influence: np.ndarray = array("p", dtype="float64")  # on the targets together, not signed; see docs/score.md
    # Sums over all paths of 1, 2, … L edges, of absolute values:
    from_sources: np.ndarray = array("L", "p", dtype="float64")  # what reaches a neuron from all sources
    onto_targets: np.ndarray = array(
        "R", "p", dtype="float64"
    )  # what a neuron passes on to all targets, or to the scalar
    # The same with signs, which may cancel. The targets are taken by their heavier poles, the neuron with the model's own sign:
    onto_targets_signed: np.ndarray = array("R", "p", dtype="float64")
    # Standard errors over documents of sums over all paths; nan where it is not known how blocks of documents differ:
    influence_errors: np.ndarray = array("p", dtype="float64")
    from_sources_errors: np.ndarray = array("p", dtype="float64")  # of paths of any length, as the next two
    onto_targets_errors: np.ndarray = array("p", dtype="float64")
    onto_targets_signed_errors: np.ndarray = array("p", dtype="float64")
    # Sums over the neurons of a layer, and over the targets, of effects along all paths of a number of edges. Signs are oriented:
    length_layers: np.ndarray = array("S", dtype="int32")
    length_edges: np.ndarray = array("S", dtype="int32")  # with the slope of a scalar
    length_sums: np.ndarray = array("5", "S", dtype="float64")  # LENGTH_SUMS
    length_errors: np.ndarray = array("5", "S", dtype="float64")  # standard errors, nan as above
    paths: np.ndarray = array("K", "M", dtype="int32")  # neurons, -1 beyond the last; the strongest path first
    effects: np.ndarray = array("K", dtype="float64")  # products of the weights, and of ``exits`` at the last neuron
    effect_errors: np.ndarray = array("K", dtype="float64")  # standard errors
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
        scalar = self.metrics.scalar
        signs = pair_signs(self.orientation, *ends) if scalar is None else self.orientation[ends[0]]
        names = [self.neuron_ids[each].tolist() + ([] if scalar is None else [scalar.scalar]) for each in neurons]
        columns: dict[str, Any] = {
            "path": np.array([JOINT.join(each) for each in names], dtype=np.str_),
            "edges": np.array([len(each) - 1 for each in names], np.int64),
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

    def length_columns(self) -> dict[str, Any]:
        """The table of sums by layer and number of edges, which the figure ``pathway_lengths`` draws. Signs are oriented."""
        columns: dict[str, Any] = {"layer": self.length_layers, "edges": self.length_edges}
        for name, sums, errors in zip(LENGTH_SUMS, self.length_sums, self.length_errors):
            columns |= {name: sums, f"{name}_standard_error": errors}
        return columns

    def neuron_columns(self) -> dict[str, Any]:
        """The table of neurons, those with the largest influence on the targets first."""
        order = np.argsort(-self.influence, kind="stable")
        columns = {
            "neuron": self.neuron_ids[order],
            "layer": self.layers[order],
            "influence": self.influence[order],
            "influence_standard_error": self.influence_errors[order],
            "from_sources": self.from_sources.sum(axis=0)[order],
            "from_sources_standard_error": self.from_sources_errors[order],
        }
        if self.metrics.scalar is None:
            columns["onto_targets"] = self.onto_targets.sum(axis=0)[order]
            columns["onto_targets_standard_error"] = self.onto_targets_errors[order]
        else:
            signs = self.orientation[order]
            columns |= {
                "through": self.onto_targets_signed.sum(axis=0)[order] * signs,
                "through_standard_error": self.onto_targets_signed_errors[order],
                "through_absolute": self.onto_targets.sum(axis=0)[order],
                "through_absolute_standard_error": self.onto_targets_errors[order],
                "direct": self.exits[order] * signs,
                "direct_standard_error": self.exit_errors[order],
                "slope": self.slopes[order] * signs,
                "slope_standard_error": self.slope_errors[order],
                "orientation": signs,
            }
        return {**columns, "in_view": self.neuron_in_view[order].astype(int)}
