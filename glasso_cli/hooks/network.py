"""A model by its layers: in each, the tensors that short forms such as ``mlp.9`` and ``head.9`` name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.experts import find_experts
from glasso_cli.hooks.heads import find_heads
from glasso_cli.hooks.mixers import find_mixers
from glasso_cli.hooks.neurons import find_projections, linear_widths
from glasso_cli.hooks.point import HookPoint
from glasso_cli.hooks.routed import Experts
from glasso_cli.hooks.states import is_hidden_state

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack


@dataclass(frozen=True, eq=False)
class Network:
    """A model and its layers. Every method raises :class:`InputError` for a layer without the tensor it looks for.

    ``inputs`` of one document, arguments of the model by name, show what the layers do; None gives it a few tokens.
    """

    model: PreTrainedModel
    stack: LayerStack
    inputs: Mapping[str, Tensor] | None = None

    def mlp(self, layer: int) -> HookPoint:
        """What goes into the MLP's output projection."""
        if layer not in self.projections and (expert := self._expert(layer)):
            raise expert_error(expert)
        if layer not in self.projections:
            path = self.stack.path_of(layer)
            linear = [name for name, module in self.stack.layers[layer].named_modules() if linear_widths(module)]
            raise InputError(
                f"Layer {layer} ('{path}') has no tensor that can be proved to hold the neurons of an MLP: no linear "
                "module outside attention reads act(a) or act(a) * b of what others gave.",
                f"Name a module instead, such as '{path}.<name>:in'; linear modules there: {', '.join(linear) or 'none'}.",
            )
        return self._read_by(layer, self.projections[layer], f"layers.{layer}.mlp")

    def resid(self, layer: int) -> HookPoint:
        """The residual stream after the layer: what the layer gives, or what a list beside the layers gives (XLM)."""
        label, width = f"layers.{layer}.resid", self.stack.hidden_size
        names = [f"{self._with_run(layer, self.stack.path_of(layer))}:out"]
        names += [f"{path}.{layer}:out" for path in self.stack.beside]
        points = [HookPoint(name, layer, width, label) for name in names]
        if len(points) == 1:
            return points[0]
        return next(
            (point for point in points if is_hidden_state(self.model, self.stack, point, self.inputs)), points[0]
        )

    def head(self, layer: int) -> HookPoint:
        """What goes into the output projection of attention, all heads side by side."""
        heads = find_heads(self.model, self.stack, self.inputs)
        found = {path: heads[id(module)] for path, module in self._modules(layer) if id(module) in heads}
        if not found:
            raise InputError(
                f"Layer {layer} ('{self.stack.path_of(layer)}') has no heads that can be proved: no linear module reads "
                "the results of a softmax over tokens, head beside head.",
                f"If the layer mixes tokens in another way, use 'mixer.{layer}'; or name a module and a side.",
            )
        path = self._only(layer, list(found), "heads")
        return self._read_by(layer, path, f"layers.{layer}.head", found[path])

    def mixer(self, layer: int) -> HookPoint:
        """What goes into the output projection of a state-space model, linear attention or short convolution."""
        mixers, heads = find_mixers(self.model, self.stack), find_heads(self.model, self.stack)
        found = [path for path, module in self._modules(layer) if id(module) in mixers and id(module) not in heads]
        if not found:
            raise InputError(
                f"Layer {layer} ('{self.stack.path_of(layer)}') has no mixer: no block without a softmax passes on from "
                "token to token and ends in a linear module.",
                f"Attention has heads: use 'head.{layer}'.",
            )
        return self._read_by(layer, self._only(layer, found, "a mixer"), f"layers.{layer}.mixer")

    def experts(self, layer: int) -> tuple[str, Experts]:
        """The path of the module that has the experts of the layer, and what is known of them."""
        experts = find_experts(self.model, self.stack)
        found = {path: experts[id(module)] for path, module in self._modules(layer) if id(module) in experts}
        if not found:
            named = self._expert(layer)
            raise InputError(
                f"Layer {layer} ('{self.stack.path_of(layer)}') has no experts whose neurons can be proved"
                + (f": those of '{named}' do not follow from its weights." if named else "."),
                f"Use 'mlp.{layer}' for an MLP that sees every token, or 'resid.{layer}'.",
            )
        path = self._only(layer, list(found), "experts")
        return path, found[path]

    @cached_property
    def projections(self) -> dict[int, str]:
        """The MLP's output projection by layer, from one or two passes over a few tokens; none in a layer of experts."""
        without_experts = [layer for layer in range(len(self.stack.layers)) if self._expert(layer) is None]
        return find_projections(self.model, self.stack, without_experts, self.inputs)

    def _expert(self, layer: int) -> str | None:
        modules = self.stack.layers[layer].named_modules()
        return next(
            (f"{self.stack.path_of(layer)}.{name}" for name, module in modules if is_expert(name, module)), None
        )

    def _modules(self, layer: int) -> Iterator[tuple[str, nn.Module]]:
        """The modules of a layer, also of what lies beside it, with their paths."""
        for root in (self.stack.path_of(layer), *(f"{path}.{layer}" for path in self.stack.beside)):
            for name, module in self.model.get_submodule(root).named_modules():
                yield (f"{root}.{name}" if name else root), module

    def _read_by(self, layer: int, path: str, label: str, heads: int | None = None) -> HookPoint:
        """The input of the linear module at ``path``."""
        width = (linear_widths(self.model.get_submodule(path)) or (0,))[0]
        return HookPoint(f"{self._with_run(layer, path)}:in", layer, width, label, heads=heads)

    def _with_run(self, layer: int, path: str) -> str:
        run = self.stack.run_in(layer, self.model.get_submodule(path))
        return path if run is None else f"{path}#{run}"

    def _only(self, layer: int, paths: list[str], what: str) -> str:
        if len(paths) > 1:
            raise InputError(
                f"Layer {layer} has {what} in more than one place: {', '.join(paths)}.",
                f"Name one of them in full, such as '{paths[0]}:in'.",
            )
        return paths[0]


def is_expert(name: str, module: nn.Module) -> bool:
    """Whether a module is, or lies inside, experts of which a router picks a few for each token."""
    return "experts" in name.split(".") or type(module).__name__.endswith("Experts")


def expert_error(name: str) -> InputError:
    """That the neurons of experts at ``name`` are not those of one MLP."""
    return InputError(
        f"'{name}' is a mixture of experts: an expert's neurons exist only for the tokens routed to it, "
        "so their correlations over all tokens are not defined.",
        "Use one expert ('expert.N.E'), the residual stream ('resid.N'), or a shared expert by its full name.",
    )
