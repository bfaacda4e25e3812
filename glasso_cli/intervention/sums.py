"""Sums of effects by document: what a pass leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Counted:
    """Which tokens of a batch count, and the document of each row.

    ``kept (rows, positions)`` bool; ``documents (d,)`` are those of the batch, each once, and ``row_of (rows,)`` says which
    one a row belongs to.
    """

    kept: Tensor
    documents: np.ndarray
    row_of: Tensor

    @classmethod
    def of(cls, kept: Tensor, documents: Tensor) -> Counted:
        """From the kept tokens and the document of every row ``(rows,)``."""
        import torch

        each, row_of = torch.unique(documents, return_inverse=True)
        return cls(kept, each.cpu().numpy(), row_of)

    def tokens(self) -> np.ndarray:
        """How many tokens of each document count, ``(d,)``."""
        return self._members().sum(1).cpu().numpy().astype(np.int64)

    def _members(self) -> Tensor:
        """Ones ``(d, kept tokens)`` at the tokens of each document, in float32."""
        import torch

        of_token = self.row_of[:, None].expand_as(self.kept)[self.kept]
        members = torch.zeros(len(self.documents), len(of_token), device=self.kept.device)
        members[of_token, torch.arange(len(of_token), device=self.kept.device)] = 1
        return members

    def sums(self, values: Tensor) -> Tensor:
        """Sums over the kept tokens of each document of ``values (copies, rows, positions, width)``: ``(copies, d, width)``."""
        return self._members() @ values[:, self.kept]

    def both(self, parts: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """The sums ``(copies, d, width)`` of values and of their squares; ``parts`` lie side by side in ``width``."""
        import torch

        members = self._members()
        flat = [values[:, self.kept] for values in parts]
        plain = torch.cat([members @ values for values in flat], dim=-1)
        squares = torch.cat([members @ values.square() for values in flat], dim=-1)
        return plain.cpu().numpy(), squares.cpu().numpy()
