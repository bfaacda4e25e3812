"""Where a neuron is strong, and where it is not: example contexts of every neuron.

The strongest token of each window competes for the top places, so that one repetitive text cannot fill them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from glasso_cli.collection.batch import ActivationBatch

TOP = 20
REACH = 10  # tokens on either side
WIDTH = 2 * REACH + 1
POLES = ("top", "bottom")  # the highest and the lowest values
GROUPS = 5
EXAMPLES = 5  # per quantile group
_PANEL = 256  # neurons sorted at a time
_NAMES = ("tokens", "values", "documents")


@dataclass(frozen=True, eq=False)
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


class PoleContexts:
    """The strongest windows of every neuron so far at both poles: those with its highest and with its lowest values."""

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        self._poles = {pole: _Strongest(width, device) for pole in POLES}

    def update(self, batch: ActivationBatch) -> None:
        """Let the strongest kept token of each window of ``batch`` compete, at each pole."""
        import torch

        left_out = ~batch.padded(batch.kept)[:, :, None]
        values = batch.padded(batch.values).masked_fill_(left_out, -torch.inf)
        self._poles["top"].update(batch, values)
        self._poles["bottom"].update(batch, values.neg_().masked_fill_(left_out, -torch.inf))

    def finish(self) -> dict[str, np.ndarray]:
        """The contexts of every pole from strong to weak, as arrays to save: ``top_tokens``, ``bottom_tokens``, …"""
        return {
            f"{pole}_{name}": array.cpu().numpy()
            for pole, strongest in self._poles.items()
            for name, array in zip(_NAMES, strongest.contexts, strict=True)
        }


class _Strongest:
    """The ``TOP`` windows of every neuron with the largest values, from strong to weak; the first of equals leads."""

    def __init__(self, width: int, device: torch.device | str) -> None:
        import torch

        self._peaks = torch.full((width, TOP), -torch.inf, device=device)
        self.contexts = tuple(torch.tensor(held, device=device) for held in _arrays(empty(width, TOP)))

    def update(self, batch: ActivationBatch, padded: torch.Tensor) -> None:
        """Let windows compete by the largest of their values ``(b, T, p)``, -inf where a token does not count."""
        import torch

        both = torch.cat([self._peaks, padded.amax(dim=1).T], dim=1)
        self._peaks, order = _largest(both, TOP)
        neurons, ranks = torch.nonzero((order >= TOP) & self._peaks.isfinite(), as_tuple=True)
        if len(neurons) == 0:
            return
        window = order[neurons, ranks] - TOP
        # Only of the windows that enter, the place of the peak: the first of equals.
        rows = batch.starts()[window] + padded[window, :, neurons].argmax(dim=1)
        held = torch.arange(len(order), device=order.device)[:, None], order.clamp(max=TOP - 1)
        self.contexts = tuple(array[held] for array in self.contexts)
        for array, fresh in zip(self.contexts, _around(batch, neurons, rows), strict=True):
            array[neurons, ranks] = fresh


def _largest(values: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``count`` largest of each row of ``values (p, n)`` float32 and their columns; the first of equals leads.

    Whole numbers in the order of the values, with the column in their lower half, have no equals.
    """
    import torch

    bits = (values + 0.0).view(torch.int32)  # adding zero makes -0 equal to 0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the bits of negative numbers count the other way
    last = values.shape[1] - 1
    places = torch.arange(last, -1, -1, device=values.device)
    columns = last - ((ordered.long() << 32) + places).topk(count, dim=1).values.bitwise_and_(0xFFFFFFFF)
    return values.gather(1, columns), columns


def _arrays(contexts: Contexts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return contexts.tokens, contexts.values, contexts.documents


def _around(
    batch: ActivationBatch, neurons: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, values and documents of contexts: of neuron ``neurons[i]`` around flat row ``rows[i]``."""
    import torch

    window = batch.window_of()[rows]
    first = batch.starts()[window]
    around = rows[..., None] + torch.arange(-REACH, REACH + 1, device=rows.device)
    outside = (around < first[..., None]) | (around >= (first + batch.lengths[window])[..., None])
    around = around.clamp(0, len(batch.tokens) - 1)
    values = batch.values[around, neurons[..., None]].masked_fill_(outside, torch.nan)
    tokens = batch.tokens.int()[around].masked_fill_(outside, -1)
    return tokens, values, batch.documents[window].int()


def quantile_contexts(batch: ActivationBatch) -> Contexts:
    """``GROUPS`` × ``EXAMPLES`` contexts of every neuron, evenly spaced by rank from low to high."""
    import torch

    kept = torch.nonzero(batch.kept)[:, 0]
    total = GROUPS * EXAMPLES
    ranks = (2 * torch.arange(total, device=kept.device) + 1) * len(kept) // (2 * total)
    parts = []
    for columns in batch.values.split(_PANEL, dim=1):
        order = columns[kept].T.contiguous().argsort(dim=1, stable=True)
        parts.append(kept[order[:, ranks]])
    rows = torch.cat(parts)  # (p, total)
    neurons = torch.arange(len(rows), device=rows.device)
    contexts = _around(batch, neurons[:, None], rows)
    return Contexts(*(array.cpu().numpy() for array in contexts))


def read(arrays: Mapping[str, np.ndarray], pole: str) -> Contexts:
    """The contexts of one of ``POLES`` among ``arrays``."""
    return Contexts(*(arrays[f"{pole}_{name}"] for name in _NAMES))


def merge(pieces: list[Contexts], pole: str) -> Contexts:
    """The strongest examples of one of ``POLES`` over blocks, blocks in order."""
    tokens, values, documents = (np.concatenate(arrays, axis=1) for arrays in zip(*map(_arrays, pieces), strict=True))
    towards = values[:, :, REACH] if pole == "top" else -values[:, :, REACH]
    order = np.argsort(-np.where(documents >= 0, towards, -np.inf), axis=1, kind="stable")[:, :TOP]
    best = np.arange(len(order))[:, None], order
    return Contexts(tokens[best], values[best], documents[best])


def vocabulary(*tokens: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct ids in ``tokens``, increasing, and ``tokens`` as indices into them (-1 stays)."""
    ids = np.unique(np.concatenate([item.ravel() for item in tokens]))
    ids = ids[ids >= 0]
    return ids, [np.where(t >= 0, np.searchsorted(ids, t), -1).astype(np.int32) for t in tokens]
