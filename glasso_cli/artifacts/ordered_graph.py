"""The regressions of every neuron on all neurons of earlier layers, as `fit` writes them with `fit.order: layers`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import OrderedMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented, pair_signs
from glasso_cli.graph.sums import degrees

# column of the table → field of OrderedGraph
_TESTED = {
    "debiased": "coefficients",
    "coefficient_error": "coefficient_errors",
    "partial_correlation": "partial_correlations",
    "standard_error": "standard_errors",
    "z": "z",
    "p_value_zero": "p_zero",
    "q_value_zero": "q_zero",
    "p_value": "p_values",
    "q_value": "q_values",
}


@dataclass(frozen=True, eq=False, repr=False)
class OrderedGraph(Artifact):
    """Lasso regressions of p neurons on all neurons of earlier layers at A alphas, from large to small, each certified.

    Neurons are in the order of their layers. Edges of all alphas stand one after the other: those of alpha k are at
    ``offsets[k]:offsets[k+1]``, ordered by target, then by source. Coefficients are standardised: standard deviations of the
    target for one of the source.
    """

    kind: ClassVar[str] = "ordered-graph"
    schema: ClassVar[int] = 1

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")  # not decreasing
    neurons: np.ndarray = array("p", dtype="int32")  # index into the ActivationStats
    orientation: np.ndarray = array(
        "p", dtype="int8"
    )  # -1 where the heavier pole has negative values; see orientation.py
    alphas: np.ndarray = array("A", dtype="float64")  # decreasing
    offsets: np.ndarray = array("A + 1", dtype="int64")
    sources: np.ndarray = array("nnz", dtype="int32")  # of an earlier layer than the target
    targets: np.ndarray = array("nnz", dtype="int32")
    values: np.ndarray = array("nnz", dtype="float64")  # lasso coefficients
    marginals: np.ndarray = array("nnz", dtype="float32")  # correlation of the pair
    residuals: np.ndarray = array(
        "A", "p", dtype="float64"
    )  # residual variance over that of the neuron; 1 without predictors
    objective: np.ndarray = array("A", dtype="float64")  # nats per token, sum over targets
    duality_gap: np.ndarray = array("A", dtype="float64")  # nats per token, the largest of any target
    kkt_residual: np.ndarray = array("A", dtype="float64")  # the largest of any target
    n_iter: np.ndarray = array("A", dtype="int32")  # sweeps, the most of any target
    converged: np.ndarray = array("A", dtype="bool")
    criterion: np.ndarray = array("A", dtype="float64")  # what the selection rule compared; nan if it has no curve
    selected: np.ndarray = array(dtype="int64")
    # The E edges of the selected alpha, in the order of sources and targets:
    kept: np.ndarray = array("E", dtype="bool")  # drawn: beyond fit.min_effect at the rate fit.fdr
    coefficients: np.ndarray = array("E", dtype="float64")  # without the penalty's bias
    coefficient_errors: np.ndarray = array("E", dtype="float64")
    partial_correlations: np.ndarray = array("E", dtype="float64")  # given all other neurons of the earlier layers
    standard_errors: np.ndarray = array("E", dtype="float64")  # of partial_correlations
    z: np.ndarray = array("E", dtype="float64")  # against no edge
    p_zero: np.ndarray = array("E", dtype="float64")  # two-sided, of H0: the coefficient is zero
    q_zero: np.ndarray = array("E", dtype="float64")  # over all pairs of a neuron and one of an earlier layer
    p_values: np.ndarray = array(
        "E", dtype="float64"
    )  # of H0: the partial correlation is at most fit.min_effect in size
    q_values: np.ndarray = array("E", dtype="float64")  # over the same pairs

    @cached_property
    def metrics(self) -> OrderedMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(OrderedMetrics, self.meta)

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        alpha = float(self.alphas[int(self.selected)])
        layers = len(np.unique(self.layers))
        return (
            f"{self.n_neurons:,} neurons of {layers} layers, {np.count_nonzero(self.kept):,} edges at alpha {alpha:.4g}"
        )

    def part(self, index: int | None = None) -> slice:
        """Where the edges of one alpha (the selected one by default) stand in ``sources``, ``targets`` and ``values``."""
        index = int(self.selected) if index is None else index
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def edges(self, index: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources, targets and lasso coefficients ``(E,)``, not oriented, at one alpha (the selected one by default)."""
        part = self.part(index)
        return np.asarray(self.sources[part]), np.asarray(self.targets[part]), np.asarray(self.values[part])

    def edge_columns(self) -> dict[str, Any]:
        """The table of all edges of the selected alpha, those that are drawn first, each kind from strong to weak.

        Signed numbers are relative to the heavier poles; times ``orientation``, they have the model's own signs.
        """
        graph = oriented(self)
        sources, targets, values = graph.edges()
        order = np.lexsort((-np.abs(graph.partial_correlations), ~self.kept))
        table: dict[str, Any] = {
            "source": self.neuron_ids[sources[order]],
            "target": self.neuron_ids[targets[order]],
            "coefficient": values[order],
        }
        table |= {name: getattr(graph, field)[order] for name, field in _TESTED.items()}
        table["correlation"] = graph.marginals[self.part()][order]
        table["orientation"] = pair_signs(self.orientation, sources, targets)[order]
        table["drawn"] = self.kept[order].astype(int)
        return table

    def neuron_columns(self) -> dict[str, Any]:
        """The table of all neurons: drawn edges to later layers and from earlier ones, and the variance they explain.

        ``explained`` is the share of the variance that the regression at the selected alpha explains; 0 without predictors.
        """
        sources, targets, _ = self.edges()
        return {
            "neuron": self.neuron_ids,
            "layer": self.layers,
            "orientation": self.orientation,
            "to_later": degrees(self.n_neurons, sources[self.kept], sources[:0]),
            "from_earlier": degrees(self.n_neurons, targets[self.kept], targets[:0]),
            "explained": 1 - self.residuals[int(self.selected)],
        }
