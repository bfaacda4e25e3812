"""Hook points of any module: patterns over the names of its parts, and short forms found in one pass.

===========================  =======================================================================
``conv.3``, ``conv.-1``       the channels of the fourth (of the last) convolution that runs, after its
                              normalisation and nonlinearity
``rnn.0``, ``rnn.*``          the hidden units of the first recurrent layer (of all of them)
``mlp.3``, ``head.3``,        in a model of transformers that reads images or sounds, what they are in a language
``resid.3``                   model (:mod:`glasso_cli.hooks.resolve`)
``features.*.act:out``       any module by its name (``*``, ``?`` and ``[…]``; ``*`` takes dots too) and
                              ``:in`` or ``:out``, its first input or output
===========================  =======================================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import axes_of
from glasso_cli.hooks.modules.convolutions import convolutions
from glasso_cli.hooks.modules.recurrent import recurrent_layers, unfuse
from glasso_cli.hooks.modules.trace import trace
from glasso_cli.hooks.network import Network
from glasso_cli.hooks.point import KINDS, SIDES, HookPoint
from glasso_cli.hooks.record import first_tensor
from glasso_cli.hooks.resolve import short_points

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.modules.trace import Call
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

_SHORT = re.compile(r"(conv|rnn)\.([^:]+)")
_OF_LAYERS = re.compile(rf"({'|'.join(KINDS)})\.([^:]+)")


def resolve_module_points(
    network: ModuleNetwork, patterns: Sequence[str], batch: ModuleBatch, axes: str | None = None
) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name, each once, by layer and then by name; ``batch`` is run to see them.

    ``axes`` replaces those that follow from the modules. A recurrent module of several layers is replaced by a chain of
    its layers where ``rnn.N`` names one. Raises :class:`InputError` for a pattern that matches nothing, with near names,
    for a side left out, and for a tensor that has no axis of units.
    """
    found: dict[str, HookPoint] = {}
    calls = trace(network, batch)
    for pattern in patterns:
        matches = list(_matches(network, calls, pattern, batch))
        if not matches:
            raise _no_match(network.module, calls, pattern)
        for point in matches:
            found.setdefault(point.name, point)
    tensors = _tensors(network, list(found.values()), batch)
    points = [_seen(network, point, tensors[point.name], axes) for point in found.values()]
    return tuple(sorted(points, key=lambda p: (-1 if p.layer is None else p.layer, p.name)))


def _matches(network: ModuleNetwork, calls: list[Call], pattern: str, batch: ModuleBatch) -> Iterator[HookPoint]:
    """The hook points of a pattern, whose widths and axes are not known yet."""
    short = _SHORT.fullmatch(pattern)
    if _OF_LAYERS.fullmatch(pattern):
        yield from _of_layers(network, pattern, batch)
    elif short and short[1] == "conv":
        places = convolutions(calls)
        for index in _indices(len(places), short[2]):
            yield HookPoint(places[index], index, 0, f"conv.{index}")
    elif short:
        layers = recurrent_layers(calls)
        for index in _indices(len(layers), short[2]):
            yield HookPoint(_recurrent(network, calls, *layers[index], batch), index, 0, f"rnn.{index}")
    else:
        for name in _names_matching(network.module, pattern):
            yield HookPoint(name, network.layer_of(name.rpartition(":")[0]), 0, name)


def _of_layers(network: ModuleNetwork, pattern: str, batch: ModuleBatch) -> list[HookPoint]:
    """The short forms of layers, which exist in models of transformers."""
    if network.kind == "torch":
        raise InputError(
            f"The hook point '{pattern}' is for models of transformers (model.kind: hf).",
            "Use conv.N, rnn.N, or the name of a module with :in or :out.",
        )
    if network.stack is None:
        raise InputError(
            f"'{type(network.module).__name__}' has no list of layers, so that '{pattern}' names nothing.",
            "Use conv.N, or the name of a module with :in or :out.",
        )
    model: Any = network.module
    with network.errors():
        return short_points(Network(model, network.stack, network.inputs_of_one(batch)), pattern) or []


def _indices(count: int, index: str) -> list[int]:
    if re.fullmatch(r"-\d+", index):
        index = str(int(index) + count)
    return [place for place in range(count) if fnmatchcase(str(place), index)]


def _recurrent(network: ModuleNetwork, calls: list[Call], name: str, layer: int, batch: ModuleBatch) -> str:
    """The place of the units of one layer; a module of several layers is taken apart."""
    call = next(call for call in calls if call.name == name)
    if call.module.num_layers == 1:
        return f"{name}:out"
    if network.module.get_submodule(name) is call.module:
        unfuse(network, name, call, batch)
    return f"{name}.layers.{layer}:out"


def _names_matching(model: nn.Module, pattern: str) -> Iterator[str]:
    path, _, side = pattern.rpartition(":")
    if side not in SIDES:
        raise InputError(
            f"The hook point '{pattern}' does not say which side of the module it means.",
            f"Write '{pattern}:in' for its input or '{pattern}:out' for its output (or a short form: conv.3, rnn.0).",
        )
    for name, _ in model.named_modules():
        if name and fnmatchcase(name, path):
            yield f"{name}:{side}"


def _no_match(model: nn.Module, calls: list[Call], pattern: str) -> InputError:
    kinds = {
        "conv": (len(convolutions(calls)), "convolution"),
        "rnn": (len(recurrent_layers(calls)), "recurrent layer"),
    }
    if short := _SHORT.fullmatch(pattern):
        count, what = kinds[short[1]]
        return InputError(
            f"The hook point '{pattern}' matches no {what}: this network has {count or 'none'}.",
            f"Give '{short[1]}.0' to '{short[1]}.{count - 1}'." if count else "Name a module with :in or :out.",
        )
    path, _, side = pattern.rpartition(":")
    names = [name for name, _ in model.named_modules() if name]
    near = [f"'{name}:{side}'" for name in difflib.get_close_matches(path, names, n=3, cutoff=0.5)]
    short_forms = [f"'{kind}.0'" for kind, (count, _) in kinds.items() if count]
    guess = f"Near names: {', '.join(near)}." if near else f"A name here is '{names[-1] if names else ''}:{side}'."
    more = f" Short forms here: {', '.join(short_forms)}." if short_forms else ""
    return InputError(f"The hook point '{pattern}' matches no module of this network.", guess + more)


# -- what a name stands for -----------------------------------------------------------------------


def _tensors(network: ModuleNetwork, points: Sequence[HookPoint], batch: ModuleBatch) -> dict[str, Tensor | None]:
    """The tensor at each hook point in one pass, by name; None where there is none."""
    from contextlib import ExitStack

    seen: dict[str, Tensor | None] = {}
    with ExitStack() as hooks, network.errors():
        for point in points:
            module = network.module.get_submodule(point.module)
            if point.side == "out":
                handle = module.register_forward_hook(
                    lambda module, args, output, name=point.name: seen.update({name: first_tensor(output)})
                )
            else:
                handle = module.register_forward_pre_hook(
                    lambda module, args, kwargs, name=point.name: seen.update({name: first_tensor(args or kwargs)}),
                    with_kwargs=True,
                )
            hooks.callback(handle.remove)
        network.run(batch)
    for point in points:
        if point.name not in seen:
            raise InputError(
                f"The module of hook point '{point.name}' did not run in the forward pass.",
                "This network does not use it for this data; choose another hook point.",
            )
    return seen


def _seen(network: ModuleNetwork, point: HookPoint, tensor: Tensor | None, axes: str | None) -> HookPoint:
    """``point`` with the width and the axes of its ``tensor``."""
    module = network.module.get_submodule(point.module)
    named = None if tensor is None else axes or axes_of(module, tensor)
    if tensor is None or named is None or len(named) != tensor.ndim:
        shape = "no tensor" if tensor is None else f"a tensor of shape {tuple(tensor.shape)}"
        wanted = f", not one with the axes {axes}" if axes else ", in which no axis is known to be units"
        raise InputError(
            f"Hook point '{point.name}' gives {shape}{wanted}.", "Choose another hook point, or give collect.axes."
        )
    width = tensor.shape[named.index("c")] if point.part is None else point.width
    return replace(point, width=width, axes=named)
