"""Interventions: neurons of a hook point and what becomes of them while a model runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.point import HookPoint
from glasso_cli.hooks.record import first_tensor, uncompiled

if TYPE_CHECKING:
    from torch import Tensor, nn


Edit = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """Neurons of a hook point and what becomes of them, everywhere or at ``positions`` ``(batch, time)``.

    ``edit`` takes the current values ``(batch, time, neurons)``, with no axis or several in the place of time where the hook
    point has them, and returns the new ones, or something that broadcasts to them: see :func:`zero`, :func:`set_to` and :func:`add`. ``neurons`` None means all.
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

    neurons, part = intervention.neurons, intervention.point.part
    width = tensor.shape[-1] if part is None else intervention.point.width
    index = torch.arange(width) if neurons is None else torch.tensor(neurons)
    index = (index if part is None else index + part.start).to(tensor.device)
    current = tensor[..., index]
    new = intervention.edit(current).expand_as(current)
    if intervention.positions is not None:
        new = torch.where(intervention.positions.to(tensor.device)[..., None], new, current)
    return tensor.index_copy(-1, index, new)


def require_neurons(intervention: Intervention) -> None:
    """Raise :class:`InputError` unless every neuron exists."""
    width = intervention.point.width
    wrong = [i for i in intervention.neurons or () if not 0 <= i < width]
    if wrong:
        raise InputError(
            f"'{intervention.point.label}[{wrong[0]}]' does not exist: the hook point has {width} neurons.",
            f"Choose indices from 0 to {width - 1}.",
        )


@contextmanager
def ablate(model: nn.Module, interventions: Sequence[Intervention]) -> Iterator[None]:
    """Every forward pass of the block runs with ``interventions`` applied, in their order.

    Raises :class:`InputError` for a neuron out of range, and at the end for an intervention that no pass
    came by: a recorder that stopped before it would report an effect of exactly zero.
    """
    model = uncompiled(model)
    for intervention in interventions:
        require_neurons(intervention)
        _require_module_side(intervention.point)
    editors = [_Editor(intervention) for intervention in interventions]
    with ExitStack() as hooks:
        for editor in editors:
            for handle in editor.attach(model):
                hooks.callback(handle.remove)
        yield
    for editor in editors:
        if not editor.applied:
            raise InputError(
                f"The intervention at '{editor.point.name}' was never applied: no pass came by it.",
                "Record with stop=False when the hook points lie before it.",
            )


def _require_module_side(point: HookPoint) -> None:
    if point.expert is not None:
        raise InputError(
            f"The neurons of an expert cannot be changed: '{point.name}' is no tensor that a module takes or gives.",
            f"Change '{point.module}:in' or '{point.module}:out', what its experts take and give.",
        )


class _Editor:
    """One intervention at work."""

    def __init__(self, intervention: Intervention) -> None:
        self.intervention = intervention
        self.point = intervention.point
        self.applied = False
        self._runs = 0  # of the module in the pass under way
        self._tokens: tuple[int, ...] = ()  # (batch, time) of the pass under way

    def attach(self, model: nn.Module) -> Iterator[Any]:
        """The handles of the hooks: one on the model, for the shape of its input, and one on the module."""
        yield model.register_forward_pre_hook(self._begin, with_kwargs=True)
        module = model.get_submodule(self.point.module)
        if self.point.side == "out":
            yield module.register_forward_hook(lambda module, args, output: self._change(output))
        else:
            yield module.register_forward_pre_hook(self._change_input, with_kwargs=True)

    def _begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = first_tensor(args or kwargs)
        self._tokens = () if ids is None else tuple(ids.shape[:2])
        self._runs = 0

    def _change_input(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return (self._change(args), kwargs) if args else (args, self._change(kwargs))

    def _change(self, value: Any) -> Any:
        self._runs += 1
        if self.point.run not in (None, self._runs):
            return value
        self.applied = True
        return _replace_first(value, self._edit)

    def _edit(self, tensor: Tensor) -> Tensor:
        if self._tokens and tuple(tensor.shape[:-1]) == (prod(self._tokens),):  # both in one dimension
            apart = tensor.reshape(*self._tokens, tensor.shape[-1])
            return edited(apart, self.intervention).reshape(tensor.shape)
        order = self.point.units_last
        if tensor.ndim != len(order) or order == sorted(order):
            return edited(tensor, self.intervention)
        back = [order.index(axis) for axis in range(tensor.ndim)]
        return edited(tensor.permute(order), self.intervention).permute(back).contiguous()


def _replace_first(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """``value`` with its first tensor changed; the containers are copied, not written to."""
    import torch

    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        changed = copy.copy(value)
        key = next(k for k, item in value.items() if isinstance(item, torch.Tensor))
        changed[key] = change(value[key])
        return changed
    at = next(i for i, item in enumerate(value) if isinstance(item, torch.Tensor))
    return (*value[:at], change(value[at]), *value[at + 1 :])
