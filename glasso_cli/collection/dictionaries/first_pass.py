"""Before latents are collected: whether the dictionary fits, and in how many documents each latent fires."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glasso_cli.artifacts.pieces import read_piece, write_piece
from glasso_cli.collection.corpus_pass import CorpusPass
from glasso_cli.collection.reading import Reader, windows_of_block
from glasso_cli.models.dictionaries.check import check_dictionary
from glasso_cli.models.dictionaries.counts import LatentCounts
from glasso_cli.models.dictionaries.dictionary import Dictionary

CHECKED = 2_000  # tokens of the pilot on which the fit is measured
_PIECE = ("collect-latents", 1)


@dataclass(frozen=True, eq=False)
class LatentFindings:
    """What the first pass found of a dictionary of m latents.

    ``documents (m,)`` int64 are those that each latent fires in, of ``read`` in all. ``limits`` are the norms at the
    hook points over which a token is massive. ``fit`` holds ``tokens``, ``fvu``, ``bound``, ``l0``, ``dead`` and
    ``scale``.
    """

    documents: np.ndarray
    read: int
    limits: list[float] | None
    fit: dict[str, Any]


def latent_findings(work: CorpusPass, dictionary: Dictionary) -> LatentFindings:
    """The findings over the hook points that ``work`` reads, taken from an interrupted run where there are some.

    A scale that the files do not hold is taken from the pilot sample. Raises :class:`InputError` for a dictionary that
    does not fit.
    """
    path = work.pieces / "latents.npz"
    part = read_piece(path, *_PIECE, work.reporter.detail)
    if part is not None:
        arrays, meta = part
        return LatentFindings(arrays["documents"], meta["read"], meta["limits"], meta["fit"])
    reader = work.reading.reader()
    dictionary, fit = _checked(work, reader, dictionary)
    counts = _counted(work, reader, dictionary)
    found = LatentFindings(counts.select().documents, counts.finished, reader.limits, fit)
    meta = {"read": found.read, "limits": found.limits, "fit": found.fit}
    write_piece(path, *_PIECE, {"documents": found.documents}, meta)
    return found


def _checked(work: CorpusPass, reader: Reader, dictionary: Dictionary) -> tuple[Dictionary, dict[str, Any]]:
    """The dictionary with its scale, and how it fits a part of the pilot sample."""
    sample = work.pilot_sample(reader)
    kept = sample.values[sample.kept]
    x, y = kept[:, : dictionary.d_in], kept[:, dictionary.d_in :] if dictionary.transcoder else None
    if dictionary.scale is None:
        dictionary = dictionary.scaled_to(x)
    # Evenly spaced: batches come longest window first.
    rows = np.linspace(0, len(kept) - 1, min(len(kept), CHECKED)).astype(np.int64)
    check = check_dictionary(dictionary, x[rows], None if y is None else y[rows])
    fit = {"tokens": check.tokens, "fvu": check.fvu, "bound": check.bound, "l0": check.l0}
    return dictionary, {**fit, "dead": len(check.dead), "scale": dictionary.scale}


def _counted(work: CorpusPass, reader: Reader, dictionary: Dictionary) -> LatentCounts:
    reading, blocks = work.reading, work.section.blocks
    counts = LatentCounts(dictionary.width)
    total = sum(window.size for window in reading.windows)
    with work.reporter.progress(f"count latents {work.name}", total, reading.samples) as advance:
        for index in range(blocks):  # all windows of a document are in one block
            for batch in work.read(reader, windows_of_block(reading.windows, index, blocks), advance):
                kept = batch.kept
                documents = batch.documents[batch.window_of()][kept]
                if len(documents):
                    counts.update(
                        dictionary.encode_sparse(batch.values[kept, : dictionary.d_in]), documents.cpu().numpy()
                    )
            counts.finish_documents()
    return counts


def with_scale(dictionary: Dictionary, findings: LatentFindings) -> Dictionary:
    """The dictionary with the scale of the first pass."""
    return replace(dictionary, scale=findings.fit["scale"])
