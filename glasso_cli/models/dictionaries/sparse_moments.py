"""The second moments of one block of documents from the active latents alone.

A token with l active latents adds l² products. Dense moments take p (p + 1) / 2 at every token: for p = 16,384 and
l = 70, 27,000 times as many. The sums are the same, and come out in the packed format of
:mod:`glasso_cli.linalg.moments`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.linalg.moments import diagonal_places, packed_length
from glasso_cli.models.dictionaries.latents import SparseLatents

_ROWS = 4096  # tokens at a time: bounds the sparse product


@dataclass(frozen=True, eq=False)
class LatentBlock:
    """The sums of one block: ``count`` tokens, ``sums (p,)`` and packed ``moments (p(p+1)/2,)``, all float64."""

    count: int
    sums: np.ndarray
    moments: np.ndarray


class SparseMoments:
    """Accumulates one block of the latents ``kept (p,)`` of m: ``update`` with latents, then ``finish``."""

    def __init__(self, kept: np.ndarray, width: int) -> None:
        kept = np.asarray(kept, dtype=np.int64)
        inside = kept.size == 0 or (kept[0] >= 0 and kept[-1] < width)
        if kept.ndim != 1 or not inside or bool((np.diff(kept) <= 0).any()):
            raise ValueError("the latents to keep must be in ascending order, each once, and below the width")
        self._kept, self._width = kept, width
        self._count = 0
        self._sums = np.zeros(len(kept))
        self._moments = np.zeros(packed_length(len(kept)))
        # Row i of the packed triangle starts at its diagonal entry, so (i, j) stands at that place + j - i.
        self._offsets = diagonal_places(len(kept)).astype(np.int64) - np.arange(len(kept))

    def update(self, latents: SparseLatents) -> None:
        """Add tokens; any cutting into batches gives the same sums up to rounding in float64."""
        if latents.width != self._width:
            raise ValueError(f"{latents.width} latents, where {self._width} are expected")
        matrix = latents.matrix()[:, self._kept]
        self._count += len(latents)
        self._sums += np.asarray(matrix.sum(axis=0)).ravel()
        for start in range(0, len(latents), _ROWS):
            rows = matrix[start : start + _ROWS]
            products = (rows.T @ rows).tocoo()
            upper = products.row <= products.col
            places = self._offsets[products.row[upper]] + products.col[upper]
            self._moments[places] += products.data[upper]  # each place once: a product has no repeated entries

    def finish(self, centre: np.ndarray | None = None) -> LatentBlock:
        """The block, about ``centre (p,)`` if there is one, as if it had been taken off every token first."""
        if centre is None:
            return LatentBlock(self._count, self._sums.copy(), self._moments.copy())
        centre = np.asarray(centre, dtype=np.float64)
        if centre.shape != self._sums.shape:
            raise ValueError(f"a centre of shape {centre.shape} for {len(self._sums)} latents")
        moments = self._moments.copy()
        shifted = self._sums - self._count * centre
        for row, start in enumerate(diagonal_places(len(centre))):
            # Σ (x_i − c_i)(x_j − c_j) = Σ x_i x_j − c_i Σ x_j − c_j Σ x_i + n c_i c_j
            moments[start : start + len(centre) - row] -= centre[row] * shifted[row:] + centre[row:] * self._sums[row]
        return LatentBlock(self._count, shifted, moments)
