"""Autocorrelation of every neuron over the positions of an image or a sequence, in one or two dimensions.

Fourier transforms give the sums over all pairs of kept positions at once; they add up over documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len

if TYPE_CHECKING:
    import torch

    from glasso_cli.collection.batch import ActivationBatch

_PANEL = 64  # neurons at a time


def offsets(rows: int, columns: int, lags: int) -> np.ndarray:
    """The lags ``(L, 2)`` of a grid of positions in rows and columns, each pair of opposite ones once, from near to far.

    No lag is longer than ``lags`` in rows or columns. A grid of one position has the one lag (0, 1), which no pair spans.
    """
    down, right = min(lags, rows - 1), min(lags, columns - 1)
    found = [(y, x) for y in range(down + 1) for x in range(-right, right + 1) if y > 0 or x > 0]
    found.sort(key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset))
    return np.array(found or [(0, 1)], dtype=np.int64)


class GridAutocorrelation:
    """Sums over pairs of kept positions of one document, for every lag of :func:`offsets`.

    A window lies on the grid row by row; a shorter one, such as a sequence, leaves the end empty.
    """

    def __init__(self, width: int, grid: tuple[int, int], lags: int, device: torch.device | str = "cpu") -> None:
        import torch

        self._grid = grid
        self._offsets = offsets(*grid, lags)
        reach = np.abs(self._offsets).max(axis=0)
        # Room beyond the grid, so that no pair is counted around its end; a size with small factors is fast.
        self._size = tuple(next_fast_len(side + int(far), real=True) for side, far in zip(grid, reach))
        spectrum = (self._size[0], self._size[1] // 2 + 1)
        self._pairs = torch.zeros(spectrum, dtype=torch.float64, device=device)
        self._products = torch.zeros(width, *spectrum, dtype=torch.float64, device=device)
        self._ends = torch.zeros(width, *spectrum, dtype=torch.complex128, device=device)

    def update(self, batch: ActivationBatch, centred: torch.Tensor) -> None:
        """Add a batch; ``centred (n, p)`` are the values of its kept samples minus the centre."""
        import torch

        windows, (rows, columns) = len(batch.lengths), self._grid
        if rows * columns == 1:
            return
        places = (batch.window_of() * rows * columns + batch.position_of())[batch.kept]
        kept = centred.new_zeros(windows * rows * columns).double()
        kept[places] = 1.0
        mask = torch.fft.rfft2(kept.unflatten(0, (windows, rows, columns)), s=self._size)
        self._pairs += (mask.real.square() + mask.imag.square()).sum(0)
        for start in range(0, centred.shape[1], _PANEL):
            panel = slice(start, start + _PANEL)
            values = centred[:, panel].double()
            grid = values.new_zeros(windows * rows * columns, values.shape[1])
            grid[places] = values
            series = grid.T.contiguous().unflatten(1, (windows, rows, columns))
            spectrum = torch.fft.rfft2(series, s=self._size)
            self._products[panel] += (spectrum.real.square() + spectrum.imag.square()).sum(1)
            self._ends[panel] += (spectrum.conj() * mask).sum(1)

    def finish(self) -> dict[str, np.ndarray]:
        """The sums, which add up over blocks: ``pairs (L,)``, ``ends (L, p)``, ``products (L, p)``."""
        import torch

        pairs = torch.fft.irfft2(self._pairs.to(torch.complex128), s=self._size)
        ends, products = [], []
        for start in range(0, len(self._ends), _PANEL):
            panel = slice(start, start + _PANEL)
            crossed = torch.fft.irfft2(self._ends[panel], s=self._size)
            ends.append(self._at(crossed, 1) + self._at(crossed, -1))
            products.append(self._at(torch.fft.irfft2(self._products[panel].to(torch.complex128), s=self._size), 1))
        return {
            "lag_pairs": self._at(pairs, 1).round().cpu().numpy(),
            "lag_ends": torch.cat(ends).T.cpu().numpy(),
            "lag_products": torch.cat(products).T.cpu().numpy(),
        }

    def _at(self, sums: torch.Tensor, sign: int) -> torch.Tensor:
        """``sums (…, y, x)`` at the lags, ``(…, L)``."""
        y, x = sign * self._offsets[:, 0] % self._size[0], sign * self._offsets[:, 1] % self._size[1]
        return sums[..., y, x]
