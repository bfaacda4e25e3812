"""Which documents attributions are measured on, and which are held out for exact effects and curves."""

from __future__ import annotations

from collections.abc import Sequence

from glasso_cli.collection.reading import AnyWindow
from glasso_cli.errors import InputError


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
