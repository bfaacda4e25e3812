"""How much of a neuron's variance a few tokens carry: the share of the strongest 1 % of them, from one pass.

An exact share needs all values at once. The pilot gives every neuron steps instead, at quantiles of its own distances from
the mean, close together around the strongest 1 %. Of the tokens beyond the lowest step, one pass counts those between
steps and sums their squares. Both add up over blocks, and only the step that holds the 1 % is interpolated. The sign and
the scale of a neuron cancel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

SHARE = 0.01  # of the tokens
# The share of the pilot's tokens beyond each step, and multiples of the last step for a corpus with heavier tails.
_BEYOND = (0.06, 0.04, 0.03, 0.025, 0.02, 0.0175, 0.015, 0.0125, 0.01, 0.00875, 0.0075, 0.00625, 0.005, 0.0035, 0.002)
_MULTIPLES = (1.25, 1.6, 2.0, 3.0, 5.0, 16.0, 256.0)  # of squares
STEPS = len(_BEYOND) + len(_MULTIPLES)


def steps_of(squares: torch.Tensor) -> torch.Tensor:
    """Increasing steps ``(p, STEPS)`` of the squared distances ``(n, p)`` of a sample.

    A step lies between two values, so that no rounding decides on which side of it a token of the sample is.
    """
    import torch

    n = len(squares)
    ranks = [int(share * n) for share in _BEYOND]
    ordered = squares.topk(min(n, ranks[0] + 2), dim=0).values
    below = [min(rank + 1, len(ordered) - 1) for rank in ranks]
    strongest = ((ordered[ranks] + ordered[below]) / 2).T
    multiples = squares.new_tensor(_MULTIPLES)
    return torch.cat([strongest, strongest[:, -1:] * multiples], dim=1)


class TailSums:
    """Counts and sums of squared distances between the steps ``(p, STEPS)``, for p neurons."""

    def __init__(self, steps: torch.Tensor) -> None:
        import torch

        self._lowest = steps[:, 0].contiguous()
        self._steps = steps.cpu()
        self._counts = torch.zeros(steps.numel(), dtype=torch.int64)
        self._sums = torch.zeros(steps.numel(), dtype=torch.float64)

    def update(self, squares: torch.Tensor) -> None:
        """Add the squared distances ``(n, p)`` of tokens."""
        import torch

        # On the processor, where the order of a sum is always the same.
        tokens, neurons = torch.nonzero(squares > self._lowest, as_tuple=True)
        found, neurons = squares[tokens, neurons].cpu(), neurons.cpu()
        if len(found) == 0:
            return
        step = (found[:, None] > self._steps[neurons]).sum(1) - 1
        place = neurons * STEPS + step
        self._counts += place.bincount(minlength=len(self._counts))
        self._sums.index_add_(0, place, found.double())

    def finish(self) -> dict[str, np.ndarray]:
        """``tail_counts (p, STEPS)`` and ``tail_sums (p, STEPS)`` of the tokens between each step and the next."""
        shape = (-1, STEPS)
        return {"tail_counts": self._counts.view(shape).numpy(), "tail_sums": self._sums.view(shape).numpy()}


def top_share(count: int, counts: np.ndarray, sums: np.ndarray, total: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """The share of ``total (p,)``, the sum of squares, that the strongest 1 % of ``count`` tokens carry, ``(p,)``.

    ``counts`` and ``sums (p, STEPS)`` are those of :class:`TailSums`, ``lowest (p,)`` its lowest steps. Where fewer tokens
    than 1 % are beyond the lowest step, the others are taken to be at it.
    """
    left = np.full(len(total), SHARE * count)
    carried = np.zeros(len(total))
    for amount, squares in zip(counts.T[::-1], sums.T[::-1]):
        taken = np.minimum(left, amount)
        carried += squares * (taken / np.maximum(amount, 1))
        left -= taken
    carried = np.minimum(carried + left * lowest, total)
    return np.asarray(carried / np.where(total > 0, total, 1.0))
