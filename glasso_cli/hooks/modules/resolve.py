"""Hook points of any module: patterns over the names of its parts, and short forms found in one pass.

===========================  =======================================================================
``conv.3``, ``conv.-1``       the channels of the fourth (of the last) convolution that runs, after its
                              normalisation and nonlinearity
``rnn.0``, ``rnn.*``          the hidden units of the first recurrent layer (of all of them)
``features.*.act:out``       any module by its name (``*``, ``?`` and ``[…]``; ``*`` takes dots too) and
                              ``:in`` or ``:out``, its first input or output
===========================  =======================================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import axes_of
from glasso_cli.hooks.modules.convolutions import convolutions
from glasso_cli.hooks.modules.recurrent import recurrent_layers, unfuse
from glasso_cli.hooks.modules.trace import trace
from glasso_cli.hooks.point import SIDES, HookPoint
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.modules.trace import Call
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

_SHORT = re.compile(r"(conv|rnn)\.([^:]+)")
_OF_TEXTS = re.compile(r"(mlp|resid)\.([^:]+)")


def resolve_module_points(
    network: ModuleNetwork, patterns: Sequence[str], batch: ModuleBatch, axes: str | None = None
) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name, each once, by layer and then by name; ``batch`` is run to see them.

    ``axes`` replaces those that follow from the modules. A recurrent module of several layers is replaced by a chain of
    its layers where ``rnn.N`` names one. Raises :class:`InputError` for a pattern that matches nothing, with near names,
    for a side left out, and for a tensor that has no axis of units.
    """
    found: dict[str, tuple[int | None, str]] = {}
    calls = trace(network, batch)
    for pattern in patterns:
        matches = list(_matches(network, calls, pattern, batch))
        if not matches:
            raise _no_match(network.module, calls, pattern)
        for name, layer, label in matches:
            found.setdefault(name, (layer, label))
    tensors = _tensors(network, list(found), batch)
    points = [_point(network, name, layer, label, tensors, axes) for name, (layer, label) in found.items()]
    return tuple(sorted(points, key=lambda p: (-1 if p.layer is None else p.layer, p.name)))


_Match = tuple[str, "int | None", str]  # name, layer and label


def _matches(network: ModuleNetwork, calls: list[Call], pattern: str, batch: ModuleBatch) -> Iterator[_Match]:
    if _OF_TEXTS.fullmatch(pattern):
        raise InputError(
            f"The hook point '{pattern}' is for language models (model.kind: hf).",
            "Use conv.N, rnn.N, or the name of a module with :in or :out.",
        )
    short = _SHORT.fullmatch(pattern)
    if short and short[1] == "conv":
        places = convolutions(calls)
        for index in _indices(len(places), short[2]):
            yield places[index], index, f"conv.{index}"
    elif short:
        layers = recurrent_layers(calls)
        for index in _indices(len(layers), short[2]):
            yield _recurrent(network, calls, *layers[index], batch), index, f"rnn.{index}"
    else:
        for name in _names_matching(network.module, pattern):
            yield name, network.layer_of(name.rpartition(":")[0]), name


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


def _tensors(network: ModuleNetwork, names: Sequence[str], batch: ModuleBatch) -> dict[str, Tensor | None]:
    """The tensor at each ``module:side`` in one pass; None where there is none."""
    from contextlib import ExitStack

    seen: dict[str, Tensor | None] = {}
    with ExitStack() as hooks, network.errors():
        for name in names:
            path, _, side = name.rpartition(":")
            module = network.module.get_submodule(path)
            if side == "out":
                handle = module.register_forward_hook(
                    lambda module, args, output, name=name: seen.update({name: first_tensor(output)})
                )
            else:
                handle = module.register_forward_pre_hook(
                    lambda module, args, kwargs, name=name: seen.update({name: first_tensor(args or kwargs)}),
                    with_kwargs=True,
                )
            hooks.callback(handle.remove)
        network.run(batch)
    for name in names:
        if name not in seen:
            raise InputError(
                f"The module of hook point '{name}' did not run in the forward pass.",
                "This network does not use it for this data; choose another hook point.",
            )
    return seen


def _point(
    network: ModuleNetwork,
    name: str,
    layer: int | None,
    label: str,
    tensors: dict[str, Tensor | None],
    axes: str | None,
) -> HookPoint:
    tensor = tensors[name]
    module = network.module.get_submodule(name.rpartition(":")[0])
    named = None if tensor is None else axes or axes_of(module, tensor)
    if tensor is None or named is None or len(named) != tensor.ndim:
        shape = "no tensor" if tensor is None else f"a tensor of shape {tuple(tensor.shape)}"
        wanted = f", not one with the axes {axes}" if axes else ", in which no axis is known to be units"
        raise InputError(
            f"Hook point '{name}' gives {shape}{wanted}.", "Choose another hook point, or give collect.axes."
        )
    return HookPoint(name, layer, tensor.shape[named.index("c")], label, named)
