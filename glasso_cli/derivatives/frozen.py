"""The exact derivative of the network with attention patterns and norm scales held, by forward-mode differentiation.

It knows nothing of the closed form's matrices: the network itself runs, with each norm of the two layers replaced by its
linear map at the scales of this pass, and with queries and keys without a derivative. So it is what the closed form must
give. Forward mode goes through every kernel but fused attention, which runs by its parts here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.attention import AttentionCall, watched_attention
from glasso_cli.derivatives.layout.norms import Norm, as_norm
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of
from glasso_cli.models.layers import find_layers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.derivatives.layout.pair import LayerPair
    from glasso_cli.models.loaded import LoadedModel


class _Reached(Exception):  # noqa: N818 - not an error
    """Ends a pass at the target; never leaves this module."""


def held_derivatives(
    loaded: LoadedModel, pair: LayerPair, neuron: int, inputs: dict[str, Tensor], towards: float | None = None
) -> Tensor:
    """How the target neurons move where the source ``neuron`` moves by one unit at every token, ``(batch, time, p)``.

    With ``towards``, it moves at every token by its distance from that value instead. ``inputs`` are ``input_ids`` and ``attention_mask``, ``(batch, time)``.
    """
    import torch
    from torch.autograd import forward_ad

    model, width = loaded.model, pair.write.shape[0]
    found: list[Tensor] = []

    def push(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        tangent = torch.zeros_like(args[0])
        tangent[..., neuron] = 1 if towards is None else towards - args[0][..., neuron]
        return (forward_ad.make_dual(args[0], tangent), *args[1:])

    def reach(module: nn.Module, args: tuple[Any, ...]) -> None:
        tangent = forward_ad.unpack_dual(args[0]).tangent
        found.append(torch.zeros_like(args[0]) if tangent is None else tangent.detach().clone())
        raise _Reached

    def attend(call: AttentionCall) -> Any:
        return call.of(call.value, prepared=lambda tensor: forward_ad.unpack_dual(tensor).primal)

    with ExitStack() as hooks, errors_of(model):
        hooks.enter_context(torch.no_grad())
        hooks.enter_context(forward_ad.dual_level())
        hooks.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
        hooks.enter_context(watched_attention(attend))
        for norm in _norms_of(loaded, pair, width):
            hooks.callback(norm.module.register_forward_hook(_held(norm), with_kwargs=True).remove)
        for point, hook in ((pair.source, push), (pair.target, reach)):
            hooks.callback(model.get_submodule(point.module).register_forward_pre_hook(hook).remove)
        with suppress(_Reached):
            model(**{name: tensor.to(loaded.device) for name, tensor in inputs.items()})
    return found[0].reshape(*inputs["input_ids"].shape, -1)


def _norms_of(loaded: LoadedModel, pair: LayerPair, width: int) -> list[Norm]:
    """All norms over the stream in both layers, whether the closed form goes through them or not."""
    stack = find_layers(loaded.model)
    found = []
    for layer in (pair.source.layer, pair.target.layer):
        assert layer is not None
        for name, module in stack.layers[layer].named_modules():
            norm = as_norm(name, module, width) if not any(True for _ in module.children()) else None
            if norm is not None:
                found.append(norm)
    return found


def _held(norm: Norm) -> Callable[..., Any]:
    from torch.autograd import forward_ad

    def held(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        given, made = first_tensor(args or kwargs), first_tensor(output)
        assert given is not None
        assert made is not None
        if given.shape[-1] != len(norm.gain):  # a module without weights that is a norm over heads, too
            return output
        values = forward_ad.unpack_dual(made).primal
        scales = norm.scales(forward_ad.unpack_dual(given).primal, values)
        return norm.held(given, scales)

    return held
