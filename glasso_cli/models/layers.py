"""The stack of layers of a model of transformers, found by structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LayerStack:
    """A model's layers in the order of a pass, the path of their list, and the width of the residual stream.

    A module that is several layers (ALBERT) is in ``layers`` as often as it runs. ``members`` then says which member of
    the list each layer is; None means one after the other. ``beside`` has the paths of other lists with one member for
    each layer: XLM keeps its attentions, norms and feed-forwards apart. ``paths`` has the path of every layer where the
    layers are in several lists, one for each stage (Swin); streams then differ in width, and ``hidden_size`` is 0.
    """

    path: str
    layers: tuple[nn.Module, ...]
    hidden_size: int
    members: tuple[int, ...] | None = None
    beside: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def path_of(self, layer: int) -> str:
        """The path of the module that is the layer."""
        if self.paths:
            return self.paths[layer]
        return f"{self.path}.{layer if self.members is None else self.members[layer]}"

    def modules(self) -> dict[str, nn.Module]:
        """The modules that are layers, each once, by their paths."""
        return {self.path_of(index): layer for index, layer in enumerate(self.layers)}

    def layer_of(self, module_name: str, run: int | None = None) -> int | None:
        """The layer a module belongs to in a run of it, or None; the first that has it where there is no ``run``."""
        if self.paths:
            found = (layer for layer, path in enumerate(self.paths) if f"{module_name}.".startswith(f"{path}."))
            return next(found, None)
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
    n_layers = getattr(model, "n_layers", None) or getattr(config, "num_hidden_layers", 0)
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
    path, layers = _outermost(stacks)
    parent = path.rpartition(".")[0]
    beside = tuple(name for name, _ in stacks if name != path and name.rpartition(".")[0] == parent)
    return LayerStack(path, tuple(layers), config.hidden_size, beside=beside)


def find_layers_of_encoder(model: PreTrainedModel) -> LayerStack | None:
    """The stack of layers of a model of images or sounds; None where the configuration does not say what a layer is.

    The layers are a list of ``num_hidden_layers`` modules, or one list of ``depths`` modules for every stage.
    """
    from torch import nn

    config: Any = model.config
    for part in ("vision_config", "audio_config", "encoder_config", "backbone_config"):
        config = getattr(config, part, None) or config
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList | nn.Sequential) and len(module)
    ]
    depths = getattr(config, "depths", None)
    if isinstance(depths, list | tuple) and (staged := _staged(lists, list(depths))):
        return staged
    n_layers = getattr(config, "num_hidden_layers", None)
    stacks = [
        (name, module)
        for name, module in lists
        if len(module) == n_layers
        and isinstance(module, nn.ModuleList)
        and any(isinstance(part, nn.Linear) for part in module.modules())  # else convolutions before the layers
    ]
    if not stacks:
        return None
    path, layers = _outermost(stacks)
    return LayerStack(path, tuple(layers), int(getattr(config, "hidden_size", 0) or 0))


def _outermost(stacks: list[tuple[str, Any]]) -> tuple[str, Any]:
    """Of lists side by side, that with most parameters: the feed-forwards in XLM."""
    return min(stacks, key=lambda stack: (stack[0].count("."), -sum(p.numel() for p in stack[1].parameters())))


def _staged(lists: list[tuple[str, Any]], depths: list[int]) -> LayerStack | None:
    """The layers of all stages, one after the other; ``lists`` whose names differ in one number are those of stages."""
    groups: dict[str, list[tuple[str, Any]]] = {}
    for name, module in lists:
        groups.setdefault(re.sub(r"\d+", "*", name), []).append((name, module))
    for pattern, stages in groups.items():
        if pattern.count("*") <= 1 and [len(module) for _, module in stages] == depths:
            paths = tuple(f"{name}.{place}" for name, module in stages for place in range(len(module)))
            layers = tuple(layer for _, module in stages for layer in module)
            return LayerStack(pattern, layers, 0, paths=paths)
    return None


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
