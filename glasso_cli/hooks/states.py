"""Whether the output of a layer is the model's own hidden state, as the residual stream must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.record import first_tensor, record
from glasso_cli.models.forward import one_pass

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from glasso_cli.hooks.point import HookPoint
    from glasso_cli.models.layers import LayerStack


def require_hidden_states(
    model: PreTrainedModel,
    stack: LayerStack,
    points: Sequence[HookPoint],
    inputs: Mapping[str, Tensor],
    tolerance: float,
) -> None:
    """Raise :class:`InputError` unless every ``resid`` point of ``points`` is the model's hidden state after its layer.

    The model says what its hidden states are (``output_hidden_states``). The state after the last layer may be given
    after the final norm: then a module outside the layers must turn the one into the other. ``inputs`` are arguments of
    the model by name, without padding; ``tolerance`` is relative to a token's norm.
    """
    residual = [point for point in points if point.kind == "resid"]
    if not residual:
        return
    states: list[Tensor] = []
    entering: list[Tensor] = []  # the first layer
    modules: list[tuple[str, Tensor, Tensor]] = []  # outside the layers: name, first input and output

    def call() -> None:
        output = one_pass(model, inputs, output_hidden_states=True)
        states.extend(getattr(output, "hidden_states", None) or ())

    def enter(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        entering.extend(tensor for tensor in [first_tensor(args or kwargs)] if tensor is not None)

    with ExitStack() as hooks, record(model, residual, stop=False) as recorder:
        for name, module in model.named_modules():
            if stack.layer_of(name) is None and not any(True for _ in module.children()):
                keep = _keeper(name, modules)
                hooks.callback(module.register_forward_hook(keep, with_kwargs=True).remove)
        hooks.callback(stack.layers[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
        seen = recorder.read(call, _as_it_is)
    n_layers = len(stack.layers)
    if len(states) != n_layers + 1:
        raise InputError(
            f"'{type(model).__name__}' gives {len(states)} hidden states for {n_layers} layers, so nothing proves that "
            f"'{residual[0].name}' is its residual stream.",
            _ADVICE,
        )
    # RWKV and Falcon Mamba leave out what enters the first layer, and put the normed state behind the last one.
    without_first = not any(_equal(tensor, states[0], tolerance) for tensor in entering)
    for point, values in zip(residual, seen, strict=True):
        layer = point.layer or 0
        state = states[layer + 1]
        if _equal(values, state, tolerance) or (without_first and _equal(values, states[layer], tolerance)):
            continue
        normed = any(_equal(values, given, tolerance) and _equal(made, state, tolerance) for _, given, made in modules)
        if layer != n_layers - 1 or not normed:
            raise InputError(
                f"The output of '{point.module}' is not the model's own hidden state {layer + 1}, so 'resid.{layer}' is "
                "not its residual stream.",
                _ADVICE,
            )


def is_hidden_state(
    model: PreTrainedModel, stack: LayerStack, point: HookPoint, inputs: Mapping[str, Tensor] | None = None
) -> bool:
    """Whether ``point``, which is labelled as the residual stream, is the model's hidden state for ``inputs``.

    These are arguments of the model by name; None gives it a few tokens.
    """
    from glasso_cli.hooks.neurons import NEURON_TOLERANCE, probe_inputs

    try:
        require_hidden_states(model, stack, [point], inputs or probe_inputs(model), NEURON_TOLERANCE["float32"])
    except InputError:
        return False
    return True


_ADVICE = "Name a module and a side instead, such as 'model.layers.0.mlp:out'."


def _as_it_is(point: HookPoint, tensor: Tensor | None) -> Tensor:
    import torch

    return torch.empty(0) if tensor is None else tensor


def _keeper(name: str, modules: list[tuple[str, Tensor, Tensor]]) -> Any:
    def keep(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        given, made = first_tensor(args or kwargs), first_tensor(output)
        if given is not None and made is not None and given.shape == made.shape:
            modules.append((name, given.detach(), made.detach()))

    return keep


def _equal(values: Tensor, state: Tensor, tolerance: float) -> bool:
    """Whether two tensors ``(batch, time, width)`` are equal, token by token."""
    if values.shape != state.shape:
        return False
    state = state.to(values.device, values.dtype)
    distance, norm = (values - state).norm(dim=-1), values.norm(dim=-1)
    return bool((distance <= tolerance * norm).all())
