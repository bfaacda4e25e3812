"""Everything that is summed over products of values, from those that are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.shifted import ShiftedTokens
from glasso_cli.collection.sparse.active import active
from glasso_cli.collection.sparse.autocorrelation import SparseAutocorrelation
from glasso_cli.collection.sparse.moments import SparseMoments

if TYPE_CHECKING:
    import torch

    from glasso_cli.collection.batch import ActivationBatch

PAYS_FROM = 10  # neurons for each active one, from which these sums are faster than dense ones


class SparseProducts:
    """The moments and the autocorrelation of one block, and those of the shifted neurons if there is a ``null_seed``.

    All are about ``centre (p,)``, which is taken off at the end.
    """

    def __init__(self, centre: np.ndarray, lags: int, null_seed: tuple[int, ...] | None = None) -> None:
        self._centre = centre
        self._moments = SparseMoments(len(centre))
        self._autocorrelation = SparseAutocorrelation(len(centre), lags)
        self._shifted = None
        if null_seed is not None:
            self._null = SparseMoments(len(centre))
            self._shifted = ShiftedTokens(null_seed, lambda values: self._null.update(active(values)))

    def update(self, batch: ActivationBatch, kept: torch.Tensor) -> None:
        """Add a batch; ``kept (n, p)`` are the values of its kept tokens."""
        found = active(kept)
        self._moments.update(found)
        self._autocorrelation.update(batch, found)
        if self._shifted is not None:
            self._shifted.update(kept)

    def finish(self) -> dict[str, np.ndarray]:
        """The sums as arrays; second moments in float32, as they are stored."""
        block = self._moments.finish(self._centre)
        piece = {
            "count": np.array(block.count),
            "sums": block.sums,
            "moments": block.moments.astype(np.float32),
            **self._autocorrelation.finish(self._centre),
        }
        if self._shifted is not None:
            self._shifted.finish()
            piece["null_moments"] = self._null.finish(self._centre).moments.astype(np.float32)
        return piece
