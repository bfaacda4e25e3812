"""Activations of one batch, flat: one row a token, windows one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ActivationBatch:
    """Values of p neurons at N tokens of b windows, longest window first.

    Masked tokens are present (contexts show them) and marked in ``kept``.
    """

    values: torch.Tensor  # (N, p) float32
    tokens: torch.Tensor  # (N,) int64
    kept: torch.Tensor  # (N,) bool
    lengths: torch.Tensor  # (b,) int64, decreasing
    documents: torch.Tensor  # (b,) int64

    def window_of(self) -> torch.Tensor:
        """The window of every token, ``(N,)``."""
        import torch

        rows = torch.arange(len(self.lengths), device=self.lengths.device)
        return torch.repeat_interleave(rows, self.lengths)

    def starts(self) -> torch.Tensor:
        """The row of the first token of every window, ``(b,)``."""
        return self.lengths.cumsum(0) - self.lengths

    def position_of(self) -> torch.Tensor:
        """The position of every token in its window, from 0, ``(N,)``."""
        import torch

        rows = torch.arange(len(self.tokens), device=self.tokens.device)
        return rows - self.starts().repeat_interleave(self.lengths)

    def padded(self, values: torch.Tensor, fill: float = 0) -> torch.Tensor:
        """Flat rows ``(N, …)`` as ``(b, T, …)``, ``fill`` beyond the end of each window."""
        shape = (len(self.lengths), int(self.lengths[0]), *values.shape[1:])
        out = values.new_full(shape, fill)
        rows = self.window_of() * shape[1] + self.position_of()
        out.flatten(0, 1).index_copy_(0, rows, values)
        return out
