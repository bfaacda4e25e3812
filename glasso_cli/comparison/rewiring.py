"""How much the neighbourhood of a neuron differs between two graphs over the same neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.graph.sums import degrees, edge_sums
from glasso_cli.inference.pairs import pair_places

Pairs = tuple[np.ndarray, np.ndarray]  # rows, cols (m,), row < col


@dataclass(frozen=True, eq=False)
class Rewiring:
    """Per neuron, ``(p,)`` each."""

    degree_a: np.ndarray  # edges in the first graph
    degree_b: np.ndarray
    jaccard: np.ndarray  # neighbours in both over neighbours in either; nan where there is none
    changes: np.ndarray  # differential edges
    change: np.ndarray  # sum of the sizes of their differences


def rewiring(p: int, first: Pairs, second: Pairs, differential: Pairs, sizes: np.ndarray) -> Rewiring:
    """Compare the edges ``first`` and ``second`` of p neurons; ``sizes (m,)`` are those of the ``differential`` edges."""
    here, there = (degrees(p, *pairs) for pairs in (first, second))
    shared = np.isin(pair_places(*first, p), pair_places(*second, p))
    both = degrees(p, first[0][shared], first[1][shared])
    either = here + there - both
    jaccard = np.full(p, np.nan)
    np.divide(both, either, out=jaccard, where=either > 0)
    return Rewiring(
        degree_a=here,
        degree_b=there,
        jaccard=jaccard,
        changes=degrees(p, *differential),
        change=edge_sums(p, *differential, np.abs(sizes)),
    )


@dataclass(frozen=True, eq=False)
class Match:
    """The communities of the first graph, by size, and what became of each in the second, ``(c,)`` each."""

    sizes: np.ndarray
    partner: np.ndarray  # the community of the second graph that shares most neurons; -1 for none
    overlap: np.ndarray  # neurons in both over neurons in either
    within: np.ndarray  # differential edges between its members
    across: np.ndarray  # differential edges between a member and any other neuron


def match_communities(first: np.ndarray, second: np.ndarray, differential: Pairs) -> Match:
    """Communities ``(p,)`` of both graphs, -1 for isolated neurons, and the differential edges."""
    count, others = int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1
    together = (first >= 0) & (second >= 0)
    table = np.zeros((count, others), dtype=np.int64)
    np.add.at(table, (first[together], second[together]), 1)
    sizes = np.bincount(first[first >= 0], minlength=count)
    theirs = np.bincount(second[second >= 0], minlength=others)
    partner, overlap = np.full(count, -1), np.zeros(count)
    if others:
        union = sizes[:, None] + theirs[None] - table
        ratio = table / np.maximum(union, 1)
        best = ratio.argmax(axis=1)
        overlap = ratio[np.arange(count), best]
        partner = np.where(overlap > 0, best, -1)
    a, b = first[differential[0]], first[differential[1]]
    inside = (a == b) & (a >= 0)
    across = np.bincount(a[(a >= 0) & ~inside], minlength=count) + np.bincount(b[(b >= 0) & ~inside], minlength=count)
    return Match(sizes, partner, overlap, np.bincount(a[inside], minlength=count), across)
