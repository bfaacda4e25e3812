"""Interventions: neurons of a hook point and what becomes of them while a model runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hook_points import HookPoint

if TYPE_CHECKING:
    from torch import Tensor

Edit = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Intervention:
    """Neurons of a hook point and what becomes of them, everywhere or at ``positions`` ``(batch, time)``.

    ``edit`` takes the current values ``(batch, time, neurons)`` and returns the new ones, or something that
    broadcasts to them: see :func:`zero`, :func:`set_to` and :func:`add`. ``neurons`` None means all.
    """

    point: HookPoint
    edit: Edit
    neurons: tuple[int, ...] | None = None
    positions: Tensor | None = None


def zero(values: Tensor) -> Tensor:
    """Zeros in place of ``values``."""
    return values.new_zeros(())


def set_to(values: Tensor | float) -> Edit:
    """An edit to fixed values: a mean ``(neurons,)``, or resampled ones ``(batch, time, neurons)``."""
    return lambda current: _like(values, current)


def add(delta: Tensor | float) -> Edit:
    """An edit that adds ``delta``, a number or ``(neurons,)``."""
    return lambda current: current + _like(delta, current)


def _like(values: Tensor | float, current: Tensor) -> Tensor:
    import torch

    return torch.as_tensor(values, dtype=current.dtype, device=current.device)


def edited(tensor: Tensor, intervention: Intervention) -> Tensor:
    """A copy of ``tensor`` ``(batch, time, width)`` with the intervention applied."""
    import torch

    neurons = intervention.neurons
    index = torch.arange(tensor.shape[-1]) if neurons is None else torch.tensor(neurons)
    index = index.to(tensor.device)
    current = tensor[..., index]
    new = intervention.edit(current).expand_as(current)
    if intervention.positions is not None:
        new = torch.where(intervention.positions.to(tensor.device)[..., None], new, current)
    return tensor.index_copy(-1, index, new)


def require_neurons(intervention: Intervention) -> None:
    """Nothing, when the neurons exist; raises :class:`InputError` naming one that does not."""
    width = intervention.point.width
    wrong = [i for i in intervention.neurons or () if not 0 <= i < width]
    if wrong:
        raise InputError(
            f"'{intervention.point.label}[{wrong[0]}]' does not exist: the hook point has {width} neurons.",
            f"Choose indices from 0 to {width - 1}.",
        )
