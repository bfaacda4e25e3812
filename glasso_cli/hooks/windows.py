"""Whether a window's activations depend on which windows share its batch, at the lengths that a corpus has.

Some models choose their frequencies by the longest window of a batch (longrope of Phi-3, at windows on both sides of
the original length). Short texts cannot show that, so the longest and the shortest window of the corpus are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glasso_cli.errors import InputError
from glasso_cli.hooks.invariants import TOLERANCE, difference
from glasso_cli.models.loaded import padding_id

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.loaded import LoadedModel


def lengths_can_mix(loaded: LoadedModel, recorder: Recorder, windows: Sequence[Tensor]) -> bool:
    """Whether windows of different lengths may share a batch; otherwise only windows of one length may.

    ``windows`` hold token ids. The longest and the shortest are read alone and in one padded batch. Where these differ,
    each is read beside another window of its own length. Raises :class:`InputError` where even that changes a window's
    activations.
    """
    short, long = min(windows, key=len), max(windows, key=len)
    alone = [recorder.run(row[None]) for row in (short, long)]
    mixed = _batched(loaded, recorder, [short, long])
    allowed = TOLERANCE[loaded.dtype]
    if all(_worst(single, batch) <= allowed for single, batch in zip(alone, mixed, strict=True)):
        return True
    for row, single in zip((short, long), alone, strict=True):
        error = _worst(single, _batched(loaded, recorder, [row, row.flip(0)])[0])
        if error > allowed:
            raise InputError(
                f"The activations of a window of {len(row):,} tokens depend on what shares its batch or ran before it: "
                f"they differ by {error:.2g} of their norm (allowed {allowed:g}).",
                "This model cannot be read in batches; try model.dtype: float32, or another model.",
            )
    return False


def _batched(loaded: LoadedModel, recorder: Recorder, rows: Sequence[Tensor]) -> list[list[Tensor]]:
    """The activations of each row, per hook point, from one right-padded batch."""
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence(list(rows), batch_first=True, padding_value=padding_id(loaded.tokenizer))
    mask = pad_sequence([row.new_ones(len(row)) for row in rows], batch_first=True)
    values = recorder.run(ids, mask)
    return [[value[i, : len(row)] for value in values] for i, row in enumerate(rows)]


def _worst(alone: Sequence[Tensor], batched: Sequence[Tensor]) -> float:
    """The largest difference over the hook points."""
    return max(difference(one[0], other) for one, other in zip(alone, batched, strict=True))
