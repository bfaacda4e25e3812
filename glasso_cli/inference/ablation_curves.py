"""Areas of the curves of deletion and insertion, with intervals over documents.

Both curves run over shares k of the neurons, the highest-ranked first. Deletion ablates these, and its height is the share of the
damage of ablating all neurons. Insertion ablates all others, and its height is the share of the scalar that is left: the faithfulness
f(k) of the MIB benchmark (arXiv:2504.13151). Its linear area is their CPR, and that of |1 - f| their CMD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AREAS = ("deletion", "deletion_log", "cpr", "cpr_log", "cmd")
DRAWS = 1_000  # bootstrap samples of documents


@dataclass(frozen=True, eq=False)
class Curves:
    """Sums of the scalar over the tokens of D documents, for S rankings at K shares.

    ``clean (D,)`` and ``everything (D,)`` are without any ablation and with all neurons ablated, ``deletion`` and ``insertion (S, K, D)``.
    """

    shares: np.ndarray
    clean: np.ndarray
    everything: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    def heights(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The heights of both curves ``(W, S, K)`` where documents have ``weights (W, D)``."""
        clean, everything = weights @ self.clean, weights @ self.everything
        with np.errstate(divide="ignore", invalid="ignore"):
            damage = (everything - clean)[:, None, None]
            deleted = (np.moveaxis(self.deletion @ weights.T, 2, 0) - clean[:, None, None]) / damage
            inserted = (everything[:, None, None] - np.moveaxis(self.insertion @ weights.T, 2, 0)) / damage
        return deleted, inserted

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """All of :data:`AREAS`, ``(W, S, R)``: linear ones by the trapezoid rule, logarithmic ones as a mean height over log k."""
        from scipy.integrate import trapezoid  # half a second to import

        deleted, inserted = self.heights(weights)
        logs = np.log(self.shares)
        width = logs[-1] - logs[0]
        return np.stack(
            [
                trapezoid(deleted, self.shares, axis=-1),
                trapezoid(deleted, logs, axis=-1) / width,
                trapezoid(inserted, self.shares, axis=-1),
                trapezoid(inserted, logs, axis=-1) / width,
                trapezoid(np.abs(1 - inserted), self.shares, axis=-1),
            ],
            axis=-1,
        )


def document_weights(documents: int, seed: int) -> np.ndarray:
    """How often each document is in each bootstrap sample, ``(W, documents)``; the first row is every document once."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(documents, np.full(documents, 1 / documents), size=DRAWS)
    return np.concatenate([np.ones((1, documents)), drawn])


@dataclass(frozen=True, eq=False)
class Judged:
    """Areas ``(S, R)`` with errors and intervals ``(2, S, R)``; differences of two rankings ``(S, S, R)`` with theirs ``(2, S, S, R)``."""

    areas: np.ndarray
    errors: np.ndarray
    intervals: np.ndarray
    differences: np.ndarray
    difference_intervals: np.ndarray


def judged(curves: Curves, seed: int) -> Judged:
    """The areas of all rankings, and all differences, over the same bootstrap samples of documents."""
    found = curves.areas(document_weights(len(curves.clean), seed))
    apart = found[:, :, None] - found[:, None]
    ends = [0.025, 0.975]
    return Judged(
        areas=found[0],
        errors=found[1:].std(axis=0),
        intervals=np.quantile(found[1:], ends, axis=0),
        differences=apart[0],
        difference_intervals=np.quantile(apart[1:], ends, axis=0),
    )
