"""Measured effects of S sources on T targets, of any choice of blocks of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Effects:
    """Sums over the tokens of B blocks of documents, in standard deviations of the target.

    ``sums`` and ``squares (C, S, B, T)`` are of the effects of C changes and of their squares, and ``counts (B,)`` the tokens.
    """

    changes: tuple[str, ...]
    counts: np.ndarray
    sums: np.ndarray
    squares: np.ndarray

    def of(self, change: str, statistic: str, blocks: np.ndarray | None = None) -> np.ndarray:
        """The mean effects, or their root mean squares (``rms``), ``(S, T)``; every block counts ``blocks (B,)`` times."""
        weights = np.ones(len(self.counts)) if blocks is None else np.asarray(blocks, float)
        row = self.changes.index(change)
        sums = (self.sums if statistic == "mean" else self.squares)[row]
        mean = np.einsum("b,sbt->st", weights.astype(sums.dtype), sums) / (weights @ self.counts)
        return np.asarray(mean if statistic == "mean" else np.sqrt(np.maximum(mean, 0)), dtype=np.float64)
