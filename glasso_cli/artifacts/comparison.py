"""What differs between two corpora, as `compare` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array, frame_of
from glasso_cli.artifacts.metrics import ComparisonMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented, pair_signs

if TYPE_CHECKING:
    import pandas as pd

CLASSES = ("gained", "lost", "stronger", "weaker", "sign flip")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Artifact):
    """The dependencies of p neurons in two corpora, A and B, and which of them differ.

    The E pairs are those that differ and the edges drawn in either graph, each once, row < column.
    """

    kind: ClassVar[str] = "comparison"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    orientation: np.ndarray = array(
        "p", dtype="int8"
    )  # -1 where the heavier pole has negative values; see orientation.py
    neurons_a: np.ndarray = array("p", dtype="int32")  # index into the ActivationStats of A
    neurons_b: np.ndarray = array("p", dtype="int32")
    communities_a: np.ndarray = array("p", dtype="int32")  # of the graph of A, by size; -1 for isolated neurons
    communities_b: np.ndarray = array("p", dtype="int32")
    rows: np.ndarray = array("E", dtype="int32")
    cols: np.ndarray = array("E", dtype="int32")
    rho_a: np.ndarray = array("E", dtype="float64")  # partial correlation in A, not shrunken
    rho_b: np.ndarray = array("E", dtype="float64")
    error_a: np.ndarray = array("E", dtype="float64")  # standard error of rho_a
    error_b: np.ndarray = array("E", dtype="float64")
    z: np.ndarray = array("E", dtype="float64")  # B less A in Fisher's z over its standard error
    p_zero: np.ndarray = array("E", dtype="float64")  # two-sided, of H0: nothing differs
    q_zero: np.ndarray = array("E", dtype="float64")  # over all pairs
    p_values: np.ndarray = array("E", dtype="float64")  # of H0: the difference is at most compare.min_effect
    q_values: np.ndarray = array("E", dtype="float64")  # over all pairs
    # against the largest difference of all pairs by chance; nan without any:
    permutation_p: np.ndarray = array("E", dtype="float64")
    # what B does to the pair: index into differential.CLASSES, -1 where nothing differs:
    classes: np.ndarray = array("E", dtype="int8")
    drawn_a: np.ndarray = array("E", dtype="bool")  # an edge of the graph of A
    drawn_b: np.ndarray = array("E", dtype="bool")
    degree_a: np.ndarray = array("p", dtype="int32")  # edges in the graph of A
    degree_b: np.ndarray = array("p", dtype="int32")
    jaccard: np.ndarray = array("p", dtype="float64")  # neighbours in both graphs over those in either; nan without any
    changes: np.ndarray = array("p", dtype="int32")  # differential edges
    change: np.ndarray = array("p", dtype="float64")  # sum of |rho_b - rho_a| over them
    # The communities of the edges of either graph, 0 the largest; -1 for neurons in none of three or more:
    communities_both: np.ndarray = array("p", dtype="int32")
    # The m pairs of these communities, each with itself among them; dependence is the mean squared partial correlation:
    community_first: np.ndarray = array("m", dtype="int32", may_be_empty=True)
    community_second: np.ndarray = array("m", dtype="int32", may_be_empty=True)
    community_pairs: np.ndarray = array("m", dtype="int64", may_be_empty=True)  # pairs of neurons
    dependence_a: np.ndarray = array("m", dtype="float64", may_be_empty=True)  # less what noise alone gives
    dependence_b: np.ndarray = array("m", dtype="float64", may_be_empty=True)
    dependence_error_a: np.ndarray = array("m", dtype="float64", may_be_empty=True)
    dependence_error_b: np.ndarray = array("m", dtype="float64", may_be_empty=True)
    dependence_p: np.ndarray = array("m", dtype="float64", may_be_empty=True)  # two-sided, of H0: both are equal
    dependence_q: np.ndarray = array("m", dtype="float64", may_be_empty=True)  # over all pairs of communities
    # The a neurons that both corpora collected, fitted or not; none where activations are not compared:
    active_ids: np.ndarray = array("a", dtype="str", may_be_empty=True)
    active_rows_a: np.ndarray = array("a", dtype="int32", may_be_empty=True)  # index into the ActivationStats of A
    active_rows_b: np.ndarray = array("a", dtype="int32", may_be_empty=True)
    active_orientation: np.ndarray = array("a", dtype="int8", may_be_empty=True)
    mean_a: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    mean_b: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    std_a: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    std_b: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    shift: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # mean of B less A, in standard deviations
    shift_error: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    shift_p_zero: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # of H0: the means are equal
    shift_q_zero: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    shift_p: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # of H0: at most compare.min_shift
    shift_q: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    log_ratio: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # ln of the variance of B over that of A
    log_ratio_error: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    ratio_p_zero: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # of H0: the variances are equal
    ratio_q_zero: np.ndarray = array("a", dtype="float64", may_be_empty=True)
    ratio_p: np.ndarray = array("a", dtype="float64", may_be_empty=True)  # of H0: at most compare.min_ratio
    ratio_q: np.ndarray = array("a", dtype="float64", may_be_empty=True)

    @cached_property
    def metrics(self) -> ComparisonMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(ComparisonMetrics, self.meta)

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        differ = np.count_nonzero(self.differential)
        return f"{self.n_neurons:,} neurons, {differ:,} of {len(self.rows):,} pairs differ"

    @property
    def differential(self) -> np.ndarray:
        """Which of the pairs differ, ``(E,)``."""
        return self.classes >= 0

    def by_change(self) -> np.ndarray:
        """All neurons, those that change most first, ``(p,)``."""
        return np.lexsort((-self.changes, -self.change))

    def by_shift(self) -> np.ndarray:
        """The neurons compared by activation, the most significant shift of the mean first, ``(a,)``."""
        return np.lexsort((-np.abs(self.shift), self.shift_p))

    def activation_columns(self) -> dict[str, Any]:
        """All neurons that both corpora collected, the most significant shift of the mean first.

        Signed numbers are relative to the heavier poles; times ``orientation``, they have the model's own signs.
        """
        order, turned = self.by_shift(), oriented(self)
        columns = {
            "neuron": self.active_ids,
            "orientation": self.active_orientation,
            "mean_a": turned.mean_a,
            "mean_b": turned.mean_b,
            "std_a": self.std_a,
            "std_b": self.std_b,
            "shift": turned.shift,
            "shift_error": self.shift_error,
            "shift_p_value_zero": self.shift_p_zero,
            "shift_q_value_zero": self.shift_q_zero,
            "shift_p_value": self.shift_p,
            "shift_q_value": self.shift_q,
            "variance_ratio": np.exp(self.log_ratio),
            "log_ratio_error": self.log_ratio_error,
            "ratio_p_value_zero": self.ratio_p_zero,
            "ratio_q_value_zero": self.ratio_q_zero,
            "ratio_p_value": self.ratio_p,
            "ratio_q_value": self.ratio_q,
        }
        return {name: values[order] for name, values in columns.items()}

    def community_pair_columns(self) -> dict[str, Any]:
        """All pairs of communities of both graphs, the most significant difference first."""
        order = np.argsort(self.dependence_p, kind="stable")
        columns = {
            "community_i": self.community_first,
            "community_j": self.community_second,
            "pairs": self.community_pairs,
            "dependence_a": self.dependence_a,
            "dependence_b": self.dependence_b,
            "standard_error_a": self.dependence_error_a,
            "standard_error_b": self.dependence_error_b,
            "p_value": self.dependence_p,
            "q_value": self.dependence_q,
        }
        return {name: values[order] for name, values in columns.items()}

    def activations_frame(self) -> pd.DataFrame:
        """Differential activation as a data frame: the columns of ``.activations.csv``, a row per neuron."""
        return frame_of(self.activation_columns())

    def edge_columns(self) -> dict[str, Any]:
        """All pairs of the artifact, those that differ first, from the most to the least significant.

        Signed numbers are relative to the heavier poles; times ``orientation``, they have the model's own signs.
        """
        turned = oriented(self)
        order = np.lexsort((-np.abs(self.z), ~self.differential))
        rows, cols = self.rows[order], self.cols[order]
        names = np.array([*CLASSES, ""])
        return {
            "neuron_i": self.neuron_ids[rows],
            "neuron_j": self.neuron_ids[cols],
            "difference": names[self.classes[order]],
            "partial_correlation_a": turned.rho_a[order],
            "partial_correlation_b": turned.rho_b[order],
            "standard_error_a": self.error_a[order],
            "standard_error_b": self.error_b[order],
            "z": turned.z[order],
            "p_value_zero": self.p_zero[order],
            "q_value_zero": self.q_zero[order],
            "p_value": self.p_values[order],
            "q_value": self.q_values[order],
            "permutation_p": self.permutation_p[order],
            "drawn_a": self.drawn_a[order].astype(int),
            "drawn_b": self.drawn_b[order].astype(int),
            "orientation": pair_signs(self.orientation, rows, cols),
        }

    def neuron_columns(self) -> dict[str, Any]:
        """All neurons, those that change most first."""
        order = self.by_change()
        return {
            "neuron": self.neuron_ids[order],
            "layer": self.layers[order],
            "orientation": self.orientation[order],
            "differential_edges": self.changes[order],
            "change": self.change[order],
            "degree_a": self.degree_a[order],
            "degree_b": self.degree_b[order],
            "jaccard": self.jaccard[order],
            "community_a": self.communities_a[order],
            "community_b": self.communities_b[order],
            "community_both": self.communities_both[order],
        }
