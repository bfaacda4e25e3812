"""Exact ablation of single neurons: passes begin at the hook point of the neuron and go on to the scalar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.hooks import record
from glasso_cli.hooks.invariants import TOLERANCE
from glasso_cli.intervention.frozen import Free
from glasso_cli.intervention.outputs import VALUES
from glasso_cli.intervention.passes import Edit, Passes, copies_for
from glasso_cli.scoring.clean import Row
from glasso_cli.scoring.replaced import Replacement, at_kept
from glasso_cli.scoring.scalar import Scalar

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.reading import Reader
    from glasso_cli.console import Advance


@dataclass(frozen=True, eq=False)
class Effects:
    """Changes of the scalar ``(d, n)``, summed over the tokens of each document, and how far a replayed clean pass is off."""

    sums: np.ndarray
    replayed: float | None  # None where it was not looked at


def exact_effects(
    scalar: Scalar,
    replacement: Replacement,
    reader: Reader,
    row: Row,
    point: int,
    neurons: Sequence[int],
    advance: Advance,
    *,
    check: bool = True,
) -> Effects:
    """What the ablation of each of ``neurons``, indices of one hook point, does alone to the documents of one batch.

    ``check`` raises :class:`InputError` where a pass that begins at the hook point gives another scalar than a whole one.
    """
    feed, source = scalar.feed, replacement.neurons.points[point]
    start = replacement.neurons.of_point(point).start
    sums, replayed = np.zeros((len(row.counted.documents), len(neurons))), None
    with record(feed.model, [], stop=False) as to_end:
        passes = Passes(feed, source, to_end, Free(), to_end)
        whole = _whole(scalar, row) if check else None
        copies = copies_of(scalar, row.batch)
        with passes.over(row.batch, reader, copies):
            _, clean = passes.edited([], copies, whole=True)
            scalar.outputs.set_clean(clean, len(row.kept))
            reference = scalar.sums(clean, row)[0]
            if whole is not None:
                replayed = _require_same(scalar.of(clean, row)[0].nan_to_num(0.0), whole, scalar, source.label)
            for first in range(0, len(neurons), copies):
                some = list(neurons[first : first + copies])
                edits = [_edit(replacement, neuron, neuron - start, row) for neuron in some]
                _, output = passes.edited(edits, copies, whole=True)
                sums[:, first : first + len(some)] = (scalar.sums(output, row)[: len(some)] - reference).T
                advance(len(some))
    return Effects(sums, replayed)


def copies_of(scalar: Scalar, batch: Any) -> int:
    """How many copies of a batch share a pass."""
    rows, positions = scalar.feed.rows(batch)
    most = VALUES // (rows * positions * scalar.outputs.width)
    return max(1, min(copies_for(scalar.feed, batch), most))


def _edit(replacement: Replacement, neuron: int, place: int, row: Row) -> Edit:
    new = replacement.of(slice(neuron, neuron + 1), row)
    return Edit((place,), at_kept(row.kept, lambda current: new.expand_as(current)))


def _whole(scalar: Scalar, row: Row) -> Tensor:
    import torch

    with torch.no_grad():
        output = scalar.run(row)
        scalar.outputs.set_clean(output, len(row.kept))
        return scalar.of(output, row)[0].nan_to_num(0.0)


def _require_same(replayed: Tensor, whole: Tensor, scalar: Scalar, label: str) -> float:
    size = float(whole.norm())
    found = float((replayed - whole).norm()) / size if size else float(replayed.norm())
    if not found <= TOLERANCE[scalar.feed.reading.network.dtype]:
        raise InputError(
            f"A pass that begins at '{label}' gives another {scalar.outputs.names[0]} than a whole pass (by {found:.2g} of it): this "
            "network passes on more than its modules give.",
            "Set score.top: 0 and score.sample: 0, or take other hook points.",
        )
    return found
