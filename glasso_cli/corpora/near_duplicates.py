"""Which texts are nearly the same as one before them: Jaccard similarity of their 5-character pieces.

Exact, and quick for thousands of texts. Two sets whose similarity is at least t share one of the rarest pieces of
each: of n pieces the n - ⌈t n⌉ + 1 rarest (prefix filter; Chaudhuri, Ganti and Kaushik 2006). Only those pairs
are compared.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

SIZE = 5
PAIRS = 20_000  # the mean over more than these is taken over a part of them

Pieces: TypeAlias = "frozenset[str] | frozenset[int]"


def pieces(text: str) -> frozenset[str]:
    """All runs of five characters, case and spacing aside; a shorter text is one piece."""
    plain = " ".join(text.casefold().split())
    return frozenset(plain[start : start + SIZE] for start in range(max(1, len(plain) - SIZE + 1)))


def similarity(a: Pieces, b: Pieces) -> float:
    """The share of pieces that are in both of those that are in either."""
    both = len(a & b)
    return both / (len(a) + len(b) - both)


def distinct(texts: Sequence[str], threshold: float, kept: Sequence[str] = ()) -> list[bool]:
    """Whether each of ``texts``, in order, is less similar than ``threshold`` to all that were kept before it.

    ``kept`` come first and are kept whatever they are.
    """
    return distinct_sets([pieces(text) for text in (*kept, *texts)], threshold, len(kept))


def distinct_sets(sets: Sequence[frozenset[Any]], threshold: float, kept: int = 0) -> list[bool]:
    """As :func:`distinct`, of sets of pieces of any kind, of which the first ``kept`` are kept whatever they are."""
    sets = _by_rarity(sets)
    holders: dict[int, list[int]] = defaultdict(list)  # rare piece → the kept texts that have it among theirs
    answers = []
    for index, ranks in enumerate(sets):
        rare = sorted(ranks)[: len(ranks) - _at_least(threshold, len(ranks)) + 1]
        near = {other for piece in rare for other in holders[piece]} if index >= kept else set()
        new = all(similarity(ranks, sets[other]) < threshold for other in near)
        answers.append(new)
        if new:
            for piece in rare:
                holders[piece].append(index)
    return answers[kept:]


def _by_rarity(sets: Sequence[frozenset[Any]]) -> list[frozenset[int]]:
    """``sets`` with each piece as its rank, the rarest first."""
    frequency = Counter(itertools.chain.from_iterable(sets))
    rank = {piece: place for place, piece in enumerate(sorted(frequency, key=frequency.__getitem__))}
    return [frozenset(map(rank.__getitem__, text_pieces)) for text_pieces in sets]


def _at_least(threshold: float, size: int) -> int:
    """The smallest whole number that is at least ``threshold * size``; rounding must not make it larger."""
    return math.ceil(threshold * size - 1e-9)


def mean_similarity(texts: Sequence[str]) -> float:
    """The mean similarity of two of ``texts``; 0 for fewer than two. Of very many pairs every k-th is taken."""
    sets = [pieces(text) for text in texts]
    pairs = math.comb(len(sets), 2)
    if not pairs:
        return 0.0
    step = max(1, pairs // PAIRS)
    taken = itertools.islice(itertools.combinations(sets, 2), 0, None, step)
    return math.fsum(similarity(a, b) for a, b in taken) / len(range(0, pairs, step))
