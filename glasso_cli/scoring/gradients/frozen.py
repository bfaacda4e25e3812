"""Gradients through a language model in which everything but sums and linear modules is held at its value.

Held are the scales of norms, attention patterns, and the slope f(g) / g of activation functions. At the product in a gated
MLP, each of the two factors gets half of the gradient. These are the rules of layer-wise relevance propagation, written as a
changed backward pass (RelP, arXiv:2508.21258). The forward pass keeps its values to the bit.

With all of this held, the network is linear and without constants but its biases. Then the products of gradients with the
input of the first layer and with the biases add up to the output. :func:`freeze` proves this on a short pass, so that a network
with another part that is not linear is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.attention import watched_attention
from glasso_cli.derivatives.layout.norms import Norm, as_norm
from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import (
    NEURON_TOLERANCE,
    activation_types,
    find_projections,
    linear_widths,
    neuron_relations,
    probe_inputs,
)
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of, one_pass
from glasso_cli.models.layers import find_layers
from glasso_cli.models.loaded import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.models.network import Network

_PROBE = range(5, 18)  # token ids of the short pass
_SMALL = 1e-6  # an input of an activation function below which its slope is taken at this value


@dataclass(frozen=True, eq=False)
class Held:
    """The modules that are held: norms, modules that apply an activation function, and projections that read a product."""

    norms: tuple[Norm, ...]
    activations: tuple[nn.Module, ...]
    products: tuple[nn.Module, ...]


def freeze(network: Network) -> tuple[Held, float]:
    """What is held in a language model, and the share of its output that is not linear then, which is rounding.

    Raises :class:`InputError` for a network in which more is not linear, and for one that is no language model.
    """
    if not isinstance(network, LoadedModel):
        raise InputError("The frozen form is for language models.", "Set score.forms: [plain, integrated].")
    held = held_modules(network)
    error = error_of_sum(network, held)
    if not error <= NEURON_TOLERANCE.get(network.dtype, NEURON_TOLERANCE["float32"]):
        raise InputError(
            f"The frozen form does not know all parts of {type(network.model).__name__}: with norms, attention patterns and activation "
            f"functions held, {error:.1%} of its output is not linear.",
            "Set score.forms: [plain, integrated].",
        )
    return held, error


# -- which modules --------------------------------------------------------------------------------------


def held_modules(loaded: LoadedModel) -> Held:
    """What is held in ``loaded``, found by what the modules compute in a short pass."""
    model = loaded.model
    norms: list[Norm] = []
    activations: list[nn.Module] = []

    def look(name: str) -> Callable[..., None]:
        def seen(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given, made = first_tensor(args or kwargs), first_tensor(output)
            if given is None or made is None or given.shape != made.shape or not given.is_floating_point():
                return
            if type(module) in activation_types():
                if module not in activations and float(module.forward(given.new_zeros(1)).abs().max()) == 0:
                    activations.append(module)
            elif all(norm.module is not module for norm in norms):
                norm = as_norm(name, module, given.shape[-1])
                if norm is not None:
                    norms.append(norm)

        return seen

    import torch

    with ExitStack() as hooks, errors_of(model):
        for name, module in model.named_modules():
            leaf = not any(True for _ in module.children())
            if leaf and linear_widths(module) is None:
                hooks.callback(module.register_forward_hook(look(name), with_kwargs=True).remove)
        with torch.no_grad():
            one_pass(model, probe_inputs(model, _PROBE))
    return Held(tuple(norms), tuple(activations), _products(loaded))


def _products(loaded: LoadedModel) -> tuple[nn.Module, ...]:
    """The projections whose input is ``act(a) * b``."""
    stack, inputs = find_layers(loaded.model), probe_inputs(loaded.model)
    names = set(find_projections(loaded.model, stack, range(len(stack.layers))).values())
    relations = neuron_relations(loaded.model, stack, names, inputs)
    return tuple(loaded.model.get_submodule(name) for name, found in relations.items() if found.gated)


# -- the changed backward pass ---------------------------------------------------------------------------


@contextmanager
def holding(held: Held, *, attention: bool = True) -> Iterator[None]:
    """Backward passes of the block hold the modules of ``held``, and attention patterns; values stay as they are, to the bit."""
    with ExitStack() as hooks:
        for norm in held.norms:
            hooks.callback(norm.module.register_forward_hook(_linear_norm(norm), with_kwargs=True).remove)
        for module in held.activations:
            hooks.callback(module.register_forward_hook(_linear_activation).remove)
        for module in held.products:
            hooks.callback(module.register_forward_pre_hook(_half).remove)
        if attention:
            hooks.enter_context(
                watched_attention(lambda call: call.of(call.value, prepared=lambda tensor: tensor.detach()))
            )
        yield


def _linear_norm(norm: Norm) -> Callable[..., Any]:
    def held(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        given, made = first_tensor(args or kwargs), first_tensor(output)
        if given is None or made is None or given.shape[-1] != len(norm.gain):
            return output
        scales = norm.scales(given.detach(), made.detach())
        linear = norm.held(given.float(), scales).to(made.dtype)
        new = made.detach() + (linear - linear.detach())
        return new if made is output else (new, *output[1:])

    return held


def _linear_activation(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    import torch

    given = args[0]
    clean = given.detach()
    tiny = clean.abs() < _SMALL
    with torch.no_grad():
        near = torch.full_like(clean[..., :1], _SMALL)
        # not module(near): its hook is this function
        slope = torch.where(tiny, module.forward(near) / _SMALL, output.detach() / torch.where(tiny, near, clean))
    linear: Tensor = output.detach() + slope * (given - clean)
    return linear


def _half(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    clean = args[0].detach()
    return (clean + (args[0] - clean) / 2, *args[1:])


# -- the proof -------------------------------------------------------------------------------------------


def error_of_sum(loaded: LoadedModel, held: Held) -> float:
    """How far the products of gradients with the first layer's input and all biases are from the output, relative to it.

    The output is what the model's last linear module reads, or the last hidden state, and the gradient there is the output itself.
    """
    import torch

    model = loaded.model
    terms = _Terms()
    ends: list[Tensor] = []
    head = model.get_output_embeddings()
    with ExitStack() as hooks, errors_of(model), torch.enable_grad():
        hooks.enter_context(holding(held))
        first = find_layers(model).layers[0]
        hooks.callback(first.register_forward_pre_hook(terms.begin, with_kwargs=True).remove)
        for module, bias in _biases(model, held):
            hooks.callback(module.register_forward_hook(terms.of_bias(bias)).remove)
        if head is not None:
            hooks.callback(head.register_forward_pre_hook(lambda _m, args: ends.append(args[0])).remove)
        output = one_pass(model, probe_inputs(model, _PROBE))
        end = ends[0] if ends else first_tensor(output)
        assert end is not None
        total = terms.total((end * end.detach()).sum())
    size = float(end.detach().double().square().sum())
    return abs(total / size - 1) if size > 0 else float("inf")


def _biases(model: nn.Module, held: Held) -> Iterator[tuple[nn.Module, Tensor]]:
    """What modules add, whatever their input is."""
    for module in model.modules():
        bias = getattr(module, "bias", None)
        if linear_widths(module) is not None and bias is not None:
            yield module, bias.detach()
    for norm in held.norms:
        yield norm.module, norm.bias


@dataclass(eq=False)
class _Terms:
    """Tensors of a pass, each with zeros that are added to it: their gradient is that of the tensor."""

    terms: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    begun: bool = False

    def begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The first layer's input: no gradient goes beyond it."""
        if self.begun:
            return args, kwargs
        self.begun = True
        if args:
            return (self._added(args[0].detach(), args[0].detach()), *args[1:]), kwargs
        name = next(name for name, value in kwargs.items() if is_tensor(value))
        return args, {**kwargs, name: self._added(kwargs[name].detach(), kwargs[name].detach())}

    def of_bias(self, bias: Tensor) -> Callable[..., Any]:
        def add(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            return self._added(output, bias.to(output.dtype).expand_as(output)) if is_tensor(output) else output

        return add

    def _added(self, tensor: Tensor, term: Tensor) -> Tensor:
        import torch

        probe = torch.zeros_like(tensor, requires_grad=True)
        self.terms.append((term, probe))
        return tensor + probe

    def total(self, output: Tensor) -> float:
        """The sum over all terms of the term times the gradient of ``output``."""
        import torch

        gradients = torch.autograd.grad(output, [probe for _, probe in self.terms], allow_unused=True)
        products = [
            (term.double() * gradient.double()).sum()
            for (term, _), gradient in zip(self.terms, gradients)
            if gradient is not None
        ]
        return float(sum(products))


def is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
