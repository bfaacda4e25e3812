"""What would make a dictionary fit activations that it does not fit: one change at a time is tried on a few tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.models.dictionaries.dictionary import Dictionary
from glasso_cli.models.dictionaries.quality import measure

if TYPE_CHECKING:
    import torch

TOKENS = 256  # that the changes are tried on
SCALES = 2.0 ** np.arange(-7, 8)  # factors tried first, then some near the best
FAR_BETTER = 0.5  # a change counts if it leaves at most this share of the FVU, and
FITS = 0.8  # less than this FVU
MASSIVE = 10.0  # a token whose norm is this multiple of the median is left out on trial


@dataclass(frozen=True)
class Remedy:
    """A change that makes the dictionary fit far better: in words, as an imperative, with the FVU after it."""

    advice: str
    fvu: float


def find_remedy(dictionary: Dictionary, x: torch.Tensor, y: torch.Tensor, fvu: float) -> Remedy | None:
    """The change after which far less of ``y (n, d_out)`` is unexplained than ``fvu``, or None if there is none.

    Massive tokens come first: where they are all that is wrong, any other change would only bend the fit to them.
    """
    usual = _usual(x)
    if usual is not None:
        x, y = x[usual], y[usual]
        advice = "leave out tokens of massive norm, such as the first of each text"
        without = Remedy(advice, measure(dictionary, x, y).fvu)
        if _far_better(without.fvu, fvu):
            return without
    chosen = np.unique(np.linspace(0, len(x) - 1, min(TOKENS, len(x))).astype(int))
    x, y = x[chosen], y[chosen]
    best = min(_remedies(dictionary, x, y), key=lambda remedy: remedy.fvu)
    return best if _far_better(best.fvu, measure(dictionary, x, y).fvu) else None


def _far_better(after: float, before: float) -> bool:
    return after < min(FITS, FAR_BETTER * before)


def _usual(x: torch.Tensor) -> torch.Tensor | None:
    """Which tokens are not massive, ``(n,)`` bool, or None if all are alike."""
    norms = x.double().norm(dim=1)
    usual = norms <= MASSIVE * norms.median()
    return usual if 2 <= int(usual.sum()) < len(x) else None


def _remedies(dictionary: Dictionary, x: torch.Tensor, y: torch.Tensor) -> Iterator[Remedy]:
    fvu, factor = _best_scale(dictionary, x, y)
    scale = factor if dictionary.scale is None else dictionary.scale * factor
    yield Remedy(f"multiply the activations by {factor:.3g}: load it with scale={scale:.3g}", fvu)
    if not dictionary.transcoder:
        other = replace(dictionary, subtract_b_dec=not dictionary.subtract_b_dec)
        verb = "do not subtract" if dictionary.subtract_b_dec else "subtract"
        yield Remedy(f"{verb} b_dec from the input: correct apply_b_dec_to_input", measure(other, x, y).fvu)
    if not dictionary.centre:
        advice = "take the mean over the coordinates off each token: load it with centre=True"
        yield Remedy(advice, measure(replace(dictionary, centre=True), x, y).fvu)


def _best_scale(dictionary: Dictionary, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """The FVU after the best of some scales, and that scale: powers of two, then steps of 2^(1/8) about the best."""
    tried = {float(factor): measure(dictionary.scaled(float(factor)), x, y).fvu for factor in SCALES}
    for ratio in (2.0**0.5, 2.0**0.25, 2.0**0.125):
        best = min(tried, key=lambda factor: tried[factor])
        for factor in (best / ratio, best * ratio):
            tried[factor] = measure(dictionary.scaled(factor), x, y).fvu
    best = min(tried, key=lambda factor: tried[factor])
    return tried[best], best
