"""Proofs of hook points in models of images and sounds, which use nothing of the package's own.

As in :mod:`support.proofs`, they look at the graph of autograd and at what other modules read.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from glasso_cli.hooks import HookPoint
from support.proofs import (
    ACTIVATION,
    ELEMENTWISE,
    LINEAR,
    NORM,
    SOFTMAX,
    equal,
    first,
    is_normed,
    nodes_before,
    reached,
    require_activated,
)

CONVOLUTION = re.compile(r"(\w*Convolution|Addmm|Mm|Linear)Backward")  # a 1 x 1 convolution may be a product
NORMS = re.compile(
    r"\w*(Convolution|ConstantPad|BatchNorm|LayerNorm|GroupNorm|InstanceNorm|Sqrt|Var|Dropout|Contiguous|Sum)\w*Backward"
)

Inputs = dict[str, Tensor]


def prove(model: Any, point: HookPoint, inputs: Inputs, layers: list[str]) -> Tensor:
    """The tensor at ``point`` for ``inputs`` of one document; fails unless it is what the short form says.

    ``layers`` are the paths of the layers in the order of the pass.
    """
    (tensor,) = own_tensors(model, [point], inputs)
    {"mlp": prove_neurons, "head": prove_heads, "resid": prove_residual}[point.kind or ""](
        model, point, tensor, inputs, layers
    )
    return tensor


def own_tensors(model: Any, points: list[HookPoint], inputs: Inputs, **more: Any) -> list[Tensor]:
    """What hooks of the test's own see at ``points``, each once, with its graph."""
    kept: dict[str, list[Tensor]] = {point.name: [] for point in points}
    handles = []
    for point in points:
        module = model.get_submodule(point.module)
        if point.side == "in":
            handle = module.register_forward_pre_hook(
                lambda _, args, kwargs, name=point.name: kept[name].append(
                    args[0] if args else next(iter(kwargs.values()))
                ),
                with_kwargs=True,
            )
        else:
            handle = module.register_forward_hook(lambda _, args, out, name=point.name: kept[name].append(first(out)))
        handles.append(handle)
    try:
        with torch.enable_grad():
            model.requires_grad_(True)
            model(**inputs, **more)
    finally:
        model.requires_grad_(False)
        for handle in handles:
            handle.remove()
    assert all(len(tensors) == 1 for tensors in kept.values())
    return [tensors[0] for tensors in kept.values()]


def prove_neurons(model: Any, point: HookPoint, tensor: Tensor, inputs: Inputs, layers: list[str]) -> None:
    """Inside its layer, the tensor follows from linear modules by an activation function.

    A convolution over the image may lie between (SegFormer).
    """
    assert point.module.startswith(f"{layers[point.layer or 0]}.")
    try:
        require_activated(tensor, LINEAR)
    except AssertionError:
        nodes = [node.name() for node in nodes_before(tensor, LINEAR)]
        assert any("Convolution" in name for name in nodes)
        known = (LINEAR, ACTIVATION, ELEMENTWISE, NORMS)
        assert [name for name in nodes if not any(kind.match(name) for kind in known)] == []
        assert ACTIVATION.match(next(name for name in nodes if not ELEMENTWISE.match(name)))


def prove_heads(model: Any, point: HookPoint, tensor: Tensor, inputs: Inputs, layers: list[str]) -> None:
    """A token's part of one head has gradients in this head and token of the attention, and in no other."""
    assert point.module.startswith(f"{layers[point.layer or 0]}.")
    attention = [node for node in nodes_before(tensor, LINEAR, SOFTMAX) if SOFTMAX.match(node.name())]
    assert attention
    time = tensor.numel() // tensor.shape[-1]
    rows = tensor.reshape(time, -1)
    heads = point.heads or 0
    assert heads > 0
    arrived: list[Tensor] = []
    handles = [node.register_prehook(lambda grads: arrived.append(grads[0])) for node in attention]
    for head, part in enumerate(rows.chunk(heads, dim=1)):
        for token in (0, time - 1):
            arrived.clear()
            part[token].sum().backward(retain_graph=True)
            assert len(arrived) == len(attention)
            for gradient in arrived:
                assert set(reached(gradient, time)) == {(head, token)}
    for handle in handles:
        handle.remove()
    model.zero_grad()


def prove_residual(model: Any, point: HookPoint, tensor: Tensor, inputs: Inputs, layers: list[str]) -> None:
    """It is a hidden state that the model names, and what the next layer reads; the last may be normed in between."""
    with torch.no_grad():
        states = list(model(**inputs, output_hidden_states=True).hidden_states)
        values = tensor.detach()
        layer = point.layer or 0
        if layer == len(layers) - 1:
            assert equal(values, states[-1]) or is_normed(model, values, states[-1])
            return
        assert any(equal(values, state) for state in states)
        read = read_after(model, inputs, layers[layer], layers[layer + 1])
        if any(equal(item, values) for item in read):
            return
        # YOLOS adds places to the stream between the layers: the same for every image.
        other = {name: item.flip(-1) for name, item in inputs.items()}
        again = own_tensors(model, [point], other)[0].detach()
        (added,) = (item - values for item in read[:1])
        (as_before,) = (item - again for item in read_after(model, other, layers[layer], layers[layer + 1])[:1])
        assert torch.allclose(added, as_before, atol=1e-5)


def read_after(model: Any, inputs: Inputs, layer: str, following: str) -> list[Tensor]:
    """What the layer ``following`` reads, and what modules read between ``layer`` and it."""
    read: list[Tensor] = []
    last: list[Tensor] = []
    running: list[bool] = []

    def enter(module: Any, args: Any, kwargs: Any) -> None:
        given = [item for item in [*args, *kwargs.values()] if isinstance(item, Tensor)]
        if running and given:
            (last if module is model.get_submodule(following) else read).append(given[0])
        if module is model.get_submodule(following):
            running.clear()

    handles = [module.register_forward_pre_hook(enter, with_kwargs=True) for module in model.modules()]
    handles.append(model.get_submodule(layer).register_forward_hook(lambda *_: running.append(True)))
    model(**inputs)
    for handle in handles:
        handle.remove()
    return [*last, *read]


def prove_channels(tensor: Tensor) -> None:
    """Back to the nearest convolutions there are norms, activation functions and elementwise steps alone."""
    nodes = [node.name() for node in nodes_before(tensor, CONVOLUTION)]
    assert [name for name in nodes if CONVOLUTION.match(name)]
    known = (CONVOLUTION, ACTIVATION, ELEMENTWISE, NORM, NORMS)
    assert [name for name in nodes if not any(kind.match(name) for kind in known)] == []
