"""A clean pass over all documents before the first change: which tokens count, the range of every neuron, values for resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.collection.batch import ActivationBatch, join
from glasso_cli.errors import InputError
from glasso_cli.intervention.changes import Bank, donors_of
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.study import Study, Where
from glasso_cli.intervention.sums import Counted

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.reading import Reader

LIMIT_TOKENS = 2_048  # that say which norms are massive, as in the pilot pass of `collect`


@dataclass(frozen=True, eq=False)
class Survey:
    """What the clean pass found: ``low`` and ``high`` of the targets ``(T,)``, and tokens per document.

    ``outside (C, S)`` is the share of changed values that lie beyond the clean range of their neuron.
    """

    target_range: tuple[Tensor, Tensor]
    tokens: dict[int, int]
    bank: Bank | None
    outside: np.ndarray


@dataclass(frozen=True, eq=False)
class Layout:
    """Which tokens of a batch count, where neurons are changed (None means everywhere), and the document of each row."""

    counted: Counted
    changed: Tensor | None
    documents: Tensor


def layout_of(read: ActivationBatch, batch: Any, feed: Feed, where: Where) -> Layout:
    """The layout of one batch."""
    kept, tokens, documents = feed.grid(read, batch)
    changed = where.changed(tokens)
    return Layout(Counted.of(where.counted(kept, changed), documents), changed, documents)


def set_limits(reader: Reader, batches: Sequence[Any]) -> None:
    """Let ``reader`` learn which norms are massive, from the first batches."""
    sample: list[ActivationBatch] = []
    for batch in batches:
        sample.append(reader.read(batch))
        if sum(int(part.kept.sum()) for part in sample) >= LIMIT_TOKENS:
            break
    reader.set_limits(join(sample))


def survey(
    feed: Feed,
    reader: Reader,
    batches: Sequence[Any],
    study: Study,
    where: Where,
    changes: Sequence[str],
    delta: float,
    seed: int,
) -> Survey:
    """Read all batches once; raises :class:`InputError` where no token counts."""
    import torch

    tokens: dict[int, int] = {}
    values: dict[int, list[np.ndarray]] = {}
    low = high = None
    sampled: list[Tensor] = []
    members = sorted({member for source in study.sources for member in source.members})
    places = study.candidates.places[members]
    widths = [study.source.width, *(point.width for point in study.targets)]
    for batch in batches:
        read = reader.read(batch)
        counted = layout_of(read, batch, feed, where).counted
        for document, count in zip(counted.documents.tolist(), counted.tokens().tolist()):
            tokens[document] = tokens.get(document, 0) + count
        source, *targets = read.values[read.kept].split(widths, dim=1)
        side = torch.cat([part[:, own] for part, own in zip(targets, study.columns)], dim=1)
        if len(side):
            low = side.amin(0) if low is None else torch.minimum(low, side.amin(0))
            high = side.amax(0) if high is None else torch.maximum(high, side.amax(0))
        of_token = read.documents[read.window_of()][read.kept].cpu().numpy()
        chosen = source[:, torch.from_numpy(places).to(source.device)].cpu()
        sampled.append(chosen)
        for document in np.unique(of_token).tolist():
            values.setdefault(document, []).append(chosen.numpy()[of_token == document])
    if low is None or high is None or not sum(tokens.values()):
        raise InputError(
            "No token is left at which an effect can be measured.",
            "Loosen collect.mask, give other tokens in intervene.at, or more text (intervene.tokens).",
        )
    tokens = {document: count for document, count in tokens.items() if count}
    clean = torch.cat(sampled).numpy()
    bank = None
    if "resample" in changes:
        if len(values) < 2:
            raise InputError("resample needs at least two documents.", "Raise intervene.tokens.")
        columns = {member: column for column, member in enumerate(members)}
        together = {document: np.concatenate(parts) for document, parts in values.items()}
        bank = Bank(columns, together, donors_of(np.array(sorted(together)), seed))
    limits = (clean.min(axis=0), clean.max(axis=0))
    outside = _outside(study, members, clean, limits, changes, delta)
    return Survey((low, high), tokens, bank, outside)


def _outside(
    study: Study,
    members: Sequence[int],
    clean: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    changes: Sequence[str],
    delta: float,
) -> np.ndarray:
    """The share ``(C, S)`` of changed values of each source that no clean token has; the mean over its neurons."""
    std, mean = study.candidates.std[members], study.candidates.mean[members]
    shares = np.zeros((len(changes), len(members)))
    for row, change in enumerate(changes):
        if change == "step":
            up, down = clean + delta * std > limits[1], clean - delta * std < limits[0]
            shares[row] = (up.mean(axis=0) + down.mean(axis=0)) / 2
        elif change != "resample":  # a value from another document is in the range
            value = mean if change == "mean" else np.zeros_like(mean)
            shares[row] = (value < limits[0]) | (value > limits[1])
    place = {member: column for column, member in enumerate(members)}
    return np.stack(
        [shares[:, [place[member] for member in source.members]].mean(axis=1) for source in study.sources], axis=1
    )
