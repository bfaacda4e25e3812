"""Documents of a corpus that repeat an earlier one, word by word or nearly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from glasso_cli.corpora.near_duplicates import SIZE, distinct_sets
from glasso_cli.corpora.windows import TokenizedCorpus

NEARLY = 0.8  # Jaccard similarity of the runs of SIZE tokens
SEARCHED = 2_000  # documents among which nearly equal ones are searched for: the search takes a second


@dataclass(frozen=True)
class Repeats:
    """How many documents are identical to an earlier one, and how many others are nearly so."""

    identical: int
    nearly: int


def count_repeats(corpus: TokenizedCorpus) -> Repeats:
    """The repeats among the documents of ``corpus``, told by their tokens.

    Identical ones are counted in the whole corpus, nearly identical ones among the first ``SEARCHED`` distinct ones.
    """
    texts: dict[int, list[np.ndarray]] = defaultdict(list)
    for window in corpus.windows:
        texts[window.document].append(window.ids)
    seen: set[bytes] = set()
    searched: list[frozenset[bytes]] = []
    for parts in texts.values():
        ids = np.concatenate(parts)
        digest = hashlib.blake2b(ids.tobytes(), digest_size=16).digest()
        if digest not in seen and len(searched) < SEARCHED:
            searched.append(_runs(ids))
        seen.add(digest)
    return Repeats(len(texts) - len(seen), distinct_sets(searched, NEARLY).count(False))


def _runs(ids: np.ndarray) -> frozenset[bytes]:
    """All runs of ``SIZE`` tokens; a shorter document is one run."""
    if len(ids) <= SIZE:
        return frozenset([ids.tobytes()])
    runs = np.lib.stride_tricks.sliding_window_view(ids, SIZE)
    return frozenset(np.ascontiguousarray(runs).view(f"V{runs.itemsize * SIZE}").ravel().tolist())
