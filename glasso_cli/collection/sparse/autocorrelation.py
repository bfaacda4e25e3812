"""The sums of :mod:`glasso_cli.collection.autocorrelation` from the values that are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from glasso_cli.collection.autocorrelation import partners
from glasso_cli.collection.sparse.active import Active
from glasso_cli.engine.threads import numba_limited

if TYPE_CHECKING:
    from glasso_cli.collection.batch import ActivationBatch


class SparseAutocorrelation:
    """Sums over pairs of kept tokens k apart in one window, for k = 1 … L."""

    def __init__(self, width: int, lags: int) -> None:
        self._pairs = np.zeros(lags)
        self._ends = np.zeros((width, lags))
        self._products = np.zeros((width, lags))

    def update(self, batch: ActivationBatch, active: Active) -> None:
        """Add a batch; ``active`` are the values of its kept tokens, with nothing taken off."""
        lags = min(len(self._pairs), int(batch.lengths[0]) - 1)
        if lags == 0:
            return
        window, position = (part[batch.kept].cpu().numpy() for part in (batch.window_of(), batch.position_of()))
        self.add(active, window, position, partners(batch, lags).cpu().numpy())

    def add(self, active: Active, window: np.ndarray, position: np.ndarray, counts: np.ndarray) -> None:
        """Add n tokens, of which those of one window follow each other.

        ``window`` and ``position (n,)`` say where each token stands, and ``counts (n, l)`` float64 how many kept tokens (0,
        1 or 2) of its window are k = 1 … l tokens away.
        """
        self._pairs[: counts.shape[1]] += counts.sum(axis=0) / 2
        tokens = np.repeat(np.arange(len(active)), np.diff(active.starts))
        order = np.argsort(active.columns, kind="stable")  # neuron by neuron, its tokens in order
        with numba_limited():
            _add(
                active.columns[order],
                tokens[order],
                active.values[order],
                window,
                position,
                counts,
                self._ends,
                self._products,
            )

    def finish(self, centre: np.ndarray) -> dict[str, np.ndarray]:
        """The sums of the values about ``centre (p,)``: ``pairs (L,)``, ``ends (L, p)``, ``products (L, p)``."""
        centre = np.asarray(centre, dtype=np.float64)[:, None]
        products = self._products - centre * self._ends + centre**2 * self._pairs
        return {
            "lag_pairs": self._pairs.copy(),
            "lag_ends": (self._ends - 2 * centre * self._pairs).T,
            "lag_products": products.T,
        }


@njit(cache=True)
def _add(
    columns: np.ndarray,
    tokens: np.ndarray,
    values: np.ndarray,
    window: np.ndarray,
    position: np.ndarray,
    partners: np.ndarray,
    ends: np.ndarray,
    products: np.ndarray,
) -> None:
    lags = partners.shape[1]
    for first in range(len(columns)):
        column, token = columns[first], tokens[first]
        for k in range(lags):
            ends[column, k] += values[first] * partners[token, k]
        for second in range(first + 1, len(columns)):
            other = tokens[second]
            if columns[second] != column or window[other] != window[token]:
                break
            lag = position[other] - position[token]
            if lag > lags:
                break
            products[column, lag - 1] += values[first] * values[second]
