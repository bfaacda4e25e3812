"""Batches of arrays in, activations with their masks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.capture import Capture
from glasso_cli.collection.modules.windows import ArrayBatch
from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import as_samples

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.hooks.modules.tokens import Tokens
    from glasso_cli.models.modules.network import ModuleNetwork


@dataclass(frozen=True, eq=False)
class Positions:
    """How the positions at the hook points become samples.

    ``left_out`` are the positions of each hook point at the border, ``(S,)`` bool, where all items have one size. ``ends``
    are how many of them lie at the start and at the end of sequences of any length. ``first`` positions of a sequence are
    left out, too. ``tokens`` say of each hook point in which order its positions are read, and which are special. ``mean``
    takes the mean of what is left, one sample for each item. An item has at most ``each`` samples.
    """

    left_out: list[Tensor] | None
    ends: list[tuple[int, int]]
    sequence: bool
    mean: bool
    each: int
    tokens: Sequence[Tokens | None]


@dataclass(eq=False, kw_only=True)
class ArrayReader(Capture):
    """Reads the units of chosen neurons at several hook points, side by side in one matrix.

    A sample is left out by the first rule that hits it: ``special`` (a token that is no place), ``first`` (of a sequence), ``border`` (of an image), ``massive``.
    """

    network: ModuleNetwork
    positions: Positions
    with_symbols: bool

    def read(self, batch: Any) -> ActivationBatch:
        """The units at all samples of ``batch``; raises :class:`InputError` for values that are not finite."""
        import torch

        captured, padded = self._captured(batch)
        device = captured[0].device
        lengths = torch.tensor([window.size for window in batch.windows], device=device)
        if self.positions.mean:
            layers = [self._mean(point, values, padded) for point, values in enumerate(captured)]
        elif captured[0].shape[1] == 1:
            layers = [values[:, 0] for values in captured]
        else:
            taken = captured[0].shape[1]
            if _unpadded(padded):
                lengths = torch.full_like(padded, taken)
            inside = torch.arange(taken, device=device) < lengths[:, None]
            layers = [values[inside] for values in captured]
        read, norms = self._side_by_side(
            layers,
            tokens=self._tokens(batch, len(layers[0]), lengths),
            lengths=lengths,
            documents=torch.tensor([window.document for window in batch.windows], device=device),
        )
        return self._masked(read, norms)

    def set_limits(self, sample: ActivationBatch) -> ActivationBatch:
        """As :class:`Capture` does; raises :class:`InputError` where half of the samples have no norm."""
        limited = super().set_limits(sample)
        for point, limit in zip(self.hook_points, self.limits or []):
            if limit == 0:
                raise InputError(
                    f"At '{point.name}' at least half of the samples are zero, so no norm says which are massive.",
                    "Set collect.mask.massive: null.",
                )
        return limited

    def _captured(self, batch: ArrayBatch) -> tuple[list[Tensor], Tensor]:
        """Units ``(items, positions, width)`` per hook point, and the length of each item."""
        network, given = self.network, batch.to_tensors()
        count = len(batch.items)
        captured = self.recorder.read(
            lambda: network.run(given), lambda point, tensor: as_samples(point, tensor, count), network.errors()
        )
        for place, tokens in enumerate(self.positions.tokens):
            if tokens is not None:
                if captured[place].shape[1] != len(tokens.order):
                    raise InputError(
                        f"A document has {captured[place].shape[1]} tokens at '{self.hook_points[place].name}', and the first "
                        f"one has {len(tokens.order)}.",
                        "Give documents of one size; for images, set crop.",
                    )
                captured[place] = captured[place][:, tokens.order.to(captured[place].device)]
        return captured, given.lengths.to(captured[0].device)

    def _special(self, point: int) -> Tensor | None:
        """Which positions of a hook point are special tokens, where the mask leaves these out."""
        tokens = self.positions.tokens[point]
        return tokens.special if tokens is not None and self.mask.special else None

    def _mean(self, point: int, values: Tensor, lengths: Tensor) -> Tensor:
        """The mean over the positions of each item that no rule leaves out, ``(items, width)``."""
        import torch

        places = torch.arange(values.shape[1], device=values.device)
        if _unpadded(lengths):
            lengths = torch.full_like(lengths, values.shape[1])
        counted = (places < lengths[:, None]) if self.positions.sequence else torch.ones_like(values[:, :, 0]).bool()
        if self.positions.sequence:
            counted = counted & (places >= self.mask.first)
            start, end = self.positions.ends[point]
            counted = counted & (places >= start) & (places < lengths[:, None] - end)
        special = self._special(point)
        if special is not None:
            counted = counted & ~special.to(values.device)
        if self.positions.left_out is not None:
            counted = counted & ~self.positions.left_out[point].to(values.device)
        total = counted.sum(1)
        if not bool(total.all()):
            raise InputError(
                f"A document has no position left at '{self.hook_points[point].name}' of which to take the mean.",
                "Loosen collect.mask (border, first), or give larger images or longer sequences.",
            )
        return (values * counted[:, :, None]).sum(1) / total[:, None]

    def _masked(self, read: ActivationBatch, norms: Tensor) -> ActivationBatch:
        import torch

        if not self.positions.mean:
            special = self._special(0)
            if special is not None:
                read = read.masked(special.to(read.rules.device)[read.position_of()], "special")
            if self.positions.sequence:
                place = read.position_of()
                read = read.masked(place < self.mask.first, "first")
                start, end = (max(widths) for widths in zip(*self.positions.ends))
                left = read.lengths.repeat_interleave(read.lengths) - place
                read = read.masked((place < start) | (left <= end), "border")
            if self.positions.left_out is not None:
                anywhere = torch.stack(self.positions.left_out).any(0).to(read.rules.device)
                read = read.masked(anywhere[read.position_of()], "border")
        return read.masked(self._massive(norms), "massive")

    def _tokens(self, batch: ArrayBatch, count: int, lengths: Tensor) -> Tensor:
        """What whole numbers the documents have, or the number of each sample: ``each`` times its item, plus its position."""
        import torch

        if self.with_symbols:
            return torch.cat([torch.from_numpy(item) for item in batch.items]).to(lengths.device)
        items = torch.tensor([item for window in batch.windows for item in window.items], device=lengths.device)
        if count == len(items):
            return items * self.positions.each
        first = (items * self.positions.each - (lengths.cumsum(0) - lengths)).repeat_interleave(lengths)
        return first + torch.arange(count, device=lengths.device)


def _unpadded(lengths: Tensor) -> bool:
    """Whether sequences have one length, so that every position counts, however many there are at a hook point."""
    return bool((lengths == lengths.max()).all())
