"""Whether an effect goes through the neuron in the middle of a path: the source is pushed with and without that neuron held.

The effect through the middle is the total effect less the effect with the middle at its clean values (Pearl 2001; Vig et al.
2020). A path predicts it by the product of its weights. Nothing else is held, so it is what the network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.hooks import ablate, record
from glasso_cli.hooks.edit import Intervention
from glasso_cli.inference.document_means import clustered
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.sums import Counted

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.reading import Reader
    from glasso_cli.console import Advance
    from glasso_cli.hooks import HookPoint

_COPIES = 4  # up, down, and both with the middle held


@dataclass(frozen=True, eq=False)
class Place:
    """One neuron: its hook point, its coordinate there, and its standard deviation."""

    point: HookPoint
    neuron: int
    std: float


@dataclass(frozen=True, eq=False)
class Effect:
    """Effects of a source on a target, in standard deviations of both, each with its standard error over documents."""

    total: tuple[float, float]
    held: tuple[float, float]  # with the middle held at its clean values
    through: tuple[float, float]  # total less held
    documents: int
    tokens: int


def mediated(
    feed: Feed,
    reader: Reader,
    batches: Sequence[Any],
    paths: Sequence[tuple[Place, Place, Place]],
    step: float,
    advance: Advance,
) -> list[Effect]:
    """The effects of each path of source, middle and target; the source is pushed by ``step`` up and down at every token.

    Means are over the tokens of ``batches`` that are kept, errors clustered by document. ``advance`` is called with 1 for each
    path and batch.
    """
    found = []
    for source, middle, target in paths:
        documents: list[np.ndarray] = []
        counts: list[np.ndarray] = []
        sums: list[np.ndarray] = []
        for batch in batches:
            kept, _, of_rows = feed.grid(reader.read(batch), batch)
            counted = Counted.of(kept, of_rows)
            slopes = _slopes(feed, batch, source, middle, target, step)
            sums.append(counted.sums(slopes[..., None])[..., 0].double().cpu().numpy().T)
            documents.append(counted.documents)
            counts.append(counted.tokens())
            advance(1)
        found.append(_effect(np.concatenate(documents), np.concatenate(counts), np.concatenate(sums)))
    return found


def _slopes(feed: Feed, batch: Any, source: Place, middle: Place, target: Place, step: float) -> Tensor:
    """Slopes of the target at every token ``(2, rows, positions)``: with nothing held, and with the middle held."""
    import torch

    rows = feed.rows(batch)[0]
    with torch.no_grad(), record(feed.model, [middle.point]) as recorder:
        (values,) = recorder.read(feed.call(batch, 1, False), feed.shaped(batch, 1))
    clean = values[..., middle.neuron]  # (rows, positions)

    def pushed(current: Tensor) -> Tensor:
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0], device=current.device).repeat_interleave(rows)
        return current + (step * source.std * signs).to(current.dtype).reshape(-1, *[1] * (current.ndim - 1))

    def as_before(current: Tensor) -> Tensor:
        fixed = clean.repeat(_COPIES, 1).to(current.dtype).reshape(current.shape)
        held = torch.arange(_COPIES * rows, device=current.device) >= 2 * rows
        return torch.where(held.reshape(-1, *[1] * (current.ndim - 1)), fixed, current)

    edits = [
        Intervention(source.point, pushed, (source.neuron,)),
        Intervention(middle.point, as_before, (middle.neuron,)),
    ]
    with torch.no_grad(), ablate(feed.model, edits), record(feed.model, [target.point]) as recorder:
        (values,) = recorder.read(feed.call(batch, _COPIES, False), feed.shaped(batch, _COPIES))
    up, down, up_held, down_held = values[..., target.neuron].reshape(_COPIES, rows, -1)
    return torch.stack([up - down, up_held - down_held]) / (2 * step * target.std)


def _effect(documents: np.ndarray, counts: np.ndarray, sums: np.ndarray) -> Effect:
    """From the sums ``(…, 2)`` and tokens of each document, which may be in several batches."""
    each, place = np.unique(documents, return_inverse=True)
    tokens = np.bincount(place, counts, len(each))
    total, held = (np.bincount(place, column, len(each)) for column in sums.T)
    filled = tokens > 0
    mean, error = clustered(np.stack([total, held, total - held], axis=1)[filled], tokens[filled])
    ends = [(float(value), float(spread)) for value, spread in zip(mean, error)]
    return Effect(ends[0], ends[1], ends[2], int(filled.sum()), int(tokens.sum()))
