"""What recording and statistics know of a network, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn


class Network(Protocol):
    """A network ready to be read: in eval mode, no gradients.

    Language models (:class:`glasso_cli.models.loaded.LoadedModel`) and other modules
    (:class:`glasso_cli.models.modules.network.ModuleNetwork`) are networks. What a batch is, is up to the kind.
    """

    @property
    def module(self) -> nn.Module:
        """The root module, whose parts hook points name."""

    @property
    def device(self) -> torch.device:
        """Where input goes."""

    @property
    def dtype(self) -> str:
        """The floating-point type of the forward pass."""

    @property
    def kind(self) -> str:
        """``causal``, ``masked``, ``encoder`` or ``decoder`` for language models, ``image``, ``audio`` or ``torch`` for other modules."""

    @property
    def n_layers(self) -> int:
        """How many layers there are; 0 where the names of the modules do not say."""

    def run(self, batch: Any) -> Any:
        """A forward pass over a batch; :class:`InputError` for what the code of the network raises."""

    def layer_of(self, module: str) -> int | None:
        """The layer that the module of this name belongs to, or None."""


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """``module`` in evaluation mode inside the block; each of its parts gets its own mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
