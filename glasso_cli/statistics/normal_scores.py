"""Replace each neuron's values by their normal scores (the nonparanormal; Liu, Lafferty & Wasserman 2009).

Exact ranks need all values at once. A pilot sample gives every neuron a monotone table instead, so that the moments of
the transformed values stream and add up like any others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_KNOTS = 513


class NormalScores:
    """A monotone table per neuron: ``knots (p, Q)`` increasing values, ``scores (p, Q)`` their normal scores."""

    def __init__(self, knots: torch.Tensor, scores: torch.Tensor) -> None:
        self._knots, self._scores = knots, scores

    @classmethod
    def fit(cls, sample: torch.Tensor) -> NormalScores:
        """The tables of a sample ``(n, p)``; equal values share the mean of their scores."""
        import torch
        from scipy.special import ndtri

        n = sample.shape[0]
        count = min(_KNOTS, n)
        ranks = np.unique(np.linspace(0, n - 1, count).round().astype(int))
        ordered = sample.sort(dim=0).values
        knots = ordered[torch.as_tensor(ranks, device=sample.device)].T.contiguous()
        scores = torch.as_tensor(ndtri((ranks + 0.5) / n), dtype=torch.float32).to(sample.device)
        return cls(knots, _average_ties(knots, scores))

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], device: torch.device | str = "cpu"
    ) -> NormalScores:
        """The transform that ``arrays`` gave."""
        import torch

        return cls(*(torch.tensor(arrays[name], device=device) for name in ("knots", "scores")))

    def arrays(self) -> dict[str, np.ndarray]:
        """The tables, ``knots (p, Q)`` and ``scores (p, Q)``."""
        return {"knots": self._knots.cpu().numpy(), "scores": self._scores.cpu().numpy()}

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The scores of ``values (n, p)``, linear between knots and constant beyond the ends."""
        import torch

        columns = values.T.contiguous()
        last = self._knots.shape[1] - 1
        upper = torch.searchsorted(self._knots, columns).clamp(1, last)
        low, high = self._knots.gather(1, upper - 1), self._knots.gather(1, upper)
        below, above = self._scores.gather(1, upper - 1), self._scores.gather(1, upper)
        width = high - low
        share = torch.where(width > 0, (columns - low) / width.where(width > 0, width + 1), 0.5)
        return torch.lerp(below, above, share.clamp(0, 1)).T


def _average_ties(knots: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Scores ``(p, Q)`` in which equal knots have equal scores (zeros of a ReLU, for instance)."""
    import torch

    first = torch.searchsorted(knots, knots, right=False)
    last = torch.searchsorted(knots, knots, right=True)
    total = torch.cat([scores.new_zeros(1), scores.double().cumsum(0)])
    return ((total[last] - total[first]) / (last - first)).float()
