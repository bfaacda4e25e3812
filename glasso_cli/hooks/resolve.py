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
``num_hidden_layers`` modules, and in a layer the linear module outside attention that ends in the hidden size
and is fed by another one; of several, the widest. :mod:`glasso_cli.hooks.invariants` then checks the tensor itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, cast

from glasso_cli.errors import InputError
from glasso_cli.hooks.point import SIDES, HookPoint
from glasso_cli.models.layers import LayerStack, find_layers

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

NOT_MLP = re.compile(r"attn|attention|mixer|mamba|conv|rotary|temporal|recurrent", re.IGNORECASE)
SHORT = re.compile(r"(mlp|resid)\.([^:]+)")


def resolve_hook_points(model: PreTrainedModel, patterns: Sequence[str]) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name, each once, by layer and then by name.

    Raises :class:`InputError` for a pattern that matches nothing, with near names; for a side left out; for
    the neurons of experts.
    """
    stack = find_layers(model)
    points = {point.name: point for pattern in patterns for point in _matches(model, stack, pattern)}
    return tuple(sorted(points.values(), key=lambda p: (-1 if p.layer is None else p.layer, p.name)))


def output_projection(stack: LayerStack, layer: int) -> str:
    """The path of the MLP's output projection in ``layer``; :class:`InputError` when there is none."""
    modules = dict(stack.layers[layer].named_modules())
    path = f"{stack.path}.{layer}"
    for name, module in modules.items():
        if is_expert(name, module):
            raise _expert_error(f"{path}.{name}")
    linear = {name: widths for name, module in modules.items() if (widths := linear_widths(module))}
    projections = _projections(linear, stack.hidden_size)
    if not projections:
        raise InputError(
            f"Layer {layer} ('{path}') has no MLP output projection that can be told from its shape.",
            f"Name a module instead, such as '{path}.<name>:in'; linear modules there: {', '.join(linear)}.",
        )
    widest = max(projections.values())  # a narrow one is an adapter (Gemma 3n)
    return f"{path}.{[name for name, width in projections.items() if width == widest][-1]}"


def _projections(linear: dict[str, tuple[int, int]], hidden: int) -> dict[str, int]:
    """Input widths of the linear modules that lead back into the residual stream from another one's output.

    That other one may give twice the width, gate and value in one.
    """
    outside = {name: widths for name, widths in linear.items() if not NOT_MLP.search(name)}
    return {
        name: n_in
        for name, (n_in, n_out) in outside.items()
        if n_out == hidden
        and any(
            other != name and feeds == hidden and gives in (n_in, 2 * n_in) for other, (feeds, gives) in outside.items()
        )
    }


def linear_widths(module: nn.Module) -> tuple[int, int] | None:
    """The input and output width of a linear module, or None for any other."""
    if type(module).__name__ == "Conv1D":  # GPT-2's linear layer: weight (in, out)
        rows, columns = cast("Tensor", module.weight).shape
        return rows, columns
    n_in, n_out = (getattr(module, name, None) for name in ("in_features", "out_features"))
    return (n_in, n_out) if isinstance(n_in, int) and isinstance(n_out, int) else None


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


def _matches(model: PreTrainedModel, stack: LayerStack, pattern: str) -> list[HookPoint]:
    if short := SHORT.fullmatch(pattern):
        layers = _layers_matching(stack, short[2])
        names = [_short_form(stack, short[1], layer) for layer in layers]
    else:
        names = list(_names_matching(model, pattern))
    if not names:
        raise _no_match(model, stack, pattern)
    return [_hook_point(model, stack, name) for name in names]


def _layers_matching(stack: LayerStack, index: str) -> list[int]:
    n_layers = len(stack.layers)
    if re.fullmatch(r"-\d+", index):
        index = str(int(index) + n_layers)
    return [layer for layer in range(n_layers) if fnmatchcase(str(layer), index)]


def _short_form(stack: LayerStack, kind: str, layer: int) -> str:
    if kind == "mlp":
        return f"{output_projection(stack, layer)}:in"
    return f"{stack.path}.{layer}:out"


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


def _hook_point(model: PreTrainedModel, stack: LayerStack, name: str) -> HookPoint:
    path, _, side = name.rpartition(":")
    layer = stack.layer_of(path)
    return HookPoint(name, layer, _width(model, stack, path, side), _label(stack, name, layer))


def _label(stack: LayerStack, name: str, layer: int | None) -> str:
    if layer is None:
        return name
    if name == f"{stack.path}.{layer}:out":
        return f"layers.{layer}.resid"
    try:
        is_neuron = name == f"{output_projection(stack, layer)}:in"
    except InputError:
        is_neuron = False
    return f"layers.{layer}.mlp" if is_neuron else name


def _width(model: PreTrainedModel, stack: LayerStack, path: str, side: str) -> int:
    module = model.get_submodule(path)
    if widths := linear_widths(module):
        return widths[SIDES.index(side)]
    if path == f"{stack.path}.{stack.layer_of(path)}":
        return stack.hidden_size
    return _observed_width(model, f"{path}:{side}")


def _observed_width(model: PreTrainedModel, name: str) -> int:
    """The last dimension of what a module outside the known kinds sees, from a pass over three tokens."""
    import torch

    from glasso_cli.hooks.record import record

    probe = HookPoint(name, None, width=0, label=name)  # width 0: any
    with record(model, [probe]) as recorder:
        return recorder.run(torch.tensor([[1, 2, 3]]))[0].shape[-1]
