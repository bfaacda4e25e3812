"""Which tensor of a layer holds the neurons of its MLP: found by shape, proved by what the layer computes.

The candidates are inputs of linear modules. Applying such a module to its input proves nothing about neurons: that
holds for any linear module. So every candidate is recomputed from what ran before it in its layer. It holds neurons if
it is ``act(a)``, or ``act(a) * b`` for a gated MLP, where ``a`` and ``b`` are outputs of other linear modules, or the
two halves of one output. A candidate that is the unchanged output of a linear module is a bottleneck, not neurons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of, one_pass
from glasso_cli.models.layers import embedding

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack

    Function = Callable[[Tensor], Tensor]

NOT_MLP = re.compile(r"attn|attention|mixer|mamba|conv|rotary|temporal|recurrent", re.IGNORECASE)
NOT_MLP_OF_IMAGES = re.compile(r"attn|attention", re.IGNORECASE)  # an MLP there may have names such as pwconv1
# The distance of a candidate from its recomputation, over its norm; the recomputation rounds once or twice.
NEURON_TOLERANCE = {"float32": 1e-4, "float16": 5e-3, "bfloat16": 0.03}
_ACTIVATIONS = re.compile(r"hidden_act|activation|act_fn|afn|ffn_act", re.IGNORECASE)  # their keys in configurations
_PROBE = range(5, 17)  # token ids; small ones are special


def linear_widths(module: nn.Module) -> tuple[int, int] | None:
    """The input and output width of a linear module, or None for any other."""
    if type(module).__name__ == "Conv1D":  # GPT-2's linear layer: weight (in, out)
        rows, columns = cast("Tensor", module.weight).shape
        return rows, columns
    n_in, n_out = (getattr(module, name, None) for name in ("in_features", "out_features"))
    return (n_in, n_out) if isinstance(n_in, int) and isinstance(n_out, int) else None


_known: WeakKeyDictionary[nn.Module, tuple[object, dict[int, str]]] = WeakKeyDictionary()


def find_projections(
    model: PreTrainedModel, stack: LayerStack, layers: Collection[int], inputs: Mapping[str, Tensor] | None = None
) -> dict[int, str]:
    """The linear module that reads the neurons, by layer; a layer where none is proved to is left out.

    Modules that lie between two tensors of the residual stream's width are tried before others. Of several that read
    neurons, the widest is taken (a narrow one is an adapter, as in Gemma 3n), and the last of these to run. What was
    found is remembered while the model has the same modules: names must not change while neurons are ablated. ``inputs``
    are arguments of the model by name; None gives it a few tokens.
    """
    modules = [(layer, name, id(module)) for layer in layers for name, module in stack.layers[layer].named_modules()]
    state = (stack.path, stack.members, modules)
    if model not in _known or _known[model][0] != state:
        _known[model] = state, _find(model, stack, layers, inputs or probe_inputs(model))
    return _known[model][1]


def _find(
    model: PreTrainedModel, stack: LayerStack, layers: Collection[int], inputs: Mapping[str, Tensor]
) -> dict[int, str]:
    found: dict[int, str] = {}
    for in_stream in (True, False):
        widths = {
            (layer, f"{stack.path_of(layer)}.{name}"): width
            for layer in layers
            if layer not in found
            for name, width in candidates(
                stack.layers[layer], stack.hidden_size, _not_mlp(inputs), in_stream=in_stream
            ).items()
        }
        relations = neuron_relations(model, stack, [name for _, name in widths], inputs) if widths else {}
        allowed = NEURON_TOLERANCE[str(next(model.parameters()).dtype).removeprefix("torch.")]
        ran = {name: place for place, (name, found) in enumerate(relations.items()) if found.error <= allowed}
        for layer, name in sorted(widths, key=lambda key: (widths[key], ran.get(key[1], -1))):
            if name in ran:
                found[layer] = name
    return found


def _not_mlp(inputs: Mapping[str, Tensor]) -> re.Pattern[str]:
    """What names of modules outside an MLP hold in a model with these arguments."""
    return NOT_MLP_OF_IMAGES if "pixel_values" in inputs else NOT_MLP


def candidates(
    layer: nn.Module, hidden_size: int, not_mlp: re.Pattern[str] = NOT_MLP, *, in_stream: bool
) -> dict[str, int]:
    """Input widths of the linear modules in ``layer`` that may read neurons.

    Such a module lies outside attention, so that its name has nothing of ``not_mlp``, and another linear module gives its input width, or twice that: gate and value
    in one. ``in_stream``: both lie between tensors of the residual stream's width.
    """
    linear = {name: widths for name, module in layer.named_modules() if (widths := linear_widths(module))}
    outside = {name: widths for name, widths in linear.items() if not not_mlp.search(name)}

    def feeds(other: str, n_in: int) -> bool:
        return outside[other][1] in (n_in, 2 * n_in) and (outside[other][0] == hidden_size or not in_stream)

    return {
        name: n_in
        for name, (n_in, n_out) in outside.items()
        if (n_out == hidden_size or not in_stream) and any(other != name and feeds(other, n_in) for other in outside)
    }


def probe_ids(model: PreTrainedModel, ids: Iterable[int] = _PROBE) -> Tensor:
    """Token ids ``(1, time)`` on which candidates are tried before a text is at hand."""
    import torch

    rows = len(embedding(model))
    return torch.tensor([[i % rows for i in ids]])


def probe_inputs(model: PreTrainedModel, ids: Iterable[int] = _PROBE) -> dict[str, Tensor]:
    """The arguments of a language model, by name, that give it :func:`probe_ids`."""
    return {"input_ids": probe_ids(model, ids)}


@dataclass(frozen=True)
class Relation:
    """How far a tensor is from the closest recomputation, over its norm, and whether that was ``act(a) * b``.

    A ``gated`` tensor has a sign symmetry: with the signs of ``b`` and of the weights that read the tensor changed, the
    network has the same outputs.
    """

    error: float
    gated: bool


_NONE = Relation(float("inf"), gated=False)


def neuron_relations(
    model: PreTrainedModel, stack: LayerStack, names: Collection[str], inputs: Mapping[str, Tensor]
) -> dict[str, Relation]:
    """For each linear module of ``names``, how its input relates to neurons: error 0 is exact, infinity is no relation.

    One pass over ``inputs``, arguments of the model by name, whose order the result has; a module that does not run has no relation.
    """
    import torch

    traces = [_Trace(model, path, layer, names, _not_mlp(inputs)) for path, layer in stack.modules().items()]
    with ExitStack() as hooks, errors_of(model), torch.inference_mode():
        for trace in traces:
            for handle in trace.attach():
                hooks.callback(handle.remove)
        one_pass(model, inputs)
    relations = {name: relation for trace in traces for name, relation in trace.relations.items()}
    return relations | {name: _NONE for name in names if name not in relations}


@dataclass(eq=False)
class _Trace:
    """What ran so far in one layer of one pass, and the verdicts on the candidates that ran."""

    model: PreTrainedModel
    path: str
    layer: nn.Module
    names: Collection[str]
    not_mlp: re.Pattern[str]
    relations: dict[str, Relation] = field(default_factory=dict)
    _linear: list[Tensor] = field(default_factory=list)
    _activated: list[Tensor] = field(default_factory=list)
    _others: list[tuple[nn.Module, Tensor, Tensor]] = field(default_factory=list)  # module, input, output

    def attach(self) -> Iterator[Any]:
        """Hook the layer, its linear modules and its activation modules, and yield the handles."""
        wanted = [name for name in self.names if name.startswith(f"{self.path}.")]
        if not wanted:
            return
        yield self.layer.register_forward_hook(self._end)
        for name, module in self.layer.named_modules():
            if self.not_mlp.search(name):
                continue
            full = f"{self.path}.{name}"
            if full in wanted:
                yield module.register_forward_pre_hook(self._judge(full), with_kwargs=True)
            if linear_widths(module):
                yield module.register_forward_hook(self._keep(self._linear))
            elif type(module) in activation_types():
                yield module.register_forward_hook(self._keep(self._activated))
            elif not any(True for _ in module.children()):
                yield module.register_forward_hook(self._keep_both, with_kwargs=True)

    def _judge(self, name: str) -> Callable[..., None]:
        def judge(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            tensor = first_tensor(args or kwargs)
            if tensor is not None:
                found = self._relation(_rows(tensor))
                worst = self.relations.setdefault(name, found)  # of several calls
                self.relations[name] = max(worst, found, key=lambda relation: relation.error)

        return judge

    def _relation(self, x: Tensor) -> Relation:
        """That of ``x``, or of what a norm turned into ``x`` (BitNet): a number per token that divides all neurons."""
        functions = activation_functions(self.model)
        found = _relation_to_neurons(x, self._linear, self._activated, functions)
        for module, given, made in self._others:
            if found.error > min(NEURON_TOLERANCE.values()) and _equal(made, x) and _keeps_signs(module, given, made):
                found = _relation_to_neurons(given, self._linear, self._activated, functions)
        return found

    def _keep_both(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        given, made = first_tensor(args or kwargs), first_tensor(output)
        if given is not None and made is not None and given.shape == made.shape and given.is_floating_point():
            self._others.append((module, _rows(given), _rows(made)))

    def _keep(self, kept: list[Tensor]) -> Callable[..., None]:
        def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None:
                kept.append(_rows(tensor))

        return keep

    def _end(self, *_: Any) -> None:
        self._linear.clear()
        self._activated.clear()
        self._others.clear()


def _equal(first: Tensor, second: Tensor) -> bool:
    enough = min(NEURON_TOLERANCE.values())
    return first.shape == second.shape and float((first - second).norm()) <= enough * float(second.norm())


def _keeps_signs(module: nn.Module, given: Tensor, made: Tensor) -> bool:
    """Whether other signs of coordinates of the input change the signs of these in the output, and nothing else.

    A norm without a mean does that. One that takes the mean off, or a module that mixes coordinates, does not.
    """
    import torch

    signs = torch.ones(given.shape[-1], device=given.device)
    signs[::3] = -1
    dtype = next((parameter.dtype for parameter in module.parameters()), given.dtype)
    try:
        again = first_tensor(module.forward((given * signs).to(dtype)))
    except Exception:  # code of others, which may need the axes of an image
        return False
    return again is not None and _equal(again.float(), made * signs)


def _rows(tensor: Tensor) -> Tensor:
    """A copy ``(tokens, width)`` in float32: some activations work in place."""
    return tensor.detach().reshape(-1, tensor.shape[-1]).float().clone()


def _relation_to_neurons(
    x: Tensor, linear: Iterable[Tensor], activated: Iterable[Tensor], functions: Iterable[Function]
) -> Relation:
    """The distance of ``x`` from its closest recomputation by an activation function, over the norm of ``x``."""
    norm = float(x.norm())
    enough = min(NEURON_TOLERANCE.values())
    before = [part for tensor in linear for _, part in linear_parts(tensor, x)]
    if norm == 0 or any(float((x - part).norm()) <= 10 * enough * norm for part in before):
        return _NONE
    closest = _NONE
    for made, gated in _recomputed(before, [part for part in activated if part.shape == x.shape], functions):
        closest = min(closest, Relation(float((x - made).norm()) / norm, gated), key=lambda found: found.error)
        if closest.error <= enough:
            break
    return closest


def linear_parts(tensor: Tensor, like: Tensor) -> list[tuple[slice, Tensor]]:
    """``tensor`` where it has the shape of ``like``; its halves where it is twice as wide, whole or interleaved.

    Each comes with the columns of ``tensor`` that it is.
    """
    width = like.shape[-1]
    if tensor.shape == like.shape:
        parts = [slice(0, width)]
    elif tensor.shape == (like.shape[0], 2 * width):
        parts = [slice(0, width), slice(width, 2 * width), slice(0, 2 * width, 2), slice(1, 2 * width, 2)]
    else:
        parts = []
    return [(part, tensor[:, part]) for part in parts]


def _recomputed(
    before: list[Tensor], activated: list[Tensor], functions: Iterable[Function]
) -> Iterator[tuple[Tensor, bool]]:
    """Everything that neurons can be: an activated tensor, alone (False) or times the output of a linear module (True)."""
    yield from ((value, False) for value in activated)
    for value in activated:
        yield from ((value * other, True) for other in before)
        # an adapter of Zamba 2:
        yield from ((value * (one + other), True) for one, other in combinations(before, 2))
    for function in functions:
        yield from ((function(part), False) for part in before)
        yield from ((function(gate) * value, True) for gate, value in permutations(before, 2))


# -- activation functions -------------------------------------------------------------------------


def activation_functions(model: PreTrainedModel) -> list[Function]:
    """The activation functions that the configuration of ``model`` names, then all others that transformers knows."""
    from transformers.activations import ACT2FN

    config = model.config.get_text_config().to_dict()
    named = [value for key, value in config.items() if _ACTIVATIONS.search(key) and isinstance(value, str)]
    names = dict.fromkeys([*(name for name in named if name in ACT2FN), *_function_names()])
    return [_function(name) for name in names if name in _function_names()]


@cache
def _function_names() -> tuple[str, ...]:
    """Those without parameters of their own; ``linear`` proves nothing."""
    from transformers.activations import ACT2FN

    return tuple(name for name in ACT2FN if name not in ("linear", "prelu", "xielu"))


@cache
def _function(name: str) -> Function:
    from transformers.activations import ACT2FN

    return cast("Function", ACT2FN[name])


@cache
def activation_types() -> frozenset[type[nn.Module]]:
    """The classes of modules that apply an activation function."""
    from torch.nn.modules import activation
    from transformers.activations import ACT2CLS

    known = [value[0] if isinstance(value, tuple) else value for value in ACT2CLS.values()]
    torch_has = [getattr(activation, name) for name in activation.__all__]
    others = (activation.MultiheadAttention, ACT2CLS["linear"])
    return frozenset(cast("type[nn.Module]", kind) for kind in [*known, *torch_has] if kind not in others)
