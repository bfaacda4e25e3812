"""Replace each neuron's values by their normal scores (the nonparanormal; Liu, Lafferty & Wasserman 2009).

Exact ranks need all values at once. A pilot sample gives every neuron a monotone table instead, so that the
moments of the transformed values stream and add up like any others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    import torch

_KNOTS = 513
_PANEL = 64  # neurons at a time: their tables and values stay in the processor's cache


class NormalScores:
    """A monotone table per neuron: increasing values ``knots (p, Q)`` and their ``scores (p, Q)``."""

    def __init__(self, knots: torch.Tensor, scores: torch.Tensor) -> None:
        self._knots, self._scores = knots, scores

    @classmethod
    def fit(cls, sample: torch.Tensor) -> NormalScores:
        """The tables of a sample ``(n, p)``; equal values (a ReLU's zeros) share the mean of their scores."""
        import torch

        n, device = len(sample), sample.device
        ranks = torch.as_tensor(_knot_ranks(n), device=device)
        normal = ndtri((np.arange(n) + 0.5) / n)
        summed = torch.as_tensor(np.concatenate([[0.0], normal.cumsum()]), device=device)
        tables = [_table(columns, ranks, summed) for columns in sample.split(_PANEL, dim=1)]
        knots, scores = zip(*tables, strict=True)
        return cls(torch.cat(knots), torch.cat(scores))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], device: torch.device | str = "cpu") -> NormalScores:
        """The transform that ``arrays`` gave."""
        import torch

        return cls(*(torch.tensor(arrays[name], device=device) for name in ("knots", "scores")))

    def arrays(self) -> dict[str, np.ndarray]:
        """The tables, ``knots (p, Q)`` and ``scores (p, Q)``."""
        return {"knots": self._knots.cpu().numpy(), "scores": self._scores.cpu().numpy()}

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The scores of ``values (n, p)``, linear between knots and constant beyond the ends."""
        import torch

        out = torch.empty_like(values)
        tables = zip(self._knots.split(_PANEL), self._scores.split(_PANEL), strict=True)
        panels = zip(values.split(_PANEL, dim=1), out.split(_PANEL, dim=1), strict=True)
        for (knots, scores), (columns, target) in zip(tables, panels, strict=True):
            target.copy_(_interpolate(columns.T.contiguous(), knots, scores).T)
        return out


def _knot_ranks(n: int) -> np.ndarray:
    """Ranks of the knots among ``n`` values: evenly spaced in score, so that the tails are as exact as the middle."""
    if n <= _KNOTS:
        return np.arange(n)
    end = ndtri(0.5 / n)
    ranks = n * ndtr(np.linspace(end, -end, _KNOTS)) - 0.5
    return np.unique(ranks.round().astype(np.int64))


def _table(columns: torch.Tensor, ranks: torch.Tensor, summed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Knots and scores ``(q, Q)`` of ``columns (n, q)``; ``summed (n + 1,)`` cumulates the scores of all ranks."""
    import torch

    ordered = columns.T.contiguous().sort(dim=1).values
    knots = ordered[:, ranks].contiguous()
    first = torch.searchsorted(ordered, knots)
    after = torch.searchsorted(ordered, knots, right=True)
    return knots, ((summed[after] - summed[first]) / (after - first)).float()


def _interpolate(columns: torch.Tensor, knots: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """The scores of ``columns (q, n)``, row by row."""
    import torch

    if knots.shape[1] == 1:
        return scores.expand_as(columns)
    upper = torch.searchsorted(knots, columns).clamp_(1, knots.shape[1] - 1)
    low, high = knots.gather(1, upper - 1), knots.gather(1, upper)
    below, above = scores.gather(1, upper - 1), scores.gather(1, upper)
    share = ((columns - low) / (high - low)).nan_to_num_(0.5)  # 0/0: equal knots have equal scores
    return torch.lerp(below, above, share.clamp_(0, 1))
