"""What the page shows, as arrays: neurons, one or two topics with their graphs along alpha, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_ALPHAS = 32  # bits of a presence mask


@dataclass(frozen=True, eq=False)
class Topic:
    """A corpus: E edges of any alpha of its path, each once with row < column, and what is known of them.

    ``present`` has bit k where the edge is there at alpha k. ``rho`` are the partial correlations at the alphas, those of
    alpha 0 first, inside one in the order of the edges. What the tests say stands for the edges of the selected alpha
    alone, in the order of the edges: ``tested (S,)`` says which those are.
    """

    name: str
    words: Mapping[str, Any]  # numbers and sentences about the fit, JSON
    alphas: np.ndarray  # (A,) decreasing, at most 32
    selected: int
    rows: np.ndarray  # (E,)
    cols: np.ndarray  # (E,)
    present: np.ndarray  # (E,) uint32
    rho: np.ndarray  # (sum of edges at the alphas,)
    marginal: np.ndarray  # (E,) plain correlation
    tested: np.ndarray  # (S,) indices of edges
    kept: np.ndarray  # (S,) bool, passes the rules: drawn
    debiased: np.ndarray  # (S,)
    standard_error: np.ndarray  # (S,)
    q_values: np.ndarray  # (S,)
    frequencies: np.ndarray  # (S,) share of half-samples, nan without any
    communities: np.ndarray  # (p,) -1 for isolated neurons
    distinctive: Sequence[Sequence[tuple[str, float]]]  # of each community the tokens that set it apart, with their z
    vocabulary: np.ndarray  # (V,) str
    tokens: np.ndarray  # (p, K, W) into vocabulary, -1 outside the text
    values: np.ndarray  # (p, K, W) nan outside the text
    documents: np.ndarray  # (p, K) -1 where there are fewer


@dataclass(frozen=True, eq=False)
class Change:
    """The D pairs that differ between two topics, row < column."""

    rows: np.ndarray  # (D,)
    cols: np.ndarray  # (D,)
    rho: tuple[np.ndarray, np.ndarray]  # (D,) in either, not shrunken
    error: tuple[np.ndarray, np.ndarray]  # (D,)
    q_values: np.ndarray  # (D,)
    classes: np.ndarray  # (D,) index into ``kinds``
    kinds: tuple[str, ...]
    words: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class View:
    """All of the page: p neurons, one or two topics."""

    title: str
    sentence: str
    ids: np.ndarray  # (p,) str
    labels: list[str]  # (p,)
    layers: np.ndarray  # (p,) -1 where there is none
    topics: tuple[Topic, ...]
    change: Change | None = None

    @property
    def p(self) -> int:
        return len(self.ids)
