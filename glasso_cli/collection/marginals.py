"""Mean, spread, skewness, kurtosis and tails of every neuron, as sums that add up over blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.tails import TailSums, top_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


_ROWS = 256  # tokens at a time: the temporaries stay in the processor's cache


class Marginals:
    """Power sums of ``(x - centre) / scale``; centre and scale only keep the fourth power in range.

    ``steps (p, STEPS)`` are those of :mod:`glasso_cli.collection.tails`.
    """

    def __init__(self, centre: torch.Tensor, scale: torch.Tensor, steps: torch.Tensor) -> None:
        import torch

        self._centre, self._scale = centre, scale
        self._powers = torch.zeros(4, len(centre), dtype=torch.float64, device=centre.device)
        self._tails = TailSums(steps)

    def update(self, values: torch.Tensor) -> None:
        """Add kept tokens ``(n, p)``."""
        for rows in values.split(_ROWS):
            scaled = (rows - self._centre).div_(self._scale)
            square = scaled * scaled
            self._tails.update(square)
            self._powers[0] += scaled.sum(0)
            self._powers[1] += square.sum(0)
            self._powers[2] += scaled.mul_(square).sum(0)
            self._powers[3] += square.square_().sum(0)

    def finish(self) -> dict[str, np.ndarray]:
        """``powers (4, p)`` and the arrays of the tails."""
        return {"powers": self._powers.cpu().numpy(), **self._tails.finish()}


def describe(
    count: int, sums: Mapping[str, np.ndarray], centre: np.ndarray, scale: np.ndarray, lowest: np.ndarray
) -> dict[str, np.ndarray]:
    """``mean``, ``std``, ``skewness``, ``kurtosis`` (excess) and ``top_share``, each ``(p,)`` float64.

    ``sums`` are those that :class:`Marginals` gives, added up over blocks; ``lowest (p,)`` are the lowest steps.
    """
    m1, m2, m3, m4 = sums["powers"] / count
    variance = np.maximum(m2 - m1**2, 0.0)
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(variance > 0, third / variance**1.5, 0.0)
        kurtosis = np.where(variance > 0, fourth / variance**2 - 3.0, 0.0)
    return {
        "mean": centre + scale * m1,
        "std": scale * np.sqrt(variance),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "top_share": top_share(count, sums["tail_counts"], sums["tail_sums"], sums["powers"][1], lowest),
    }
