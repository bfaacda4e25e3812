"""The matrix of a linear module, or of some of its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.hooks.neurons import linear_widths

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class LinearPart:
    """Some outputs of the linear module called ``name``."""

    name: str
    module: nn.Module
    outputs: slice

    def weight(self) -> Tensor:
        """The matrix ``(outputs, inputs)``, float32."""
        return weight_of(self.module)[self.outputs]


def weight_of(module: nn.Module) -> Tensor:
    """The matrix ``(outputs, inputs)`` of a linear module, float32."""
    weight: Any = module.weight
    n_in, n_out = linear_widths(module) or (0, 0)
    turned = tuple(weight.shape) == (n_in, n_out) and type(module).__name__ == "Conv1D"
    tensor: Tensor = (weight.T if turned else weight).detach().float()
    return tensor
