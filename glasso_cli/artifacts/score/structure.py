"""What each neuron is in the graph of a fit, as `structure` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import StructureMetrics, metrics_of


@dataclass(frozen=True, eq=False, repr=False)
class Structure(Artifact):
    """G scores of p neurons and c communities, with standard errors over documents.

    No score depends on the sign of a neuron: ``expected_influence`` is of oriented neurons.
    """

    kind: ClassVar[str] = "structure"
    schema: ClassVar[int] = 1

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    communities: np.ndarray = array("p", dtype="int32")  # of the fit; -1 for neurons without edges
    names: np.ndarray = array("G", dtype="str")
    values: np.ndarray = array("G", "p", dtype="float64")
    errors: np.ndarray = array("G", "p", dtype="float64")
    community_sums: np.ndarray = array("G", "c", dtype="float64")  # over the neurons of each
    community_errors: np.ndarray = array("G", "c", dtype="float64")
    # The correlation that 95 % of the subsets exceed, with the scores of all documents; L shares of dropped blocks:
    dropped: np.ndarray = array("L", dtype="float64")
    n_effective: np.ndarray = array("L", dtype="float64")  # effective tokens of the smallest subset
    correlations: np.ndarray = array("G", "L", dtype="float64")  # of values; nan where refused
    rank_correlations: np.ndarray = array("G", "L", dtype="float64")
    coefficients: np.ndarray = array("G", dtype="float64")  # correlation stability; nan where it was not measured
    rank_coefficients: np.ndarray = array("G", dtype="float64")

    @cached_property
    def metrics(self) -> StructureMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(StructureMetrics, self.meta)

    def in_words(self) -> str:
        return f"{len(self.neuron_ids):,} neurons, {len(self.names)} scores"

    def by_neuron(self) -> dict[str, dict[str, float]]:
        """The scores by name, each by the id of the neuron."""
        ids = self.neuron_ids.tolist()
        return {name: dict(zip(ids, values.tolist())) for name, values in zip(self.names.tolist(), self.values)}

    def neuron_columns(self) -> dict[str, Any]:
        """The table of neurons, the best predicted first: the columns of the stage's ``.neurons.csv``."""
        order = np.argsort(-self.values[self.names.tolist().index("predictability")], kind="stable")
        columns: dict[str, Any] = {"neuron": self.neuron_ids[order], "layer": self.layers[order]}
        columns["community"] = self.communities[order]
        for name, values, errors in zip(self.names.tolist(), self.values, self.errors):
            columns |= {name: values[order], f"{name}_standard_error": errors[order]}
        return columns

    def community_columns(self) -> dict[str, Any]:
        """The table of communities, the largest first: sums over their neurons."""
        count = self.community_sums.shape[1]
        members = self.communities[self.communities >= 0]
        columns: dict[str, Any] = {"community": np.arange(count), "neurons": np.bincount(members, minlength=count)}
        for name, sums, errors in zip(self.names.tolist(), self.community_sums, self.community_errors):
            columns |= {name: sums, f"{name}_standard_error": errors}
        return columns
