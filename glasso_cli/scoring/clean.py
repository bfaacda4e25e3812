"""Clean passes over documents: which tokens count, means and spreads of all neurons, and their values for resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.engine.machine import available_memory
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint
from glasso_cli.intervention.changes import donors_of
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.sources import write_vectors
from glasso_cli.intervention.sums import Counted

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.collection.reading import Reader


@dataclass(frozen=True, eq=False)
class Neurons:
    """All neurons of some hook points, one point after the other, with what clean passes say of them: each ``(P,)``."""

    points: Sequence[HookPoint]
    ids: np.ndarray
    point_of: np.ndarray  # the index of the hook point
    places: np.ndarray  # the coordinate at the hook point
    mean: np.ndarray
    std: np.ndarray
    mean_abs: np.ndarray
    write_norms: np.ndarray

    @classmethod
    def of(cls, points: Sequence[HookPoint], **found: np.ndarray) -> Neurons:
        """The neurons of ``points``, of which :func:`measured` ``found`` something."""
        widths = [point.width for point in points]
        return cls(
            points=points,
            ids=np.array([name for point in points for name in point.neuron_ids]),
            point_of=np.repeat(np.arange(len(points)), widths),
            places=np.concatenate([np.arange(width) for width in widths]),
            **found,
        )

    def of_point(self, point: int) -> slice:
        """The neurons of one hook point."""
        start, stop = np.searchsorted(self.point_of, [point, point + 1])
        return slice(int(start), int(stop))


def measured(feed: Feed, points: Sequence[HookPoint], batches: Sequence[Any], reader: Reader) -> dict[str, np.ndarray]:
    """Mean, standard deviation, mean absolute value and write norm of every neuron over the kept tokens of ``batches``, each ``(P,)``.

    Raises :class:`InputError` where no token is kept.
    """
    sums = np.zeros((3, sum(point.width for point in points)))
    count = 0
    for batch in batches:
        read = reader.read(batch)
        values = read.values[read.kept].double()
        count += len(values)
        sums += np.stack([part.sum(0).cpu().numpy() for part in (values, values.square(), values.abs())])
    if not count:
        raise InputError("No token is left to score.", "Loosen collect.mask, or give more text (score.tokens).")
    mean, square, absolute = sums / count
    std = np.sqrt(np.maximum(square - mean**2, 0))
    write_norms = np.concatenate([_write_norms(feed, point) for point in points]) * std
    return {"mean": mean, "std": std, "mean_abs": absolute, "write_norms": write_norms}


def _write_norms(feed: Feed, point: HookPoint) -> np.ndarray:
    """How much a unit of every neuron adds to the output of the module that reads it, ``(width,)``; nan where that is not linear."""
    start = 0 if point.part is None else point.part.start
    places = np.arange(start, start + point.width)
    writes = write_vectors(feed.model.get_submodule(point.module), places) if point.side == "in" else None
    return np.full(point.width, np.nan) if writes is None else np.linalg.norm(writes, axis=1)


@dataclass(frozen=True, eq=False)
class Bank:
    """Clean values ``(tokens, P)`` of all neurons at the kept tokens of each document, and another document for each."""

    values: dict[int, Tensor]
    donors: dict[int, int]

    def of(self, documents: Sequence[int], positions: int, neurons: Tensor | slice) -> Tensor:
        """Values ``(rows, positions, neurons)`` for rows of these documents: those of the donor, from its start again if it is shorter."""
        import torch

        rows = []
        for document in documents:
            donor = self.values[self.donors[document]]
            at = torch.arange(positions, device=donor.device) % len(donor)
            rows.append(donor[:, neurons][at] if isinstance(neurons, slice) else donor[at[:, None], neurons])
        return torch.stack(rows)


def bank_of(batches: Sequence[Any], reader: Reader, width: int, samples: int, seed: int) -> Bank:
    """The bank of all documents in ``batches``; raises :class:`InputError` where memory does not hold it, and for a single document."""
    import torch

    needed, free = samples * width * 4, available_memory()
    if 2 * needed > free:
        raise InputError(
            f"The values of {width:,} neurons at {samples:,} tokens need {needed / 1e9:.1f} GB of memory twice, and "
            f"{free / 1e9:.1f} GB are free.",
            "Take fewer tokens (score.tokens, score.held_out), or set score.baseline and score.ablations to mean.",
        )
    found: dict[int, list[Tensor]] = {}
    for batch in batches:
        read = reader.read(batch)
        of_token = read.documents[read.window_of()]
        for document in read.documents.unique().tolist():
            found.setdefault(document, []).append(read.values[read.kept & (of_token == document)])
    together = {document: torch.cat(parts) for document, parts in found.items()}
    full = sorted(document for document, values in together.items() if len(values))
    if len(full) < 2:
        raise InputError("Resampling needs at least two documents with kept tokens.", "Give more text.")
    donors = donors_of(np.array(full), seed)
    return Bank(together, donors | {document: full[0] for document in together if document not in donors})


@dataclass(frozen=True, eq=False)
class Row:
    """One batch with its layout: which tokens are kept, and the document of each row.

    ``kept (rows, positions)`` bool; ``counted`` sums over them by document.
    """

    batch: Any
    kept: Tensor
    counted: Counted
    documents: tuple[int, ...]

    @property
    def positions(self) -> int:
        return int(self.kept.shape[1])


def layouts(feed: Feed, batches: Sequence[Any], reader: Reader) -> list[Row]:
    """The layout of every batch."""
    found = []
    for batch in batches:
        kept, _, documents = feed.grid(reader.read(batch), batch)
        found.append(Row(batch, kept, Counted.of(kept, documents), tuple(documents.tolist())))
    return found
