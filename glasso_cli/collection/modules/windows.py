"""Arrays as windows and batches: which items go through the network together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.models.modules.network import ModuleBatch

MOST_VALUES = 2**22  # numbers that go into the network at once


@dataclass(frozen=True, eq=False)
class ArrayWindow:
    """Items that are read side by side: one image or sequence, or the rows of a document.

    ``size`` is about how many samples they give, and ``length`` the longest first axis of an item.
    """

    document: int
    items: tuple[int, ...]
    size: int
    length: int


@dataclass(frozen=True, eq=False)
class ArrayBatch:
    """Windows from large to small, and their items."""

    windows: Sequence[ArrayWindow]
    items: Sequence[np.ndarray]

    def to_tensors(self) -> ModuleBatch:
        """The items as the network takes them, padded at the end with zeros."""
        import torch

        return batch_of([torch.from_numpy(item) for item in self.items])


def batch_of(items: Sequence[Tensor]) -> ModuleBatch:
    """Items as one batch, padded at the end of their first axis; :class:`InputError` where other axes differ."""
    import torch

    from glasso_cli.models.modules.network import ModuleBatch

    lengths = torch.tensor([len(item) for item in items])
    shapes = {tuple(item.shape[1:]) for item in items}
    if len(shapes) > 1 or len({item.dtype for item in items}) > 1:
        first, second = [str(tuple(item.shape)) for item in _two_different(items)]
        raise InputError(
            f"Documents have different shapes: {first} and {second}.",
            "Give documents that differ in the length of their first axis alone; for images, set crop.",
        )
    return ModuleBatch(torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True), lengths)


def batches(
    corpus: ArrayCorpus, windows: Sequence[ArrayWindow], budget: int, *, mixed_lengths: bool
) -> Iterator[ArrayBatch]:
    """``windows`` from large to small, equal ones from long to short, in batches of at most ``budget`` samples, but at least one window."""
    ordered = sorted(windows, key=lambda window: (-window.size, -window.length))
    taken: list[ArrayWindow] = []
    items: list[np.ndarray] = []
    for window in ordered:
        own = [corpus.item(index) for index in window.items]
        _check_length(window, own)
        full = bool(taken) and (
            taken[0].size * (len(taken) + 1) > budget
            or items[0].size * (len(items) + len(own)) > MOST_VALUES
            or (not mixed_lengths and items[0].shape != own[0].shape)
        )
        if full:
            yield ArrayBatch(taken, items)
            taken, items = [], []
        taken.append(window)
        items += own
    if taken:
        yield ArrayBatch(taken, items)


def require_one_length(windows: Sequence[ArrayWindow], lengths: Sequence[int]) -> None:
    """Raise :class:`InputError` for a window whose items differ in length, for networks in which padding changes what is read."""
    for window in windows:
        own = sorted({lengths[item] for item in window.items})
        if len(own) > 1:
            raise InputError(
                f"Document {window.document} has items of {own[0]} and of {own[-1]} entries on their first axis, and padding "
                "would change the values of the shorter ones.",
                "Give each document items of one length, or make each item a document of its own.",
            )


def _check_length(window: ArrayWindow, items: Sequence[np.ndarray]) -> None:
    """Raise :class:`InputError` for items that are not as long as they were taken to be, or as they were before."""
    found = max(len(item) for item in items)
    if found != window.length:
        raise InputError(
            f"Document {window.document} has {found} entries on its first axis, where {window.length} were expected.",
            "Give images of one number of channels, and documents that are the same each time they are read.",
        )


def _two_different(items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    other = next((i for i in items if i.shape[1:] != items[0].shape[1:] or i.dtype != items[0].dtype), items[0])
    return items[0], other
