"""The tensor that ``conv.N`` stands for: the channels of a convolution after its normalisation and nonlinearity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.modules.trace import Call

_BETWEEN = ("_NormBase", "GroupNorm", "LayerNorm", "LocalResponseNorm", "_DropoutNd", "Identity", "LayerNorm2d")
_FUNCTIONS = ("relu", "relu6", "silu", "gelu", "leaky_relu", "hardswish", "elu", "sigmoid", "tanh", "mish", "softplus")
_CLOSE = 1e-4  # of the norm: two ways to compute one nonlinearity


def convolutions(calls: Sequence[Call]) -> list[str]:
    """The place ``module:side`` of every convolution's channels, in the order in which they run.

    It is the output of the nonlinearity that follows, past any normalisation. Where that is a function and no module, it
    is the input of the module that is proved to read it. A convolution without a nonlinearity gives its own output after
    its normalisation.
    """
    return [_place(calls, index) for index, call in enumerate(calls) if _is(call.module, "_ConvNd")]


def _place(calls: Sequence[Call], index: int) -> str:
    end = calls[index]
    for call in calls[index + 1 :]:
        if call.given_is is not end.made_is or call.made.shape != end.made.shape:
            continue
        if type(call.module).__module__ == "torch.nn.modules.activation":
            return f"{call.name}:out"
        if _is(call.module, *_BETWEEN):
            end = call
    return _reader(calls[index + 1 :], end) or f"{end.name}:out"


def _reader(later: Sequence[Call], end: Call) -> str | None:
    """The module that reads a nonlinear function of what ``end`` gave, or None."""
    shaped = [call for call in later if call.given.shape == end.made.shape and call.given_is is not end.made_is]
    for call in shaped[:8]:
        if any(_equal(call.given, function) for function in _nonlinear(end.made)):
            return f"{call.name}:in"
    return None


def _nonlinear(values: Tensor) -> list[Tensor]:
    from torch.nn import functional

    return [getattr(functional, name)(values) for name in _FUNCTIONS]


def _equal(first: Tensor, second: Tensor) -> bool:
    return float((first - second).norm()) <= _CLOSE * float(second.norm())


def _is(module: nn.Module, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(module).__mro__)
