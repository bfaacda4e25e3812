"""A fixed prompt on which every layer of a model must give finite values that differ between tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.models.forward import errors_of
from glasso_cli.models.loaded import encode

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.models.loaded import LoadedModel


CANARY = "Paris is the capital of France, and the Seine runs through it."


def check_canary(loaded: LoadedModel) -> None:
    """Check that every layer's output on a fixed prompt is finite and differs between tokens.

    Raises :class:`InputError` naming the first layer that gives nan, zeros or a constant: what a model
    spread over several GPUs does when a copy between them fails without an error.
    """
    import torch

    ids = encode(loaded, [CANARY])[0][None].to(loaded.device)
    with errors_of(loaded.model), torch.inference_mode():
        output = loaded.model(ids, output_hidden_states=True)
    states = getattr(output, "hidden_states", None) or ()
    for layer, values in enumerate(states[1:]):
        if fault := _fault(values.flatten(0, -2)):
            raise InputError(
                f"Layer {layer} of the model gives {fault} on a fixed prompt ({loaded.dtype} on {loaded.device}).",
                "Use dtype float32 and a single device; if it stays, the checkpoint is damaged.",
            )


def _fault(rows: Tensor) -> str | None:
    """What is wrong with a layer's output ``(rows, width)``, or None."""
    if not bool(rows.isfinite().all()):
        return "values that are not finite"
    if not bool(rows.any()):
        return "only zeros"
    if bool((rows == rows[:1]).all()) or bool((rows == rows[:, :1]).all()):
        return "a constant"
    return None
