"""Where in a network activations are read: patterns over module names, resolved to hook points.

===========================  =======================================================================
``mlp.9``, ``mlp.-1``         the neurons of the MLP of layer 9 (of the last layer): what goes into its
                              output projection, one coordinate a neuron
``resid.9``                   the residual stream after layer 9
``mlp.*``, ``resid.1[0-5]``   the same for every layer the wildcard takes
``model.layers.*.mlp:out``    any module by its name (``*``, ``?`` and ``[…]``; ``*`` takes dots too) and
                              ``:in`` or ``:out``, its first input or output
===========================  =======================================================================

The layers and the output projection are found by structure, not by a table of architectures: the list of
``num_hidden_layers`` modules, and in a layer the linear module outside attention whose input is proved to be neurons
(:mod:`glasso_cli.hooks.neurons`). :mod:`glasso_cli.hooks.invariants` then checks the tensors on texts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import find_projections, linear_widths
from glasso_cli.hooks.point import SIDES, HookPoint
from glasso_cli.models.layers import LayerStack, find_layers

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

SHORT = re.compile(r"(mlp|resid)\.([^:]+)")


def resolve_hook_points(model: PreTrainedModel, patterns: Sequence[str]) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name, each once, by layer and then by name.

    Raises :class:`InputError` for a pattern that matches nothing, with near names; for a side left out; for
    the neurons of experts; for a layer without a tensor that is proved to hold neurons.
    """
    network = _Network(model, find_layers(model))
    points = {point.name: point for pattern in patterns for point in _matches(network, pattern)}
    return tuple(sorted(points.values(), key=lambda p: (-1 if p.layer is None else p.layer, p.name)))


@dataclass(frozen=True)
class _Network:
    """A model, its layers, and in each the module that reads the neurons of the MLP."""

    model: PreTrainedModel
    stack: LayerStack

    @cached_property
    def projections(self) -> dict[int, str]:
        """The MLP's output projection by layer, from one or two passes over a few tokens."""
        without_experts = [layer for layer in range(len(self.stack.layers)) if self._expert(layer) is None]
        return find_projections(self.model, self.stack, without_experts)

    def projection(self, layer: int) -> str:
        """The path of the MLP's output projection in ``layer``; :class:`InputError` when there is none."""
        if expert := self._expert(layer):
            raise _expert_error(expert)
        if layer in self.projections:
            return self.projections[layer]
        path = f"{self.stack.path}.{layer}"
        linear = [name for name, module in self.stack.layers[layer].named_modules() if linear_widths(module)]
        raise InputError(
            f"Layer {layer} ('{path}') has no tensor that can be proved to hold the neurons of an MLP: no linear module "
            "outside attention reads act(a) or act(a) * b of what others gave.",
            f"Name a module instead, such as '{path}.<name>:in'; linear modules there: {', '.join(linear) or 'none'}.",
        )

    def _expert(self, layer: int) -> str | None:
        modules = self.stack.layers[layer].named_modules()
        return next((f"{self.stack.path}.{layer}.{name}" for name, module in modules if is_expert(name, module)), None)


def is_expert(name: str, module: nn.Module) -> bool:
    """Whether a module is, or lies inside, experts of which a router picks a few for each token."""
    return "experts" in name.split(".") or type(module).__name__.endswith("Experts")


def _expert_error(name: str) -> InputError:
    return InputError(
        f"'{name}' is a mixture of experts: an expert's neurons exist only for the tokens routed to it, "
        "so their correlations over all tokens are not defined.",
        "Use the residual stream ('resid.N'), or a shared expert by its full name.",
    )


# -- patterns -------------------------------------------------------------------------------------


def _matches(network: _Network, pattern: str) -> list[HookPoint]:
    if short := SHORT.fullmatch(pattern):
        layers = _layers_matching(network.stack, short[2])
        names = [_short_form(network, short[1], layer) for layer in layers]
    else:
        names = list(_names_matching(network.model, pattern))
    if not names:
        raise _no_match(network.model, network.stack, pattern)
    return [_hook_point(network, name) for name in names]


def _layers_matching(stack: LayerStack, index: str) -> list[int]:
    n_layers = len(stack.layers)
    if re.fullmatch(r"-\d+", index):
        index = str(int(index) + n_layers)
    return [layer for layer in range(n_layers) if fnmatchcase(str(layer), index)]


def _short_form(network: _Network, kind: str, layer: int) -> str:
    if kind == "mlp":
        return f"{network.projection(layer)}:in"
    return f"{network.stack.path}.{layer}:out"


def _names_matching(model: PreTrainedModel, pattern: str) -> Iterator[str]:
    path, _, side = pattern.rpartition(":")
    if side not in SIDES:
        raise InputError(
            f"The hook point '{pattern}' does not say which side of the module it means.",
            f"Write '{pattern}:in' for its input or '{pattern}:out' for its output (or a short form: mlp.9, resid.9).",
        )
    for name, module in model.named_modules():
        if name and fnmatchcase(name, path):
            if is_expert(name, module):
                raise _expert_error(name)
            yield f"{name}:{side}"


def _no_match(model: PreTrainedModel, stack: LayerStack, pattern: str) -> InputError:
    last = len(stack.layers) - 1
    example = f"mlp.{last // 2}"
    if SHORT.fullmatch(pattern):
        return InputError(
            f"The hook point '{pattern}' matches no layer: this model has layers 0 to {last}.",
            f"For example '{example}' or 'mlp.-1'.",
        )
    path, _, side = pattern.rpartition(":")
    names = [name for name, _ in model.named_modules() if name]
    near = [f"'{name}:{side}'" for name in difflib.get_close_matches(path, names, n=3, cutoff=0.5)]
    guess = f"Near names: {', '.join(near)}. " if near else ""
    full = f"{stack.path}.{last // 2}:out"
    return InputError(
        f"The hook point '{pattern}' matches no module of this model.",
        f"{guess}Short forms work for any model: '{example}'; a full name here is '{full}'.",
    )


# -- what a name stands for -----------------------------------------------------------------------


def _hook_point(network: _Network, name: str) -> HookPoint:
    path, _, side = name.rpartition(":")
    layer = network.stack.layer_of(path)
    return HookPoint(name, layer, _width(network, path, side), _label(network, name, layer))


def _label(network: _Network, name: str, layer: int | None) -> str:
    if layer is None:
        return name
    if name == f"{network.stack.path}.{layer}:out":
        return f"layers.{layer}.resid"
    path, _, side = name.rpartition(":")
    could_be = side == "in" and linear_widths(network.model.get_submodule(path)) is not None
    return f"layers.{layer}.mlp" if could_be and network.projections.get(layer) == path else name


def _width(network: _Network, path: str, side: str) -> int:
    module = network.model.get_submodule(path)
    if widths := linear_widths(module):
        return widths[SIDES.index(side)]
    if path == f"{network.stack.path}.{network.stack.layer_of(path)}":
        return network.stack.hidden_size
    return _observed_width(network.model, f"{path}:{side}")


def _observed_width(model: PreTrainedModel, name: str) -> int:
    """The last dimension of what a module outside the known kinds sees, from a pass over three tokens."""
    import torch

    from glasso_cli.hooks.record import record

    probe = HookPoint(name, None, width=0, label=name)  # width 0: any
    with record(model, [probe]) as recorder:
        return recorder.run(torch.tensor([[1, 2, 3]]))[0].shape[-1]
