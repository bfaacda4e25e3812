"""What the modules of two neighbouring layers took and gave in one short pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.attention import AttentionCall, watched_attention
from glasso_cli.derivatives.layout.norms import Norm, as_norm
from glasso_cli.hooks.neurons import NEURON_TOLERANCE, NOT_MLP, linear_widths
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack


@dataclass(frozen=True, eq=False)
class ModuleCall:
    """One run of a module: its first input and its first output, ``(tokens, width)`` float32."""

    name: str
    module: nn.Module
    given: Tensor
    made: Tensor


@dataclass(frozen=True, eq=False)
class HeadsCall:
    """One run of attention: values ``(tokens, value heads * width)`` and results ``(tokens, heads * width)``."""

    module: nn.Module
    values: Tensor
    made: Tensor
    value_heads: int
    heads: int


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer in the pass: its path, its input ``(tokens, d)``, and what ran in it, in the order in which it ended."""

    path: str
    given: Tensor
    calls: list[ModuleCall]
    attention: list[HeadsCall]

    def linear(self, *, attention: bool) -> Iterator[ModuleCall]:
        """The runs of linear modules; without ``attention``, only those of modules outside attention."""
        for call in self.calls:
            if linear_widths(call.module) and (attention or not NOT_MLP.search(call.name.removeprefix(self.path))):
                yield call

    def norms(self) -> Iterator[tuple[Norm, ModuleCall]]:
        """The runs of norms over the residual stream."""
        width = self.given.shape[1]
        for call in self.calls:
            if call.given.shape == call.made.shape and call.given.shape[1] == width:
                if any(True for module in call.module.modules() if linear_widths(module)):
                    continue
                norm = as_norm(call.name, call.module, width)
                if norm is not None:
                    yield norm, call

    def streams(self) -> Iterator[Tensor]:
        """Tensors of the width of the residual stream that modules took or gave."""
        yield self.given
        for call in self.calls:
            yield from (item for item in (call.given, call.made) if item.shape == self.given.shape)


def seen_layers(model: PreTrainedModel, stack: LayerStack, layers: tuple[int, ...], input_ids: Tensor) -> list[Layer]:
    """The ``layers`` of ``stack`` in one pass over ``input_ids (batch, time)``."""
    import torch

    paths = {layer: stack.path_of(layer) for layer in layers}
    passes = {layer: _Pass(paths[layer]) for layer in layers}
    inside = {
        id(module): layer for layer in layers for module in model.get_submodule(paths[layer]).modules()
    }  # what runs in a layer

    def watch(call: AttentionCall) -> Any:
        result = call.of(call.value)
        layer = inside.get(id(call.module))
        if layer is not None and first_tensor(result) is not None:
            passes[layer].attend(call, first_tensor(result))
        return result

    more = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    with ExitStack() as hooks, errors_of(model), torch.no_grad(), watched_attention(watch):
        for layer in layers:
            root = model.get_submodule(paths[layer])
            hooks.callback(root.register_forward_pre_hook(passes[layer].begin, with_kwargs=True).remove)
            for name, module in root.named_modules():
                if name:
                    keep = passes[layer].keep(f"{paths[layer]}.{name}")
                    hooks.callback(module.register_forward_hook(keep, with_kwargs=True).remove)
        model(input_ids=input_ids.to(next(model.parameters()).device), **more)
    return [Layer(seen.path, seen.given[0], seen.calls, seen.attention) for seen in passes.values() if seen.given]


def alike(first: Tensor, second: Tensor, dtype: str) -> bool:
    """Whether two tensors are the same up to rounding in ``dtype``."""
    if first.shape != second.shape:
        return False
    return float((first - second).norm()) <= NEURON_TOLERANCE[dtype] * float(second.norm())


@dataclass(eq=False)
class _Pass:
    """What one layer shows while the pass runs."""

    path: str
    given: list[Tensor] = field(default_factory=list)
    calls: list[ModuleCall] = field(default_factory=list)
    attention: list[HeadsCall] = field(default_factory=list)

    def begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensor = first_tensor(args or kwargs)
        if tensor is not None:
            self.given.append(_flat(tensor))

    def keep(self, name: str) -> Callable[..., None]:
        def kept(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given, made = first_tensor(args or kwargs), first_tensor(output)
            if given is not None and made is not None and given.is_floating_point() and made.is_floating_point():
                self.calls.append(ModuleCall(name, module, _flat(given), _flat(made)))

        return kept

    def attend(self, call: AttentionCall, made: Tensor | None) -> None:
        assert made is not None
        values = call.value.transpose(1, 2)
        self.attention.append(
            HeadsCall(call.module, _flat(values.flatten(2)), _flat(made.flatten(2)), values.shape[2], made.shape[2])
        )


def _flat(tensor: Tensor) -> Tensor:
    """A copy ``(tokens, width)`` in float32: some modules work in place."""
    return tensor.detach().reshape(-1, tensor.shape[-1]).float().clone()
