"""Everything that is summed over one block of documents, and how blocks become one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from glasso_cli.collection import contexts, marginals
from glasso_cli.collection.autocorrelation import autocorrelation
from glasso_cli.collection.block_moments import BlockMoments
from glasso_cli.collection.contexts import POLES, Contexts, Extent, PoleContexts
from glasso_cli.collection.marginals import Marginals
from glasso_cli.collection.shifted import ShiftedMoments
from glasso_cli.linalg.moments import correlation, sum_packed

if TYPE_CHECKING:
    import torch

    from glasso_cli.collection.autocorrelation import Autocorrelation
    from glasso_cli.collection.batch import ActivationBatch
    from glasso_cli.collection.modules.grid import GridAutocorrelation
    from glasso_cli.collection.pilot import Pilot

Piece = dict[str, np.ndarray]
REPEATED = 0.9999  # correlation above which one neuron repeats another


class Products(Protocol):
    """What is summed over products of values."""

    def update(self, batch: ActivationBatch, kept: torch.Tensor) -> None:
        """Add a batch; ``kept (n, p)`` are the values of its kept tokens."""

    def finish(self) -> Piece:
        """The sums as arrays: ``count``, ``sums``, ``moments``, those of the autocorrelation, ``null_moments`` if wanted."""


class DenseProducts:
    """The moments and the autocorrelation of one block, and those of the shifted neurons if there is a ``null_seed``."""

    def __init__(
        self,
        pilot: Pilot,
        autocorrelation: Autocorrelation | GridAutocorrelation,
        null_seed: tuple[int, ...] | None = None,
    ) -> None:
        width, device = len(pilot.mean), pilot.mean.device
        self._pilot = pilot
        self._moments = BlockMoments(width, device)
        self._autocorrelation = autocorrelation
        self._null = ShiftedMoments(width, null_seed, device) if null_seed is not None else None

    def update(self, batch: ActivationBatch, kept: torch.Tensor) -> None:
        """Add a batch; ``kept (n, p)`` are the values of its kept tokens."""
        centred = self._pilot.centred(kept)
        self._moments.update(centred)
        self._autocorrelation.update(batch, centred)
        if self._null is not None:
            self._null.update(centred)

    def finish(self) -> Piece:
        """The sums as arrays; second moments in float32, as they are stored."""
        block = self._moments.finish()
        piece: Piece = {
            "count": np.array(block.count),
            "sums": block.sums,
            "moments": block.moments.astype(np.float32),
            **self._autocorrelation.finish(),
        }
        if self._null is not None:
            piece["null_moments"] = self._null.finish().astype(np.float32)
        return piece


class BlockStatistics:
    """Accumulates one block; ``finish`` gives arrays to save, which :func:`merge` adds up.

    ``extent`` is that of the contexts to keep, or None.
    """

    def __init__(self, pilot: Pilot, products: Products, *, extent: Extent | None) -> None:
        self._products = products
        self._marginals = Marginals(pilot.mean, pilot.std, pilot.steps)
        self._poles = PoleContexts(len(pilot.mean), pilot.mean.device, extent) if extent is not None else None

    def update(self, batch: ActivationBatch) -> None:
        """Add the kept tokens of a batch."""
        kept = batch.values[batch.kept]
        self._products.update(batch, kept)
        self._marginals.update(kept)
        if self._poles is not None:
            self._poles.update(batch)

    def finish(self) -> Piece:
        """The block as arrays."""
        piece = {**self._products.finish(), **self._marginals.finish()}
        if self._poles is not None:
            piece.update(self._poles.finish())
        return piece


@dataclass(frozen=True, eq=False)
class Merged:
    """The blocks put together, second moments aside: those stay apart."""

    counts: np.ndarray
    sums: np.ndarray
    marginals: dict[str, np.ndarray]
    autocorrelation: np.ndarray
    poles: dict[str, Contexts]  # the contexts of every one of POLES
    null_moments: np.ndarray  # (p(p+1)/2,) float32, or empty


def merge(
    pieces: Sequence[Piece], variance: np.ndarray, pilot: Pilot, extent: Extent, *, weighted_lags: bool = False
) -> Merged:
    """What B blocks say together, added in the order given; ``variance (p,)`` is that of the transformed values.

    ``weighted_lags`` multiplies the autocorrelation at each lag by the root of how many pairs a sample has there, so that
    1 + 2 R R' is exact for documents of few positions.
    """
    counts = np.array([int(piece["count"]) for piece in pieces])
    sums = np.stack([piece["sums"] for piece in pieces])
    total: dict[str, Any] = {
        name: sum(piece[name] for piece in pieces)
        for name in ("powers", "tail_counts", "tail_sums", "lag_pairs", "lag_ends", "lag_products")
    }
    count = int(counts.sum())
    shift = sums.sum(0) / count
    width = sums.shape[1]
    null = [piece["null_moments"] for piece in pieces if "null_moments" in piece]
    centre, scale, lowest = (x.double().cpu().numpy() for x in (pilot.mean, pilot.std, pilot.steps[:, 0]))
    rho = autocorrelation(total["lag_pairs"], total["lag_ends"], total["lag_products"], shift, variance)
    if weighted_lags:
        rho = (rho * np.sqrt(total["lag_pairs"] / count)).astype(np.float32)
    return Merged(
        counts=counts,
        sums=sums,
        marginals=marginals.describe(count, total, centre, scale, lowest),
        autocorrelation=rho,
        poles={pole: _merged_contexts(pieces, pole, width, extent) for pole in POLES},
        null_moments=sum_packed(null, width if null else 0).astype(np.float32),
    )


def _merged_contexts(pieces: Sequence[Piece], pole: str, width: int, extent: Extent) -> Contexts:
    """Those of one of ``POLES``; none where none were kept."""
    parts = [contexts.read(piece, pole) for piece in pieces if f"{pole}_tokens" in piece]
    return contexts.merge(parts, pole, extent) if parts else contexts.empty(width, 0, extent)


def unusable(covariance: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of p neurons have no variance ``(p,) bool``, and which neuron each one repeats ``(p,) int32`` or -1.

    Moments are stored in float32 about a centre that is ``shift (p,)`` off the mean: a variance below the rounding of
    the second moment is none.
    """
    variance = np.diag(covariance)
    dead = variance <= 1e-6 * (variance + shift**2)
    alive = np.flatnonzero(~dead)
    repeats = np.full(len(variance), -1, dtype=np.int32)
    repeats[alive] = duplicates(correlation(covariance[np.ix_(alive, alive)]), alive)
    return dead, repeats


def duplicates(r: np.ndarray, usable: np.ndarray, threshold: float = REPEATED) -> np.ndarray:
    """For each of m neurons the first one it repeats (|r| above ``threshold``), or -1.

    ``r (m, m)`` are the correlations of the ``usable (m,)`` neurons, which name the answers. A neuron is
    compared with the first of its group, so chains of near-duplicates do not swallow each other.
    """
    rows, cols = np.nonzero(np.triu(np.abs(r) > threshold, k=1))
    original = originals(rows, cols, len(usable))
    return np.where(original >= 0, usable[original], -1).astype(np.int32)


def originals(rows: np.ndarray, cols: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` neurons the first one it repeats, or -1; ``rows < cols`` are the pairs that do, row by row."""
    original = np.full(count, -1, dtype=np.int32)
    for row, col in zip(rows, cols, strict=True):
        if original[row] < 0 and original[col] < 0:
            original[col] = row
    return original
