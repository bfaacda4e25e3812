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
    """The list of a model's layers, its path, and the width of the residual stream."""

    path: str
    layers: tuple[nn.Module, ...]
    hidden_size: int

    def layer_of(self, module_name: str) -> int | None:
        """The layer a module belongs to, or None."""
        match = re.match(re.escape(self.path) + r"\.(\d+)(\.|$)", module_name)
        return int(match[1]) if match else None


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
    if not stacks or n_layers == 0:
        raise InputError(
            f"'{type(model).__name__}' has no list of {n_layers} layers, so its layers cannot be told apart.",
            "Models that run one layer several times (ALBERT) are not supported.",
        )
    # XLM keeps its attentions, norms and feed-forwards in lists side by side; most parameters are in the feed-forwards.
    path, layers = min(stacks, key=lambda stack: (stack[0].count("."), -sum(p.numel() for p in stack[1].parameters())))
    return LayerStack(path, tuple(layers), config.hidden_size)


def embedding(model: PreTrainedModel) -> Tensor:
    """The matrix that turns token ids into vectors; :class:`InputError` for a model without one."""
    from torch import Tensor

    weight = getattr(model.get_input_embeddings(), "weight", None)
    if not isinstance(weight, Tensor):
        raise InputError(f"'{type(model).__name__}' has no table of token embeddings.", "Use another language model.")
    return weight
