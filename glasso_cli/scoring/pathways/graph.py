"""The graph across layers on which paths are sought: derivatives, or regression coefficients, from earlier to later layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.artifacts import Influence, OrderedGraph
from glasso_cli.errors import InputError


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """E edges between p neurons, each from an earlier layer to a later one.

    A weight is in standard deviations of the target per standard deviation of the source, with the model's own signs.
    """

    neuron_ids: np.ndarray  # (p,) str
    layers: np.ndarray  # (p,)
    sources: np.ndarray  # (E,)
    targets: np.ndarray  # (E,)
    weights: np.ndarray  # (E,) float64
    errors: np.ndarray  # (E,) standard errors over documents
    # (E, B) what each block of documents adds to the error, as in Influence; None where that is not known:
    deviations: np.ndarray | None = None

    @classmethod
    def of(cls, artifact: Influence | OrderedGraph) -> LayeredGraph:
        """The edges of either kind of graph."""
        return cls.of_association(artifact) if isinstance(artifact, OrderedGraph) else cls.of_influence(artifact)

    @classmethod
    def of_influence(cls, influence: Influence) -> LayeredGraph:
        """The edges of expected derivatives, from each layer to the next one of the graph.

        A derivative along all paths of the network that skips a layer of the graph has the paths through that layer in it, which
        would count twice.
        """
        place = np.unique(influence.layers, return_inverse=True)[1]
        edge, deviations = np.flatnonzero(influence.edge), influence.block_deviations
        next_ = place[influence.targets[edge]] <= place[influence.sources[edge]] + 1
        edge = edge[next_]
        return cls._checked(
            influence.neuron_ids,
            influence.layers,
            influence.sources[edge],
            influence.targets[edge],
            influence.mean[edge],
            influence.error[edge],
            None if deviations is None else deviations[next_],
        )

    @classmethod
    def of_association(cls, graph: OrderedGraph) -> LayeredGraph:
        """The drawn edges of regressions on earlier layers, by the coefficients without the penalty's bias."""
        kept, (sources, targets, _) = graph.kept, graph.edges()
        return cls._checked(
            graph.neuron_ids,
            graph.layers,
            sources[kept],
            targets[kept],
            graph.coefficients[kept],
            graph.coefficient_errors[kept],
        )

    @classmethod
    def _checked(
        cls,
        neuron_ids: np.ndarray,
        layers: np.ndarray,
        sources: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        errors: np.ndarray,
        deviations: np.ndarray | None = None,
    ) -> LayeredGraph:
        if not (layers[sources] < layers[targets]).all():
            raise InputError(
                "An edge does not go from an earlier layer to a later one, so paths could run in circles.",
                "Delete the artifact and run its stage again.",
            )
        return cls(
            np.asarray(neuron_ids),
            np.asarray(layers),
            sources.astype(np.int64),
            targets.astype(np.int64),
            weights.astype(np.float64),
            errors.astype(np.float64),
            None if deviations is None else deviations.astype(np.float64),
        )

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    @cached_property
    def matrix(self) -> csr_array:
        """B ``(p, p)``, targets in rows: one step along the edges."""
        p = self.n_neurons
        return csr_array(coo_array((self.weights, (self.targets, self.sources)), shape=(p, p)))

    def in_layer(self, layer: int) -> np.ndarray:
        """The neurons of a layer, as indices."""
        return np.flatnonzero(self.layers == layer)
