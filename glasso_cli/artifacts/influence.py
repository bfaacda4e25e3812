"""What neurons of one layer do to those of the next on one corpus, as `influence` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import InfluenceMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented, pair_signs


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Artifact):
    """Expected derivatives of neurons by neurons that run earlier: E ordered pairs of p neurons.

    The pairs are edges, or all pairs with ``influence.keep: all``. Derivatives are in standard deviations of the target per
    standard deviation of the source, for a source that moves at every token. With ``influence.paths: closed`` they hold
    attention patterns and the scales of norms at their values, with ``all`` nothing: see docs/influence.md.
    """

    kind: ClassVar[str] = "influence"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    orientation: np.ndarray = array("p", dtype="int8")  # as in ActivationStats; see orientation.py
    neurons: np.ndarray = array("p", dtype="int32")  # index into the ActivationStats
    std: np.ndarray = array("p", dtype="float64")  # standard deviation of the activation, the unit of the derivatives
    counts: np.ndarray = array("B", dtype="int64")  # tokens per block of documents
    sources: np.ndarray = array("E", dtype="int32")  # index into neuron_ids
    targets: np.ndarray = array("E", dtype="int32")
    mean: np.ndarray = array("E", dtype="float32")  # over tokens: the effect of a constant push
    error: np.ndarray = array("E", dtype="float32")  # standard error of the mean, over documents
    # The part of the mean along the stream, without attention; empty where all paths are taken together:
    direct: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    direct_error: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    rms: np.ndarray = array("E", dtype="float32")  # root mean square over tokens: the typical size at a token
    rms_error: np.ndarray = array("E", dtype="float32")  # its standard error, over documents
    z: np.ndarray = array("E", dtype="float32")  # mean over error
    # Mean change of the target, in its standard deviations, where the source is set to its mean; empty without it:
    ablation: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    ablation_error: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    # Root mean square over tokens of that change, the typical size at a token:
    ablation_rms: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    ablation_rms_error: np.ndarray = array("E", dtype="float32", may_be_empty=True)
    p_values: np.ndarray = array("E", dtype="float64")  # of H0: |mean| is at most influence.min_effect
    q_values: np.ndarray = array("E", dtype="float64")  # over all pairs of all layers
    edge: np.ndarray = array("E", dtype="bool")  # q_values at most influence.fdr
    # Of each of X edges, in the order of the pairs, and of each block: the root of the block's jackknife weight times the mean of the
    # block less that of all. The squares of an edge add up to that of its error. Not there where it would take too much room.
    block_deviations: np.ndarray | None = array("X", "B", dtype="float32", optional="blocks")

    @cached_property
    def metrics(self) -> InfluenceMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(InfluenceMetrics, self.meta)

    @property
    def ablated(self) -> bool:
        """Whether it has what ablation does."""
        return self.metrics.ablation_tokens is not None

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        edges = np.count_nonzero(self.edge)
        return f"{self.n_neurons:,} neurons, {edges:,} edges of {self.metrics.tested:,} pairs"

    def strongest(self) -> np.ndarray:
        """The edges, those of the largest influence first: indices ``(…,)`` into the E pairs."""
        found = np.flatnonzero(self.edge)
        return found[np.argsort(-np.abs(self.mean[found]), kind="stable")]

    def edge_columns(self) -> dict[str, Any]:
        """The edges, the largest influence first. Signs are relative to the heavier poles of both neurons."""
        order, turned = self.strongest(), oriented(self)
        sources, targets = self.sources[order], self.targets[order]
        closed = self.metrics.paths == "closed"
        direct = ("direct", "direct_error") if closed else ()
        ablation = ("ablation", "ablation_error", "ablation_rms", "ablation_rms_error") if self.ablated else ()
        return {
            "source": self.neuron_ids[sources],
            "target": self.neuron_ids[targets],
            "influence": turned.mean[order],
            "standard_error": self.error[order],
            **{name: getattr(turned, name)[order] for name in direct},
            "rms": self.rms[order],
            "rms_error": self.rms_error[order],
            **{name: getattr(turned, name)[order] for name in ablation},
            "z": turned.z[order],
            "p_value": self.p_values[order],
            "q_value": self.q_values[order],
            "orientation": pair_signs(self.orientation, sources, targets),
        }

    def neuron_columns(self) -> dict[str, Any]:
        """All neurons: how many edges leave and reach each, and the sums of their absolute influence."""
        found = np.flatnonzero(self.edge)
        size = np.abs(self.mean[found]).astype(float)
        ends = {"out": self.sources[found], "in": self.targets[found]}
        columns: dict[str, Any] = {"neuron": self.neuron_ids, "layer": self.layers, "orientation": self.orientation}
        for side, neurons in ends.items():
            columns[f"degree_{side}"] = np.bincount(neurons, minlength=self.n_neurons)
            columns[f"strength_{side}"] = np.bincount(neurons, size, minlength=self.n_neurons)
        return columns
