"""Deletion and insertion: the scalar with the highest-ranked neurons ablated together, and with all others ablated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.hooks import ablate
from glasso_cli.scoring.clean import Row
from glasso_cli.scoring.replaced import Replacement, indices
from glasso_cli.scoring.scalar import Scalar

if TYPE_CHECKING:
    from glasso_cli.console import Advance


def ablated_sums(
    scalar: Scalar, replacement: Replacement, rows: Sequence[Row], documents: np.ndarray, neurons: Sequence[int]
) -> np.ndarray:
    """The scalar with all of ``neurons`` ablated, summed over the tokens of ``documents``: ``(D,)``."""
    import torch

    sums, chosen = np.zeros(len(documents)), indices(neurons)
    for row in rows:
        scalar.set_clean(row)
        with torch.no_grad(), ablate(scalar.feed.model, replacement.ablation(chosen, row)):
            output = scalar.run(row)
        sums[np.searchsorted(documents, row.counted.documents)] += scalar.sums(output, row)[0]
    return sums


def counts_of(shares: Sequence[float], neurons: int) -> list[int]:
    """How many neurons each share is, at least one."""
    return [max(1, round(share * neurons)) for share in shares]


def curves_of(
    scalar: Scalar,
    replacement: Replacement,
    rows: Sequence[Row],
    documents: np.ndarray,
    order: np.ndarray,
    counts: Sequence[int],
    advance: Advance,
) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion ``(K, D)`` of one ``order``, for the first ``counts`` neurons of it, all counts below their number."""
    both: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for count in counts:
        for found, chosen in zip(both, (order[:count], order[count:])):
            found.append(ablated_sums(scalar, replacement, rows, documents, chosen.tolist()))
            advance(1)
    deletion, insertion = (np.array(found).reshape(len(counts), len(documents)) for found in both)
    return deletion, insertion
