"""What is pushed to learn the derivatives by all neurons of a hook point: the neurons, or fewer directions that they write.

Neurons that a linear module reads write into d coordinates, the output of the module. A neuron that moves by one unit
moves this output by its column of the weights, at every token. So the derivatives along d coordinates give those by any
number of neurons, and nothing needs to be known of what the network does with the output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.intervention.sources import write_vectors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks import HookPoint


@dataclass(frozen=True, eq=False)
class Push:
    """K pushes that stand for m source neurons of ``source``: each moves one coordinate of ``point`` by one at every token."""

    source: HookPoint
    neurons: np.ndarray  # (m,) coordinates of the source neurons at ``source``
    point: HookPoint  # where pushes enter: ``source``, or the output of the linear module that reads it
    coordinates: np.ndarray  # (K,) at ``point``
    writes: np.ndarray | None  # (K, m) float32: what a unit of each neuron adds there; None where neurons are pushed

    @property
    def by(self) -> str:
        """``directions`` or ``sources``."""
        return "sources" if self.writes is None else "directions"

    def vectors(self) -> Tensor:
        """The pushes at ``point``, ``(K, width)`` float32."""
        return _rows_of_ones(self.coordinates, self.point.width)

    def alone(self, chosen: np.ndarray) -> Push:
        """Some of the source neurons ``chosen (s,)`` of the m, pushed themselves."""
        return of_sources(self.source, self.neurons[chosen])

    def written(self, chosen: np.ndarray) -> Tensor:
        """The same neurons as pushes at ``point``, ``(s, width)``."""
        import torch

        if self.writes is None:
            return self.vectors()[chosen]
        return torch.from_numpy(np.ascontiguousarray(self.writes[:, chosen].T))


def push_of(model: nn.Module, source: HookPoint, neurons: np.ndarray) -> Push:
    """The pushes for ``neurons (m,)``, coordinates of ``source``: directions where they are fewer."""
    writes = None
    if source.side == "in" and source.run is None:
        start = 0 if source.part is None else source.part.start
        writes = write_vectors(model.get_submodule(source.module), neurons + start)
    if writes is None or writes.shape[1] >= len(neurons):
        return of_sources(source, neurons)
    width = writes.shape[1]
    output = replace(source, name=f"{source.module}:out", width=width, label=f"{source.module}:out", heads=None)
    return Push(source, neurons, output, np.arange(width), np.ascontiguousarray(writes.T))


def of_sources(source: HookPoint, neurons: np.ndarray) -> Push:
    """Each of ``neurons (m,)`` pushed itself."""
    return Push(source, neurons, source, neurons, None)


def _rows_of_ones(coordinates: np.ndarray, width: int) -> Tensor:
    import torch

    rows = torch.zeros(len(coordinates), width)
    rows[torch.arange(len(coordinates)), torch.from_numpy(coordinates).long()] = 1
    return rows
