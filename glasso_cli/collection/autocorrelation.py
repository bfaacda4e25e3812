"""Autocorrelation of every neuron within documents, up to a few dozen tokens.

It turns the number of tokens into a number of effectively independent ones (Afyouni, Smith & Nichols 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from glasso_cli.collection.batch import ActivationBatch

_PANEL = 64  # neurons at a time: their series stay in the processor's cache while they are transposed


class Autocorrelation:
    """Sums over pairs of kept tokens k apart in one window, for k = 1 … L.

    A window is cut into segments of at least L tokens. Both ends of a pair then lie in one segment or in
    neighbours, and the products of all pairs are diagonals of two matrix products per neuron.
    """

    def __init__(self, width: int, lags: int, device: torch.device | str = "cpu") -> None:
        import torch

        self._pairs = torch.zeros(lags, dtype=torch.float64, device=device)
        self._ends = torch.zeros(width, lags, dtype=torch.float64, device=device)
        self._products = torch.zeros(width, lags, dtype=torch.float64, device=device)

    def update(self, batch: ActivationBatch, centred: torch.Tensor) -> None:
        """Add a batch; ``centred (n, p)`` are the values of its kept tokens minus the centre."""
        longest, windows = int(batch.lengths[0]), len(batch.lengths)
        lags = min(len(self._pairs), longest - 1)
        if lags == 0:
            return
        segments = max(1, longest // len(self._pairs))
        size = -(-longest // segments)
        segment, place = batch.position_of() // size, batch.position_of() % size
        rows = ((segment * windows + batch.window_of()) * size + place)[batch.kept]
        around = centred.new_zeros(segments * windows * size, lags).double()
        around.index_copy_(0, rows, partners(batch, lags))
        self._pairs[:lags] += around.sum(0) / 2
        grid = centred.new_zeros(len(around), centred.shape[1]).index_copy_(0, rows, centred)
        for start in range(0, centred.shape[1], _PANEL):
            panel = slice(start, start + _PANEL)
            series = grid[:, panel].double().T.contiguous()
            self._ends[panel, :lags] += series @ around
            series = series.unflatten(1, (segments, windows, size))
            self._products[panel, :lags] += _lag_products(series, lags)

    def finish(self) -> dict[str, np.ndarray]:
        """The sums, which add up over blocks: ``pairs (L,)``, ``ends (L, p)``, ``products (L, p)``."""
        return {
            "lag_pairs": self._pairs.cpu().numpy(),
            "lag_ends": self._ends.T.cpu().numpy(),
            "lag_products": self._products.T.cpu().numpy(),
        }


def partners(batch: ActivationBatch, lags: int) -> torch.Tensor:
    """How many kept tokens (0, 1 or 2) stand k = 1 … ``lags`` away from each kept one, ``(n, lags)``."""
    from torch.nn.functional import pad

    kept = batch.padded(batch.kept.double())
    around = pad(kept, (lags, lags)).unfold(1, 2 * lags + 1, 1)  # (b, T, 2 lags + 1)
    after, before = around[:, :, lags + 1 :], around[:, :, :lags].flip(2)
    return (after + before)[kept.bool()]


def _lag_products(series: torch.Tensor, lags: int) -> torch.Tensor:
    """Sums of ``x[t] x[t + k]`` over the windows in ``series (q, segments, b, size)``, as ``(q, lags)``."""
    import torch

    count, segments, _, size = series.shape
    width = size + lags
    products = series.new_zeros(count, size, width)  # [t, u]: u counts on into the next segment
    within = series.flatten(1, 2)
    products[:, :, :size] = torch.bmm(within.mT, within)
    if segments > 1:
        left, right = series[:, :-1].flatten(1, 2), series[:, 1:, :, :lags].flatten(1, 2)
        products[:, :, size:] = torch.bmm(left.mT, right)
    # Row t starts at its own diagonal, so that a column holds one lag.
    shape, strides = (count, size, lags), (size * width, width + 1, 1)
    return products.as_strided(shape, strides, storage_offset=1).sum(1)


def autocorrelation(
    pairs: np.ndarray, ends: np.ndarray, products: np.ndarray, shift: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """The autocorrelation ``(p, L)`` float32 of neurons with mean ``centre + shift`` and ``variance (p,)``.

    Zero for neurons without variance and for lags that no pair of tokens spans.
    """
    counted = np.maximum(pairs, 1)[:, None]
    covariance = (products - shift * ends) / counted + shift**2 * (pairs > 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(variance > 0, covariance / variance, 0.0)
    return np.asarray(np.clip(rho, -1.0, 1.0).T.astype(np.float32))
