"""The values of some tokens that are not zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Active:
    """The values of n tokens by p neurons that are not zero, token by token, in ascending order of the neurons.

    ``starts (n + 1,)`` int64 says where each token begins in ``columns (nnz,)`` int64 and ``values (nnz,)`` float64.
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    width: int

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.starts) - 1


def active(values: torch.Tensor) -> Active:
    """Those of ``values (n, p)``, on the processor."""
    dense = values.cpu().numpy()
    rows, columns = np.nonzero(dense)
    starts = np.zeros(len(dense) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=len(dense)), out=starts[1:])
    return Active(starts, columns, dense[rows, columns].astype(np.float64), dense.shape[1])
