"""The latents of some tokens, of which few are active: compressed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class SparseLatents:
    """The active latents of n tokens, token by token, in ascending order within a token.

    ``starts (n + 1,)`` int64 says where each token begins in ``columns (nnz,)`` int64 and ``values (nnz,)`` float32.
    ``width`` is the number of latents m. All values are positive.
    """

    starts: torch.Tensor
    columns: torch.Tensor
    values: torch.Tensor
    width: int

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.starts) - 1

    def dense(self) -> torch.Tensor:
        """All latents ``(n, m)`` in float32, zeros included."""
        import torch

        out = torch.zeros(len(self), self.width, device=self.values.device)
        out[self.rows(), self.columns] = self.values
        return out

    def rows(self) -> torch.Tensor:
        """The token of every active latent, ``(nnz,)`` int64."""
        import torch

        tokens = torch.arange(len(self), device=self.starts.device)
        return tokens.repeat_interleave(self.starts.diff())

    def matrix(self) -> csr_array:
        """The latents as a SciPy CSR array ``(n, m)`` in float64, on the CPU."""
        from scipy.sparse import csr_array

        parts = (self.values.double().cpu().numpy(), self.columns.cpu().numpy(), self.starts.cpu().numpy())
        return csr_array(parts, shape=(len(self), self.width))


def from_entries(
    rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> SparseLatents:
    """Latents from entries in any order, each place named once at most; ``shape`` is (n, m)."""
    import torch

    order = torch.argsort(rows * shape[1] + columns)
    starts = torch.zeros(shape[0] + 1, dtype=torch.int64, device=rows.device)
    starts[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    return SparseLatents(starts, columns[order], values[order], shape[1])


def from_dense(values: torch.Tensor) -> SparseLatents:
    """Latents from ``(n, m)``, of which the positive ones are active."""
    rows, columns = (values > 0).nonzero(as_tuple=True)
    return from_entries(rows, columns, values[rows, columns].float(), (values.shape[0], values.shape[1]))


def stack(parts: list[SparseLatents]) -> SparseLatents:
    """The tokens of ``parts``, one part after the other; at least one part of the same width."""
    import torch

    ends = np.cumsum([0, *(len(part.columns) for part in parts)])
    starts = [part.starts[:-1] + int(end) for part, end in zip(parts, ends[:-1], strict=True)]
    last = torch.tensor([int(ends[-1])], device=parts[0].starts.device)
    return SparseLatents(
        torch.cat([*starts, last]),
        torch.cat([part.columns for part in parts]),
        torch.cat([part.values for part in parts]),
        parts[0].width,
    )
