"""Which axis of a tensor is units, which is documents, and which are positions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.point import HookPoint

_LAST = ("Linear", "LayerNorm", "RMSNorm", "Embedding")  # modules that work on the last axis
_FIRST = ("Conv1d", "ConvTranspose1d", "BatchNorm1d", "MaxPool1d", "AvgPool1d", "GroupNorm", "InstanceNorm1d")


def axes_of(module: nn.Module, tensor: Tensor) -> str | None:
    """The axes of a tensor that ``module`` reads or gives, by torch's conventions; None for 1 axis or more than 5.

    Rows are ``bc``. Three axes are ``bct`` at one-dimensional convolutions, and ``btc`` elsewhere; recurrent modules say
    themselves whether documents come first. Four axes are ``bchw``, or ``bhwc`` at modules that work on the last axis.
    """
    from torch import nn

    names = {kind.__name__ for kind in type(module).__mro__}
    last = not names.isdisjoint(_LAST)
    if tensor.ndim == 3:
        if isinstance(module, nn.RNNBase):
            return "btc" if module.batch_first else "tbc"
        return "btc" if last or names.isdisjoint(_FIRST) else "bct"
    if tensor.ndim in (4, 5):
        positions = "hw" if tensor.ndim == 4 else "dhw"
        return f"b{positions}c" if last else f"bc{positions}"
    return "bc" if tensor.ndim == 2 else None


def grid_of(point: HookPoint, tensor: Tensor) -> tuple[int, ...]:
    """The lengths of the axes that are positions, in their order."""
    return tuple(size for axis, size in zip(point.axes, tensor.shape) if axis not in "bc")


def as_samples(point: HookPoint, tensor: Tensor | None, documents: int) -> Tensor:
    """``tensor`` as ``(documents, positions, units)``, positions row by row.

    Raises :class:`InputError` for a tensor of another shape than the axes of ``point`` say.
    """
    if tensor is None or tensor.ndim != len(point.axes):
        shape = "no tensor" if tensor is None else f"a tensor of shape {tuple(tensor.shape)}"
        raise InputError(
            f"Hook point '{point.name}' gives {shape} where the axes {point.axes} were expected.",
            "Choose another hook point, or give collect.axes.",
        )
    sizes = dict(zip(point.axes, tensor.shape))
    if sizes["b"] != documents or (point.width and sizes["c"] != point.width):
        raise InputError(
            f"Hook point '{point.name}' gives a tensor of shape {tuple(tensor.shape)}, whose axes are not {point.axes} with "
            f"{documents} documents" + (f" and {point.width} units." if point.width else "."),
            "Give collect.axes: one letter for each axis, b documents, c units, others positions.",
        )
    positions = prod(grid_of(point, tensor))
    return tensor.permute(point.units_last).reshape(documents, positions, sizes["c"])
