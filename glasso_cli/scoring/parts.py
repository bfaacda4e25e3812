"""Which documents attributions are measured on, which are held out for exact effects and curves, and both as batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from glasso_cli.collection.reading import AnyWindow, Reader, Windowed
from glasso_cli.errors import InputError
from glasso_cli.intervention.feed import Feed
from glasso_cli.scoring.clean import Bank, Neurons, Row, bank_of, layouts
from glasso_cli.scoring.replaced import Replacement


def split(windows: Sequence[AnyWindow], tokens: int, held_out: int) -> tuple[list[AnyWindow], list[AnyWindow]]:
    """The windows of both parts, in whole documents: those of attributions with ``tokens``, and the held-out ones.

    Each document goes to the part that has the smaller share of what it is to have, so that both are spread over the corpus
    alike, also where it has less text. Documents after that are left out. Raises :class:`InputError` for fewer than two documents
    in a part.
    """
    documents: dict[int, list[AnyWindow]] = {}
    for window in windows:
        documents.setdefault(window.document, []).append(window)
    parts: tuple[list[AnyWindow], list[AnyWindow]] = ([], [])
    wanted, sizes, counts = (tokens, held_out), [0, 0], [0, 0]
    for number in sorted(documents):
        shares = [size / want for size, want in zip(sizes, wanted)]
        if min(shares) >= 1:
            break
        part = 0 if shares[0] <= shares[1] else 1
        parts[part].extend(documents[number])
        sizes[part] += sum(window.size for window in documents[number])
        counts[part] += 1
    if min(counts) < 2:
        raise InputError(
            f"Attributions have {counts[0]} documents and exact effects {counts[1]}, and both need at least two.",
            "Give more or shorter documents, or raise score.tokens and score.held_out.",
        )
    return parts


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the documents in batches of about ``budget`` positions, which are read when they are needed."""

    feed: Feed
    reader: Reader
    windows: Sequence[Windowed]
    budget: int
    seed: int
    _rows: dict[int, Row] = field(default_factory=dict)
    _banks: list[Bank] = field(default_factory=list)  # one at most

    @cached_property
    def batches(self) -> list[Any]:
        """The batches."""
        return list(self.feed.reading.batches(self.windows, self.budget))

    @cached_property
    def documents(self) -> np.ndarray:
        """The numbers of the documents ``(D,)``, increasing."""
        return np.unique([window.document for window in self.windows])

    def row(self, batch: int) -> Row:
        """The layout of one batch."""
        if batch not in self._rows:
            (self._rows[batch],) = layouts(self.feed, [self.batches[batch]], self.reader)
        return self._rows[batch]

    def replacement(self, neurons: Neurons, by: str) -> Replacement:
        """What replaces neurons: their means, or for ``resample`` their values in another document."""
        if by == "resample" and not self._banks:
            samples = sum(int(np.prod(self.feed.rows(batch))) for batch in self.batches)
            self._banks.append(bank_of(self.batches, self.reader, len(neurons.ids), samples, self.seed))
        return Replacement(neurons, self.feed.reading.device, self._banks[0] if by == "resample" else None)

    def sums(self, batches: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Sums ``(D, …)`` over all ``documents``, of those over the documents of each batch ``(d, …)``, by their names.

        A document may lie in several batches. They are added up in their order.
        """
        found: dict[str, np.ndarray] = {}
        for batch in batches:
            at = np.searchsorted(self.documents, batch["documents"])
            for name, values in batch.items():
                if name == "documents":
                    continue
                total = found.setdefault(name, np.zeros((len(self.documents), *values.shape[1:]), values.dtype))
                total[at] += values
        return found
