"""Precision matrices of several corpora fitted at once, as `compare` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import JointMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented, pair_signs


@dataclass(frozen=True, eq=False, repr=False)
class JointPrecision(Artifact):
    """Sparse precision matrices of p neurons in K corpora, fitted at once; E pairs, those with an entry in any of them."""

    kind: ClassVar[str] = "joint-precision"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray = array("p", dtype="str")
    layers: np.ndarray = array("p", dtype="int32")
    orientation: np.ndarray = array(
        "p", dtype="int8"
    )  # -1 where the heavier pole has negative values; see orientation.py
    corpora: np.ndarray = array("K", dtype="str")
    rows: np.ndarray = array("E", dtype="int32")  # row < column
    cols: np.ndarray = array("E", dtype="int32")
    values: np.ndarray = array("K", "E", dtype="float64")  # precision entries
    partial_correlations: np.ndarray = array("K", "E", dtype="float64")
    diagonals: np.ndarray = array("K", "p", dtype="float64")

    @cached_property
    def metrics(self) -> JointMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(JointMetrics, self.meta)

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        return f"{self.n_neurons:,} neurons, {len(self.corpora)} corpora, {len(self.rows):,} edges in any"

    def edge_columns(self) -> dict[str, Any]:
        """All pairs, those whose partial correlations are furthest apart first; signs as in all tables of edges."""
        rho = oriented(self).partial_correlations
        order = np.argsort(-np.ptp(rho, axis=0), kind="stable")
        table: dict[str, Any] = {
            "neuron_i": self.neuron_ids[self.rows[order]],
            "neuron_j": self.neuron_ids[self.cols[order]],
            "in": presence(self.values)[order],
        }
        table |= {f"partial_correlation_{name}": row[order] for name, row in zip(self.corpora.tolist(), rho)}
        table["orientation"] = pair_signs(self.orientation, self.rows[order], self.cols[order])
        return table


def presence(values: np.ndarray) -> np.ndarray:
    """Of pairs ``(K, E)``: ``sign flip``, ``all`` corpora, ``some`` of more than two, or ``one``, ``(E,)``."""
    there = (values != 0).sum(axis=0)
    flips = (values > 0).any(axis=0) & (values < 0).any(axis=0)
    kinds = [flips, there == len(values), there > 1]
    return np.select(kinds, ["sign flip", "all", "some"], default="one")
