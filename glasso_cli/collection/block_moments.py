"""The second moments of one block of documents, added up token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.linalg.moments import pack_upper

if TYPE_CHECKING:
    import torch


_ROWS = 512  # tokens at a time: their float64 copy stays in the processor's cache
_PANEL = 256  # columns per panel: upper triangle only, at 1/2 + panel/(2p) of the flops


@dataclass(frozen=True, eq=False)
class Block:
    """The sums of one block: ``count`` tokens, ``sums (p,)`` and packed ``moments (p(p+1)/2,)``."""

    count: int
    sums: np.ndarray
    moments: np.ndarray


class BlockMoments:
    """Accumulates one block: ``update`` with centred values ``(n, p)``, then ``finish``."""

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        import torch

        self._count = 0
        self._sums = torch.zeros(width, dtype=torch.float64, device=device)
        self._moments = torch.zeros(width, width, dtype=torch.float64, device=device)

    def update(self, centred: torch.Tensor) -> None:
        """Add tokens ``(n, p)``, given as differences from the centre; any chunking gives the same sums."""
        self._count += len(centred)
        for rows in centred.split(_ROWS):
            values = rows.double()
            self._sums += values.sum(0)
            for start in range(0, values.shape[1], _PANEL):
                panel = slice(start, start + _PANEL)
                self._moments[panel, start:].addmm_(values[:, panel].T, values[:, start:])

    def finish(self) -> Block:
        """The block's sums in float64, its moments packed row by row in float64."""
        moments = self._moments.cpu().numpy()
        return Block(self._count, self._sums.cpu().numpy(), pack_upper(moments))
