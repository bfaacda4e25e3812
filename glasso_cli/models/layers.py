"""The stack of layers of a language model, found by structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LayerStack:
    """A model's layers in the order of a pass, the path of their list, and the width of the residual stream.

    A module that is several layers (ALBERT) is in ``layers`` as often as it runs. ``members`` then says which member of
    the list each layer is; None means one after the other. ``beside`` has the paths of other lists with one member for
    each layer: XLM keeps its attentions, norms and feed-forwards apart.
    """

    path: str
    layers: tuple[nn.Module, ...]
    hidden_size: int
    members: tuple[int, ...] | None = None
    beside: tuple[str, ...] = ()

    def path_of(self, layer: int) -> str:
        """The path of the module that is the layer."""
        return f"{self.path}.{layer if self.members is None else self.members[layer]}"

    def modules(self) -> dict[str, nn.Module]:
        """The modules that are layers, each once, by their paths."""
        return {self.path_of(index): layer for index, layer in enumerate(self.layers)}

    def layer_of(self, module_name: str, run: int | None = None) -> int | None:
        """The layer a module belongs to in a run of it, or None; the first that has it where there is no ``run``."""
        lists = "|".join(re.escape(path) for path in (self.path, *self.beside))
        match = re.match(rf"(?:{lists})\.(\d+)(\.|$)", module_name)
        if match is None or self.members is None:
            return int(match[1]) if match else None
        layers = [layer for layer, member in enumerate(self.members) if member == int(match[1])]
        return layers[run - 1] if run is not None and 0 < run <= len(layers) else next(iter(layers), None)

    def run_in(self, layer: int, module: nn.Module) -> int | None:
        """Which of its runs in a pass is the one of ``module`` in ``layer``; None for a module of no other layer."""
        holders = [index for index, other in enumerate(self.layers) if any(part is module for part in other.modules())]
        return 1 + holders.index(layer) if len(holders) > 1 else None


def find_layers(model: PreTrainedModel) -> LayerStack:
    """The stack of layers of the text part; :class:`InputError` when there is none."""
    from torch import nn

    config = model.config.get_text_config()
    n_layers = getattr(config, "num_hidden_layers", 0)
    stacks = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers
    ]
    inside = {id(module) for module in model.get_decoder().modules()}
    # An image or audio tower can have as many layers as the text part.
    stacks = [stack for stack in stacks if id(stack[1]) in inside] or stacks
    if not stacks and n_layers and (shared := _shared_layers(model, n_layers, config.hidden_size)):
        return shared
    if not stacks or n_layers == 0:
        raise InputError(
            f"'{type(model).__name__}' has no list of {n_layers} layers, so its layers cannot be told apart.",
            "Use another model: hook points are found by layer.",
        )
    # Of lists side by side (XLM), the feed-forwards have most parameters.
    path, layers = min(stacks, key=lambda stack: (stack[0].count("."), -sum(p.numel() for p in stack[1].parameters())))
    parent = path.rpartition(".")[0]
    beside = tuple(name for name, _ in stacks if name != path and name.rpartition(".")[0] == parent)
    return LayerStack(path, tuple(layers), config.hidden_size, beside=beside)


def _shared_layers(model: PreTrainedModel, n_layers: int, hidden_size: int) -> LayerStack | None:
    """The outermost list whose members run ``n_layers`` times in a pass, all together; None where there is none."""
    import torch
    from torch import nn

    from glasso_cli.models.forward import errors_of

    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    ran: dict[str, list[int]] = {name: [] for name, _ in lists}
    handles = [
        member.register_forward_pre_hook(lambda *_, name=name, place=place: ran[name].append(place))
        for name, module in lists
        for place, member in enumerate(module)
    ]
    try:
        with errors_of(model), torch.inference_mode():
            model(input_ids=torch.tensor([[5, 6, 7, 8, 9]], device=next(model.parameters()).device))
    except InputError:  # whatever it needs, its layers cannot be told apart
        return None
    finally:
        for handle in handles:
            handle.remove()
    for name, module in sorted(lists, key=lambda item: item[0].count(".")):
        if len(ran[name]) == n_layers:
            return LayerStack(name, tuple(module[place] for place in ran[name]), hidden_size, tuple(ran[name]))
    return None


def embedding(model: PreTrainedModel) -> Tensor:
    """The matrix that turns token ids into vectors; :class:`InputError` for a model without one."""
    from torch import Tensor

    weight = getattr(model.get_input_embeddings(), "weight", None)
    if not isinstance(weight, Tensor):
        raise InputError(f"'{type(model).__name__}' has no table of token embeddings.", "Use another language model.")
    return weight
