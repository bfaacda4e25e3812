"""A network of the same architecture with fresh weights: what a graph owes to training, it has not."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar, cast

from glasso_cli.errors import InputError
from glasso_cli.models.encoder_decoder import text_decoder, whole_model

if TYPE_CHECKING:
    from torch import nn

Network = TypeVar("Network", bound="nn.Module")


def reinitialised(module: Network, seed: int) -> Network:
    """A copy of ``module`` whose weights its own initialiser drew with ``seed``, on the CPU first, so the same everywhere.

    Device, dtype and mode are those of ``module``, which stays as it is. Raises :class:`InputError` for a module spread over
    devices and for one that does not say how its weights are drawn.
    """
    import torch
    from transformers import PreTrainedModel

    if (whole := whole_model(module)) is not None:
        return cast(Network, text_decoder(reinitialised(whole, seed)))
    tensors = [*module.parameters(), *module.buffers()]
    devices = {tensor.device for tensor in tensors}
    if len(devices) > 1:
        raise InputError(
            "A model spread over several devices cannot be re-initialised.",
            "Set collect.null: true, or use one device (model.device_map: null).",
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if isinstance(module, PreTrainedModel):
            fresh: Any = type(module)(copy.deepcopy(module.config))
        else:
            fresh = copy.deepcopy(module).cpu()
            for name, part in fresh.named_modules():
                _reset(name, part)
    first = tensors[0]
    return cast(Network, fresh.to(first.device, first.dtype).train(module.training).requires_grad_(False))


def _reset(name: str, part: nn.Module) -> None:
    """Draw the parameters that ``part`` holds itself."""
    if next(part.parameters(recurse=False), None) is None:
        return
    reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    if reset is None:
        raise InputError(
            f"'{name or type(part).__name__}' does not say how its weights are drawn: it has no reset_parameters.",
            "Give it that method, or use collect.null: true.",
        )
    reset()
