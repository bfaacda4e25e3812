"""The two context managers that touch a model: ``record`` reads hook points, ``ablate`` changes neurons.

Both remove their hooks when the block ends, also by an error. A recorder stops the forward pass as soon as
it has what it was asked for: no later layers, and no language-model head (168M of the 268M parameters of
Gemma 3 270M).
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hook_points import HookPoint

if TYPE_CHECKING:
    from torch import Tensor, nn

Edit = Callable[["Tensor"], "Tensor"]


class _Stop(Exception):  # noqa: N818 - not an error
    """Ends a forward pass from inside a hook; never leaves this module."""


# -- reading --------------------------------------------------------------------------------------


@contextmanager
def record(
    model: nn.Module,
    points: Sequence[HookPoint],
    *,
    stop: bool = True,
    call: Callable[..., Any] | None = None,
) -> Iterator[Recorder]:
    """A recorder of the tensors at ``points``, for as many passes as the block makes.

    ``stop=False`` runs every pass to its end. ``call`` stands in for ``model`` when it has to be called in
    another way. Raises :class:`InputError` for a model whose hooks ``torch.compile`` would skip.
    """
    model = uncompiled(model)
    recorder = Recorder(model, tuple(points), stop, call or model)
    with ExitStack() as hooks:
        for point in recorder.points:
            hooks.callback(recorder.attach(point).remove)
        yield recorder


class Recorder:
    """Runs forward passes and keeps what the hooks saw. Made by :func:`record`."""

    def __init__(
        self, model: nn.Module, points: tuple[HookPoint, ...], stop: bool, call: Callable[..., Any]
    ) -> None:
        self.points = points
        self._model = model
        self._stop = stop
        self._call = call
        self._accepted = set(inspect.signature(model.forward).parameters)
        self._device = next(model.parameters()).device
        self._tokens = (0, 0)
        self._seen: dict[str, Tensor] = {}

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> list[Tensor]:
        """Activations per hook point, in order: float32 ``(batch, time, width)``, sharing memory with
        nothing.

        Batches are padded on the right: a bare forward pass then gives every token its right position in
        any model. ``position_ids`` are passed on only where given. Raises :class:`InputError` for padding
        on the left without them, a hooked module that did not run or ran twice, and a tensor of another
        shape than the hook point's.
        """
        import torch

        if attention_mask is not None and position_ids is None:
            _require_right_padding(attention_mask)
        self._tokens = (input_ids.shape[0], input_ids.shape[1])
        inputs = self._inputs(input_ids, attention_mask, position_ids)
        self._seen = {}
        with torch.inference_mode(), suppress(_Stop):
            self._call(**inputs)
        return self._take()

    def _inputs(self, *tensors: Tensor | None) -> dict[str, Any]:
        names = ("input_ids", "attention_mask", "position_ids")
        given = zip(names, tensors, strict=True)
        spare_work = {"use_cache": False, "logits_to_keep": 1}
        return {name: value.to(self._device).long() for name, value in given if value is not None} | {
            name: value for name, value in spare_work.items() if name in self._accepted
        }

    def attach(self, point: HookPoint) -> Any:
        """Hook one point; returns the handle that removes the hook."""
        module = self._model.get_submodule(point.module)
        if point.side == "out":
            return module.register_forward_hook(
                lambda module, args, output: self._keep(point, first_tensor(output))
            )
        return module.register_forward_pre_hook(
            lambda module, args, kwargs: self._keep(point, first_tensor(args or kwargs)),
            with_kwargs=True,
        )

    def _keep(self, point: HookPoint, tensor: Tensor | None) -> None:
        import torch

        if point.name in self._seen:
            raise InputError(
                f"The module of hook point '{point.name}' ran more than once in one pass.",
                "Layers that share weights cannot be told apart; choose another hook point.",
            )
        shaped = _as_tokens(point, tensor, self._tokens)
        # A copy even where nothing needs converting: a view would keep its whole parent alive.
        self._seen[point.name] = shaped.detach().to(self._device, torch.float32, copy=True)
        if self._stop and len(self._seen) == len(self.points):
            raise _Stop

    def _take(self) -> list[Tensor]:
        seen, self._seen = self._seen, {}
        missing = [point.name for point in self.points if point.name not in seen]
        if missing:
            raise InputError(
                f"The module of hook point '{missing[0]}' did not run in the forward pass.",
                "This model does not use it for text; choose another hook point.",
            )
        return [seen[point.name] for point in self.points]


def _require_right_padding(attention_mask: Tensor) -> None:
    if bool((attention_mask[:, 1:] > attention_mask[:, :-1]).any()):
        raise InputError(
            "The batch is padded on the left, which moves the positions of its tokens.",
            "Pad on the right, or pass position_ids.",
        )


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of what a module takes or returns: itself, or the first in a tuple or mapping."""
    import torch

    if isinstance(value, torch.Tensor):
        return value
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | tuple | list):
        return None
    return next((item for item in items if isinstance(item, torch.Tensor)), None)


def _as_tokens(point: HookPoint, tensor: Tensor | None, tokens: tuple[int, int]) -> Tensor:
    """``tensor`` as ``(batch, time, width)``; some modules see batch and time in one dimension."""
    width = point.width or (tensor.shape[-1] if tensor is not None and tensor.ndim else 0)
    expected = (*tokens, width)
    if tensor is not None and tuple(tensor.shape) == (tokens[0] * tokens[1], width):
        tensor = tensor.reshape(expected)
    if tensor is None or tuple(tensor.shape) != expected:
        shape = "no tensor" if tensor is None else str(tuple(tensor.shape))
        raise InputError(
            f"Hook point '{point.name}' gives {shape} where (batch, time, width) = {expected} was expected.",
            "Only tensors with one vector a token can be used; choose another hook point.",
        )
    return tensor


def uncompiled(model: nn.Module) -> nn.Module:
    """The module under ``torch.compile``. Raises :class:`InputError` when a part of it is compiled on its
    own."""
    model = getattr(model, "_orig_mod", model)
    for name, module in model.named_modules():
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise InputError(
                f"'{name or type(model).__name__}' is compiled by torch.compile, which may skip hooks.",
                "Pass the model as it was before it was compiled.",
            )
    return model


# -- changing -------------------------------------------------------------------------------------


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


@contextmanager
def ablate(model: nn.Module, interventions: Sequence[Intervention]) -> Iterator[None]:
    """Every forward pass of the block runs with ``interventions`` applied, in their order.

    Raises :class:`InputError` for a neuron out of range, and at the end for an intervention that no pass
    came by: a recorder that stopped before it would report an effect of exactly zero.
    """
    model = uncompiled(model)
    applied: Counter[str] = Counter()
    for intervention in interventions:
        _require_neurons(intervention)
    with ExitStack() as hooks:
        for intervention in interventions:
            hooks.callback(_attach_edit(model, intervention, applied).remove)
        yield
    for intervention in interventions:
        if not applied[intervention.point.name]:
            raise InputError(
                f"The intervention at '{intervention.point.name}' was never applied: no pass came by it.",
                "Record with stop=False when the hook points lie before it.",
            )


def _attach_edit(model: nn.Module, intervention: Intervention, applied: Counter[str]) -> Any:
    point = intervention.point
    module = model.get_submodule(point.module)

    def edited(value: Any) -> Any:
        applied[point.name] += 1
        return _replace_first(value, lambda tensor: _edit(tensor, intervention))

    if point.side == "out":
        return module.register_forward_hook(lambda module, args, output: edited(output))
    return module.register_forward_pre_hook(
        lambda module, args, kwargs: (edited(args), kwargs) if args else (args, edited(kwargs)),
        with_kwargs=True,
    )


def _edit(tensor: Tensor, intervention: Intervention) -> Tensor:
    import torch

    neurons = intervention.neurons
    index = torch.arange(tensor.shape[-1]) if neurons is None else torch.tensor(neurons)
    index = index.to(tensor.device)
    current = tensor[..., index]
    new = intervention.edit(current).expand_as(current)
    if intervention.positions is not None:
        chosen = intervention.positions.to(tensor.device).reshape(*tensor.shape[:-1], 1)
        new = torch.where(chosen, new, current)
    return tensor.index_copy(-1, index, new)


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


def _require_neurons(intervention: Intervention) -> None:
    width = intervention.point.width
    wrong = [i for i in intervention.neurons or () if not 0 <= i < width]
    if wrong:
        raise InputError(
            f"'{intervention.point.label}[{wrong[0]}]' does not exist: the hook point has {width} neurons.",
            f"Choose indices from 0 to {width - 1}.",
        )
