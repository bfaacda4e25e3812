"""How well a dictionary reconstructs activations: one pass over a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.models.dictionaries.dictionary import ROWS, Dictionary

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Quality:
    """``fvu`` Σ‖y − ŷ‖² / Σ‖y − ȳ‖²; ``l0`` mean number of active latents; ``fired (m,)`` tokens each is active at."""

    fvu: float
    l0: float
    fired: np.ndarray


def measure(dictionary: Dictionary, x: torch.Tensor, y: torch.Tensor) -> Quality:
    """The quality at activations ``x (n, d)`` whose reconstruction is compared with ``y (n, d_out)``, n ≥ 1.

    Sums are in float64. ``fvu`` is infinite where y does not vary.
    """
    import torch

    mean = sum_rows(y) / len(y)
    error = total = 0.0
    fired = torch.zeros(dictionary.width, dtype=torch.int64)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        latents = dictionary.encode_sparse(x[rows])
        fired += torch.bincount(latents.columns.cpu(), minlength=dictionary.width)
        target = y[rows].double().cpu()
        error += float((target - dictionary.decode(latents, x[rows]).double().cpu()).square().sum())
        total += float((target - mean).square().sum())
    fvu = error / total if total > 0 else float("inf")
    return Quality(fvu=fvu, l0=float(fired.sum()) / len(x), fired=fired.numpy())


def sum_rows(values: torch.Tensor) -> torch.Tensor:
    """The sum ``(p,)`` over the rows of ``(n, p)``, in float64 on the CPU."""
    import torch

    total = torch.zeros(values.shape[1], dtype=torch.float64)
    for start in range(0, len(values), ROWS):
        total += values[start : start + ROWS].double().sum(0).cpu()
    return total
