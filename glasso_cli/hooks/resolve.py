"""Where in a network activations are read: patterns over module names, resolved to hook points.

===========================  =======================================================================
``mlp.9``, ``mlp.-1``         the neurons of the MLP of layer 9 (of the last layer): what goes into its
                              output projection, one coordinate a neuron
``head.9``, ``head.9.1``      what goes into the output projection of attention in layer 9: all heads
                              side by side, or head 1; the basis within a head is arbitrary
``mixer.9``                   what goes into the output projection of a mixer without softmax: a
                              state-space model, linear attention, a short convolution
``expert.9.3``                the neurons of expert 3 in layer 9, over the tokens routed to it
``resid.9``                   the residual stream after layer 9
``mlp.*``, ``head.1[0-5].*``  the same for every layer, head or expert that the wildcard takes
``mlp.9#2``                   the same in the second run of layer 9, where it runs several times a pass
``model.layers.*.mlp:out``    any module by its name (``*``, ``?`` and ``[…]``; ``*`` takes dots too) and
                              ``:in`` or ``:out``, its first input or output; ``name#2:in`` in its second run
===========================  =======================================================================

All are found by structure, not by a table of architectures: the list of ``num_hidden_layers`` modules, or of fewer that
run as often, and in a layer the module that is proved to read what the form says (:mod:`glasso_cli.hooks.neurons`,
:mod:`~glasso_cli.hooks.heads`, :mod:`~glasso_cli.hooks.mixers`, :mod:`~glasso_cli.hooks.experts`).
:mod:`glasso_cli.hooks.invariants` then checks the tensors on texts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.network import Network, expert_error, is_expert
from glasso_cli.hooks.neurons import linear_widths
from glasso_cli.hooks.point import KINDS, SIDES, HookPoint, whole
from glasso_cli.models.layers import LayerStack, find_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_INDEX = r"(-?[^:#.]+)"
_SHORT = re.compile(rf"({'|'.join(KINDS)})\.{_INDEX}(?:\.{_INDEX})?(?:#(\d+))?")
_PARTS = {"head": "heads", "expert": "experts"}  # what a second index counts


def resolve_hook_points(model: PreTrainedModel, patterns: Sequence[str]) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name, each once, by layer and then by name.

    Raises :class:`InputError` for a pattern that matches nothing, with near names; for a side left out; for
    a layer without a tensor that is proved to be what the pattern says.
    """
    network = Network(model, find_layers(model))
    points = {point.name: point for pattern in patterns for point in _matches(network, pattern)}
    return tuple(sorted(points.values(), key=lambda p: (-1 if p.layer is None else p.layer, _in_order(p.name))))


def _in_order(name: str) -> list[tuple[str, int]]:
    """A key that sorts the numbers in names by their values."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


# -- short forms ----------------------------------------------------------------------------------


def _matches(network: Network, pattern: str) -> list[HookPoint]:
    if short := _SHORT.fullmatch(pattern):
        points = _short_forms(network, pattern, *short.groups())
    else:
        points = [_named(network, name) for name in _names_matching(network.model, pattern)]
    if not points:
        raise _no_match(network.model, network.stack, pattern)
    return points


def short_points(network: Network, pattern: str) -> list[HookPoint] | None:
    """The hook points of a short form in a model of images or sounds; None for a pattern that is no short form.

    Raises :class:`InputError` as :func:`resolve_hook_points` does, and for the forms of language models alone.
    """
    short = _SHORT.fullmatch(pattern)
    if short is None:
        return None
    if short[1] not in ("mlp", "head", "resid"):
        raise InputError(
            f"The hook point '{pattern}' is for language models; this model reads no texts.",
            "Use mlp.N, head.N, resid.N, conv.N, or the name of a module with :in or :out.",
        )
    points = _short_forms(network, pattern, *short.groups())
    if not points:
        raise _no_match(network.model, network.stack, pattern)
    return points


def _short_forms(
    network: Network, pattern: str, kind: str, index: str, part: str | None, run: str | None
) -> list[HookPoint]:
    if kind not in _PARTS if part is not None else kind == "expert":
        raise InputError(
            f"The hook point '{pattern}' is incomplete, or says more than there is.",
            "Write mlp.9, resid.9, mixer.9, head.9, head.9.1 (a layer and a head) or expert.9.3 (a layer and an expert).",
        )
    layers = _matching(index, len(network.stack.layers))
    found: list[HookPoint] = []
    refused: list[InputError] = []
    for layer in layers:
        try:
            found += _in_layer(network, pattern, kind, layer, part)
        except InputError as error:
            refused.append(error)
            if kind in ("mlp", "resid"):
                break
    # In hybrid networks only some layers have heads, mixers or experts.
    if refused and (not found or kind in ("mlp", "resid")):
        raise refused[0]
    return [_in_run(point, pattern, int(run)) for point in found] if run else found


def _in_layer(network: Network, pattern: str, kind: str, layer: int, part: str | None) -> list[HookPoint]:
    if kind == "expert":
        path, experts = network.experts(layer)
        chosen = _parts(pattern, kind, layer, part or "", experts.count)
        return [
            HookPoint(f"{path}:expert.{number}", layer, experts.width, f"layers.{layer}.expert.{number}")
            for number in chosen
        ]
    point: HookPoint = getattr(network, kind)(layer)
    if part is None:
        return [point]
    heads = point.heads or 1
    size = point.width // heads
    return [
        HookPoint(f"{point.name}[{head * size}:{(head + 1) * size}]", layer, size, f"{point.label}.{head}")
        for head in _parts(pattern, kind, layer, part, heads)
    ]


def _parts(pattern: str, kind: str, layer: int, index: str, count: int) -> list[int]:
    """The heads or experts that ``index`` takes."""
    chosen = _matching(index, count)
    if not chosen:
        raise InputError(
            f"The hook point '{pattern}' matches none: layer {layer} has {_PARTS[kind]} 0 to {count - 1}.",
            f"For example '{kind}.{layer}.{count - 1}'.",
        )
    return chosen


def _matching(index: str, count: int) -> list[int]:
    if re.fullmatch(r"-\d+", index):
        index = str(int(index) + count)
    return [number for number in range(count) if fnmatchcase(str(number), index)]


def _in_run(point: HookPoint, pattern: str, run: int) -> HookPoint:
    """``point`` in a run of its module that is asked for."""
    if point.run is not None or point.kind in ("resid", "expert"):
        raise InputError(
            f"The hook point '{pattern}' names a run, but '{whole(point)}' has no runs to choose from.",
            f"Write '{pattern.partition('#')[0]}'.",
        )
    kind = f"layers.{point.layer}.{point.kind}"
    name = point.name.replace(":", f"#{run}:", 1)
    return replace(point, name=name, label=point.label.replace(kind, f"{kind}#{run}", 1))


# -- names in full --------------------------------------------------------------------------------


def _names_matching(model: PreTrainedModel, pattern: str) -> Iterator[str]:
    path, _, side = pattern.rpartition(":")
    if side not in SIDES:
        raise InputError(
            f"The hook point '{pattern}' does not say which side of the module it means.",
            f"Write '{pattern}:in' for its input or '{pattern}:out' for its output (or a short form: mlp.9, resid.9).",
        )
    path, mark, run = path.partition("#")
    if mark and not re.fullmatch(r"[1-9]\d*", run):
        raise InputError(
            f"The hook point '{pattern}' does not say which run of the module it means.",
            f"Write '{path}#1:{side}' for the first run, or '{path}:{side}' for a module that runs once.",
        )
    for name, module in model.named_modules():
        if name and fnmatchcase(name, path):
            if is_expert(name, module):
                raise expert_error(name)
            yield f"{name}{mark}{run}:{side}"


def _no_match(model: PreTrainedModel, stack: LayerStack, pattern: str) -> InputError:
    last = len(stack.layers) - 1
    example = f"mlp.{last // 2}"
    if _SHORT.fullmatch(pattern):
        return InputError(
            f"The hook point '{pattern}' matches no layer: this model has layers 0 to {last}.",
            f"For example '{example}' or 'mlp.-1'.",
        )
    path, _, side = pattern.rpartition(":")
    path = path.partition("#")[0]
    names = [name for name, _ in model.named_modules() if name]
    near = [f"'{name}:{side}'" for name in difflib.get_close_matches(path, names, n=3, cutoff=0.5)]
    guess = f"Near names: {', '.join(near)}. " if near else ""
    full = f"{stack.path}.{last // 2}:out"
    return InputError(
        f"The hook point '{pattern}' matches no module of this model.",
        f"{guess}Short forms work for any model: '{example}'; a full name here is '{full}'.",
    )


def _named(network: Network, name: str) -> HookPoint:
    """The hook point of a module named in full; the label of a short form where it is one."""
    point = HookPoint(name, None, 0, name)
    layer = network.stack.layer_of(point.module, point.run)
    label = name
    if layer is not None:
        for kind in ("mlp", "resid"):
            if point.side == ("in" if kind == "mlp" else "out") and _is_short(network, kind, layer, name):
                label = f"layers.{layer}.{kind}"
    return HookPoint(name, layer, _width(network, point), label)


def _is_short(network: Network, kind: str, layer: int, name: str) -> bool:
    module = HookPoint(name, None, 0, name).module
    if kind == "resid":
        lists = (network.stack.path, *network.stack.beside)
        return module.rpartition(".")[0] in lists and network.resid(layer).name == name
    if linear_widths(network.model.get_submodule(module)) is None or layer not in network.projections:
        return False
    return network.mlp(layer).name == name


def _width(network: Network, point: HookPoint) -> int:
    module = network.model.get_submodule(point.module)
    if widths := linear_widths(module):
        return widths[SIDES.index(point.side)]
    if module in network.stack.layers:
        return network.stack.hidden_size
    return _observed_width(network.model, point.name)


def _observed_width(model: PreTrainedModel, name: str) -> int:
    """The last dimension of what a module outside the known kinds sees, from a pass over three tokens."""
    import torch

    from glasso_cli.hooks.record import record

    probe = HookPoint(name, None, width=0, label=name)  # width 0: any
    with record(model, [probe]) as recorder:
        return recorder.run(torch.tensor([[1, 2, 3]]))[0].shape[-1]
