"""Whether a dictionary fits the activations it is given: refused if it explains too little of them.

The commonest error is a wrong hook point or a wrong scale. Both leave shapes that fit and numbers that look usual, and
both show in the fraction of variance unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.diagnosis import find_remedy
from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.quality import measure

if TYPE_CHECKING:
    import torch

LARGEST_FVU = 0.5  # where the files claim nothing
SLACK = 1.2  # times what the files claim


@dataclass(frozen=True, eq=False)
class DictionaryCheck:
    """What a dictionary does on a sample of tokens.

    ``fvu`` is the fraction of the variance of the activations that the reconstruction leaves unexplained, at most
    ``bound``. ``l0`` is the mean number of latents that are active at a token. ``dead`` are the latents active at no
    token of the sample, ascending: a small sample has many.
    """

    tokens: int
    fvu: float
    bound: float
    l0: float
    dead: np.ndarray
    claimed_fvu: float | None
    claimed_l0: float | None


def check_dictionary(
    dictionary: Dictionary,
    activations: torch.Tensor,
    targets: torch.Tensor | None = None,
    *,
    bound: float | None = None,
) -> DictionaryCheck:
    """How the dictionary does at ``activations (n, d)``, if it explains enough of them.

    ``targets (n, d_out)`` are the activations at the hook point that a transcoder predicts, at the same tokens. The
    tokens should be those that are studied: no padding, no first tokens of massive norm.

    Raises :class:`InputError` if the FVU is above ``bound``: by default 1.2 times what the files claim, or 0.5 where they
    claim nothing. The message names the likely causes, and the change that makes the fit far better, if there is one.
    """
    x, y = _sample(dictionary, activations, targets)
    quality = measure(dictionary, x, y)
    if not np.isfinite(quality.fvu):
        raise InputError(
            f"The fit of the dictionary {dictionary.source} cannot be measured: "
            "the activations of the sample do not vary, or overflow.",
            "Give a larger sample of tokens.",
        )
    claimed = dictionary.claims.fvu
    if bound is None:
        bound = LARGEST_FVU if claimed is None else SLACK * claimed
    if quality.fvu > bound:
        raise _bad_fit(dictionary, x, y, quality.fvu, bound)
    return DictionaryCheck(
        tokens=len(x),
        fvu=quality.fvu,
        bound=bound,
        l0=quality.l0,
        dead=np.flatnonzero(quality.fired == 0),
        claimed_fvu=claimed,
        claimed_l0=dictionary.claims.l0,
    )


def _sample(
    dictionary: Dictionary, activations: torch.Tensor, targets: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What is read and what is reconstructed, the same number of tokens, all finite."""
    if dictionary.transcoder and targets is None:
        raise InputError(
            f"{dictionary.source} is a transcoder: its fit is measured at another hook point.",
            f"Give the activations there ({dictionary.hook_out.described}) as targets.",
        )
    y = activations if targets is None else targets
    if activations.ndim != 2 or y.shape != (len(activations), dictionary.d_out) or len(activations) < 2:
        raise InputError(
            f"The sample has the shapes {tuple(activations.shape)} and {tuple(y.shape)}, where (n, {dictionary.d_in}) "
            f"and (n, {dictionary.d_out}) with at least two tokens are expected.",
            f"Read the hook point of the dictionary ({dictionary.hook_in.described}).",
        )
    if not bool(activations.isfinite().all() and y.isfinite().all()):
        raise InputError(
            "The sample of activations holds values that are not finite.",
            "Load the model in bfloat16 or float32, where its activations do not overflow.",
        )
    return activations, y


def _bad_fit(dictionary: Dictionary, x: torch.Tensor, y: torch.Tensor, fvu: float, bound: float) -> InputError:
    claimed = dictionary.claims.fvu
    basis = f", {SLACK} times what its files claim" if claimed is not None and bound == SLACK * claimed else ""
    message = (
        f"The dictionary {dictionary.source} leaves {fvu:.3g} of the variance of these activations unexplained, "
        f"more than {bound:.3g}{basis}."
    )
    remedy = find_remedy(dictionary, x, y, fvu)
    if remedy is not None:
        advice = remedy.advice[0].upper() + remedy.advice[1:]
        return InputError(message, f"{advice}; on some tokens of the sample that leaves {remedy.fvu:.2g}.")
    return InputError(
        message,
        f"Check the hook point (the dictionary was trained at: {dictionary.hook_in.described}), the normalisation of the "
        "input, and whether b_dec is subtracted from it.",
    )
