"""Where a neuron is strong, and where it is not: example contexts of every neuron.

The strongest token of each window competes for the top places, so that one repetitive text cannot fill them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from glasso_cli.statistics.batch import ActivationBatch

TOP = 20
REACH = 10  # tokens on either side
WIDTH = 2 * REACH + 1
GROUPS = 5
EXAMPLES = 5  # per quantile group


@dataclass(frozen=True)
class Contexts:
    """Examples of p neurons: ``tokens`` and ``values (p, K, WIDTH)``, ``documents (p, K)``.

    Tokens are ids, -1 outside the text, where values are nan; the example's own token is in the middle.
    """

    tokens: np.ndarray
    values: np.ndarray
    documents: np.ndarray


def empty(width: int, count: int) -> Contexts:
    """No examples yet: documents -1, values nan."""
    return Contexts(
        np.full((width, count, WIDTH), -1, np.int32),
        np.full((width, count, WIDTH), np.nan, np.float32),
        np.full((width, count), -1, np.int32),
    )


class TopContexts:
    """The ``TOP`` strongest windows of every neuron so far."""

    def __init__(self, width: int) -> None:
        self._found = empty(width, TOP)
        self._peaks = np.full((width, TOP), -np.inf, np.float32)

    def update(self, batch: ActivationBatch) -> None:
        """Let the strongest kept token of each window of ``batch`` compete."""
        import torch

        values = batch.values.masked_fill(~batch.kept[:, None], -torch.inf)
        padded = batch.padded(values)
        inside = batch.padded(torch.ones_like(batch.kept))
        padded.masked_fill_(~inside[:, :, None], -torch.inf)
        peaks, places = padded.max(dim=1)  # (b, p)
        starts = batch.lengths.cumsum(0) - batch.lengths
        rows = places + starts[:, None]  # flat row of each window's peak
        weakest = torch.as_tensor(self._peaks[:, -1], device=peaks.device)
        best, windows = peaks.topk(min(TOP, len(peaks)), dim=0)
        neurons = torch.nonzero((best > weakest).any(0))[:, 0]
        if len(neurons):
            chosen = rows.gather(0, windows)[:, neurons].T  # (m, k)
            fresh = gather_contexts(batch, neurons, chosen)
            self._merge(neurons.cpu().numpy(), best[:, neurons].T.cpu().numpy(), fresh)

    def _merge(self, neurons: np.ndarray, peaks: np.ndarray, fresh: Contexts) -> None:
        found = self._found
        all_peaks = np.concatenate([self._peaks[neurons], peaks], axis=1)
        order = np.argsort(-all_peaks, axis=1, kind="stable")[:, :TOP]
        self._peaks[neurons] = np.take_along_axis(all_peaks, order, 1)
        for name in ("tokens", "values", "documents"):
            held, new = getattr(found, name), getattr(fresh, name)
            both = np.concatenate([held[neurons], new], axis=1)
            index = order if both.ndim == 2 else order[:, :, None]
            held[neurons] = np.take_along_axis(both, index, 1)

    def finish(self) -> dict[str, np.ndarray]:
        """The examples from strongest to weakest, as arrays to save."""
        found = self._found
        return {
            "top_tokens": found.tokens,
            "top_values": found.values,
            "top_documents": found.documents,
        }


def gather_contexts(batch: ActivationBatch, neurons: torch.Tensor, rows: torch.Tensor) -> Contexts:
    """The contexts of ``neurons (m,)`` around flat rows ``(m, k)`` of ``batch``."""
    import torch

    window = batch.window_of()
    offsets = torch.arange(-REACH, REACH + 1, device=rows.device)
    around = rows[:, :, None] + offsets
    safe = around.clamp(0, len(window) - 1)
    inside = (around == safe) & (window[safe] == window[rows][:, :, None])
    values = batch.values[safe, neurons[:, None, None]].masked_fill(~inside, torch.nan)
    tokens = batch.tokens[safe].masked_fill(~inside, -1)
    return Contexts(
        tokens.int().cpu().numpy(),
        values.cpu().numpy(),
        batch.documents[window[rows]].int().cpu().numpy(),
    )


def quantile_contexts(batch: ActivationBatch) -> Contexts:
    """``GROUPS`` × ``EXAMPLES`` contexts of every neuron, evenly spaced by rank from low to high."""
    import torch

    kept = torch.nonzero(batch.kept)[:, 0]
    order = batch.values[kept].argsort(dim=0, stable=True)  # (n, p)
    total = GROUPS * EXAMPLES
    ranks = ((torch.arange(total, dtype=torch.float64) + 0.5) * len(kept) / total).long()
    rows = kept[order[ranks.to(kept.device)]].T  # (p, total)
    neurons = torch.arange(rows.shape[0], device=rows.device)
    return gather_contexts(batch, neurons, rows)


def merge_top(pieces: list[Contexts]) -> Contexts:
    """The strongest examples over blocks, blocks in order."""
    tokens = np.concatenate([piece.tokens for piece in pieces], axis=1)
    values = np.concatenate([piece.values for piece in pieces], axis=1)
    documents = np.concatenate([piece.documents for piece in pieces], axis=1)
    peaks = np.where(documents >= 0, values[:, :, REACH], -np.inf)
    order = np.argsort(-peaks, axis=1, kind="stable")[:, :TOP]
    return Contexts(
        np.take_along_axis(tokens, order[:, :, None], 1),
        np.take_along_axis(values, order[:, :, None], 1),
        np.take_along_axis(documents, order, 1),
    )


def vocabulary(*tokens: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct ids in ``tokens``, increasing, and ``tokens`` as indices into them (-1 stays)."""
    ids = np.unique(np.concatenate([item.ravel() for item in tokens]))
    ids = ids[ids >= 0]
    return ids, [np.where(t >= 0, np.searchsorted(ids, t), -1).astype(np.int32) for t in tokens]
