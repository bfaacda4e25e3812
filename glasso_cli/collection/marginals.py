"""Mean, spread, kurtosis and share of active tokens of every neuron, as sums that add up over blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


_ROWS = 256  # tokens at a time: the temporaries stay in the processor's cache


class Marginals:
    """Power sums of ``(x - centre) / scale``; centre and scale only keep the fourth power in range."""

    def __init__(self, centre: torch.Tensor, scale: torch.Tensor) -> None:
        import torch

        self._centre, self._scale = centre, scale
        self._powers = torch.zeros(4, len(centre), dtype=torch.float64, device=centre.device)
        self._active = torch.zeros(len(centre), dtype=torch.float64, device=centre.device)

    def update(self, values: torch.Tensor) -> None:
        """Add kept tokens ``(n, p)``."""
        for rows in values.split(_ROWS):
            scaled = (rows - self._centre).div_(self._scale)
            square = scaled * scaled
            self._powers[0] += scaled.sum(0)
            self._powers[1] += square.sum(0)
            self._powers[2] += scaled.mul_(square).sum(0)
            self._powers[3] += square.square_().sum(0)
            self._active += (rows > 0).sum(0)

    def finish(self) -> dict[str, np.ndarray]:
        """``powers (4, p)`` and ``active (p,)``."""
        return {"powers": self._powers.cpu().numpy(), "active": self._active.cpu().numpy()}


def describe(
    count: int, powers: np.ndarray, active: np.ndarray, centre: np.ndarray, scale: np.ndarray
) -> dict[str, np.ndarray]:
    """``mean``, ``std``, ``kurtosis`` (excess) and ``fraction_active``, each ``(p,)`` float64."""
    m1, m2, m3, m4 = powers / count
    variance = np.maximum(m2 - m1**2, 0.0)
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = np.where(variance > 0, fourth / variance**2 - 3.0, 0.0)
    return {
        "mean": centre + scale * m1,
        "std": scale * np.sqrt(variance),
        "kurtosis": kurtosis,
        "fraction_active": active / count,
    }
