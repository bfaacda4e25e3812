"""In how many documents every latent fires: the first of two passes, which says whose moments are worth having."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.models.dictionaries.latents import SparseLatents

LEAST = 50  # documents that a latent must fire in


@dataclass(frozen=True, eq=False)
class LatentSelection:
    """``kept (p,)`` and ``left_out (m - p,)`` latents, ascending, and the ``documents (m,)`` that each fires in."""

    kept: np.ndarray
    left_out: np.ndarray
    documents: np.ndarray


class LatentCounts:
    """Counts documents by latent: ``update`` with batches in any order, ``finish_documents``, then ``select``."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._open: dict[int, np.ndarray] = {}  # document → a bit for each latent that fired
        self._documents = np.zeros(width, dtype=np.int64)
        self._tokens = np.zeros(width, dtype=np.int64)
        self.tokens = 0
        self.finished = 0

    def update(self, latents: SparseLatents, documents: np.ndarray) -> None:
        """Add tokens of the documents ``(n,)``, whole numbers that are the same for tokens of the same document.

        A document may come in several batches, as long as :meth:`finish_documents` is not called in between.
        """
        if len(documents) != len(latents) or latents.width != self._width:
            raise ValueError(f"{len(latents)} tokens of {latents.width} latents, {len(documents)} documents")
        columns = latents.columns.cpu().numpy()
        owners = np.asarray(documents)[latents.rows().cpu().numpy()]
        order = np.argsort(owners, kind="stable")
        found = np.unique(documents)  # those without any active latent, too
        starts = np.searchsorted(owners[order], found)
        for document, part in zip(found.tolist(), np.split(columns[order], starts[1:]), strict=False):
            fired = np.zeros(self._width, dtype=bool)
            fired[part] = True
            bits = np.packbits(fired)
            self._open[document] = self._open[document] | bits if document in self._open else bits
        self._tokens += np.bincount(columns, minlength=self._width)
        self.tokens += len(latents)

    def finish_documents(self) -> None:
        """Count the documents so far; none of them comes again. This frees m/8 bytes for each."""
        for bits in self._open.values():
            self._documents += np.unpackbits(bits, count=self._width)
        self.finished += len(self._open)
        self._open.clear()

    def fired_tokens(self) -> np.ndarray:
        """The number of tokens at which every latent is active, ``(m,)`` int64."""
        tokens: np.ndarray = self._tokens.copy()
        return tokens

    def select(self, least: int = LEAST) -> LatentSelection:
        """The latents that fire in ``least`` documents or more, and those to be left out."""
        self.finish_documents()
        enough = self._documents >= least
        return LatentSelection(np.flatnonzero(enough), np.flatnonzero(~enough), self._documents.copy())
