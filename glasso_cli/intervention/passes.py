"""Passes over one batch that begin at the source hook point, each copy of the batch with a change of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, ablate
from glasso_cli.hooks.edit import Intervention
from glasso_cli.hooks.invariants import TOLERANCE, difference
from glasso_cli.hooks.replay import Replay
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.frozen import Frozen

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.batch import ActivationBatch
    from glasso_cli.hooks.record import Recorder

POSITIONS = {"cpu": 2_048, "cuda": 32_768}  # in a pass: what a processor's cache holds; what keeps a GPU busy
Change = Callable[["Tensor"], "Tensor"]  # of the values (rows, positions, neurons) of one copy


@dataclass(frozen=True, eq=False)
class Edit:
    """What is done in one copy of the batch: neurons of the source hook point, and their new values."""

    neurons: tuple[int, ...]
    change: Change


@dataclass(eq=False)
class Passes:
    """The passes over one batch after another. ``recorder`` reads the targets and stops there; ``to_end`` runs on to the output."""

    feed: Feed
    source: HookPoint
    recorder: Recorder
    frozen: Frozen
    to_end: Recorder | None = None
    batch: Any = None
    _replay: Replay = field(init=False)

    def __post_init__(self) -> None:
        self._replay = Replay(self.feed.model, self.source)

    @property
    def whole(self) -> bool:
        """Whether some passes go on to the output."""
        return self.to_end is not None

    @contextmanager
    def over(self, batch: Any, reader: Any, copies: int) -> Iterator[ActivationBatch]:
        """Keep what runs before the source; inside the block, :meth:`edited` starts there. Gives the clean activations."""
        import torch

        self.batch = batch
        rows, positions = self.feed.rows(batch)
        with self.frozen.watched():
            clean: ActivationBatch = reader.read(batch)
            if self.frozen.beyond(self.whole):  # what is frozen runs after the last target
                with self.feed.errors(), torch.no_grad():
                    self.feed.call(batch, 1, True)()
        with torch.no_grad():
            self._replay.keep(self.feed.call(batch, 1, False), rows, positions)
        with self._replay.again(copies), self.frozen.held(copies):
            yield clean

    def edited(
        self, edits: Sequence[Edit], copies: int, positions: Tensor | None = None, *, whole: bool = False
    ) -> tuple[list[Tensor], Any]:
        """The targets, each ``(copies, rows, positions, width)``, and the output (None unless ``whole``, where there is one).

        Copy k has ``edits[k]``; further copies are left as they are. ``positions (rows, positions)`` limits the edits.
        """
        if not edits:
            return self.run([], copies, whole=whole)
        union = sorted({neuron for edit in edits for neuron in edit.neurons})
        columns = [[union.index(neuron) for neuron in edit.neurons] for edit in edits]

        def change(current: Tensor) -> Tensor:
            rows = self.feed.rows(self.batch)[0]
            new = current.clone().reshape(copies, rows, -1, len(union))
            for copy, (edit, own) in enumerate(zip(edits, columns)):
                new[copy][..., own] = edit.change(new[copy][..., own]).to(new.dtype)
            return new.reshape(current.shape)

        limited = None if positions is None else positions.repeat(copies, 1)
        return self.run([Intervention(self.source, change, tuple(union), limited)], copies, whole=whole)

    def run(
        self, interventions: Sequence[Intervention], copies: int, *, whole: bool = False
    ) -> tuple[list[Tensor], Any]:
        """As :meth:`edited`, with ``interventions`` on all copies at once."""
        outputs: list[Any] = []
        recorder = self.to_end if whole and self.to_end is not None else self.recorder
        forward = self.feed.call(self.batch, copies, recorder is self.to_end)

        def run() -> Any:
            made = forward()
            outputs.append(made)
            return made

        with ExitStack() as stack:
            if interventions:
                stack.enter_context(ablate(self.feed.model, interventions))
            read = recorder.read(run, self.feed.shaped(self.batch, copies), self.feed.errors())
        found = [values.unflatten(0, (copies, -1)) for values in read]
        return found, outputs[-1] if outputs else None


def copies_for(feed: Feed, batch: Any) -> int:
    """How many copies of ``batch`` share a pass: an even number, at least 2."""
    rows, positions = feed.rows(batch)
    return max(2, POSITIONS[feed.reading.device.type] // (rows * positions) // 2 * 2)


def check_replay(passes: Passes, batch: Any, reader: Any) -> float:
    """How far two copies that begin at the source are from two that run as a whole, relative to the norm of a token.

    Raises :class:`InputError` where they differ: parts of the network pass on what no module gives, or the batch does not
    lie on the first axis.
    """
    with passes.over(batch, reader, 2):
        again, _ = passes.edited([], 2)
    shaped = passes.feed.shaped(batch, 2)
    forward = passes.feed.call(batch, 2, False)
    with passes.frozen.watched():
        read = passes.recorder.read(forward, shaped, passes.feed.errors())
    found = max(difference(one.flatten(0, 1), other) for one, other in zip(again, read))
    if not found <= TOLERANCE[passes.feed.reading.network.dtype]:
        raise InputError(
            f"A pass that begins at '{passes.source.label}' gives other activations than a whole pass (they differ by {found:.2g} "
            "of their norm): this network passes on more than its modules give.",
            "Take another source hook point, or another network.",
        )
    return found
