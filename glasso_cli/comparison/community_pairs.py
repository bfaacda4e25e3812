"""How strongly communities of neurons depend on each other in two corpora: thousands of tests instead of millions.

The communities are those of both graphs together, so that neither corpus is favoured. For two of them, or for one with
itself, the statistic is the mean squared partial correlation of their pairs of neurons, as Fisher's z and less what noise alone
gives. It does not depend on the sign or the scale of any neuron. Its error is that of a jackknife over blocks of documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.comparison.differential import Side
from glasso_cli.comparison.estimates import CorpusEstimate
from glasso_cli.graph.communities import find_communities
from glasso_cli.inference.held_precision import HeldPairs
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.inference.p_values.false_discovery import ordered_q_values
from glasso_cli.inference.p_values.tails import two_sided, welch

LEAST = 3  # neurons of a community that is compared


@dataclass(frozen=True, eq=False)
class CommunityDifferences:
    """All m pairs of c communities, each with itself among them: first <= second, by size."""

    first: np.ndarray  # (m,) communities
    second: np.ndarray
    pairs: np.ndarray  # (m,) pairs of neurons
    dependence: tuple[np.ndarray, np.ndarray]  # (m,) mean squared partial correlation in A and in B, less noise
    error: tuple[np.ndarray, np.ndarray]  # (m,) standard errors
    p: np.ndarray  # (m,) two-sided, of H0: both are equal
    q: np.ndarray  # (m,) over all pairs of communities


def communities_of_both(p: int, rows: np.ndarray, cols: np.ndarray, weights: np.ndarray, seed: int = 0) -> np.ndarray:
    """The communities ``(p,)`` of the edges of either graph, 0 the largest; -1 for neurons in none of ``LEAST`` neurons.

    Edges are ``rows (E,)`` < ``cols (E,)``; ``weights (E,)`` are the sizes of their partial correlations, of both graphs together.
    """
    found = find_communities(p, rows, cols, weights, seed)
    sizes = np.bincount(found[found >= 0], minlength=1)
    return np.where((found >= 0) & (sizes[np.maximum(found, 0)] >= LEAST), found, -1)


def members_of(communities: np.ndarray) -> np.ndarray:
    """The neurons ``(k,)`` that are in any of ``communities (p,)``, one community after the other."""
    chosen = np.flatnonzero(communities >= 0)
    return chosen[np.argsort(communities[chosen], kind="stable")]


@dataclass(frozen=True, eq=False)
class GroupEvidence:
    """What one corpus says about all pairs of the members of communities."""

    corpus: CorpusEstimate
    side: Side
    moves: HeldPairs | None  # of all pairs of the members, in their order; None where there are none


def community_differences(first: GroupEvidence, second: GroupEvidence, communities: np.ndarray) -> CommunityDifferences:
    """Test every pair of ``communities (p,)``, -1 for neurons in none."""
    chosen = members_of(communities)
    sizes = np.bincount(communities[chosen])
    a, b = np.triu_indices(len(sizes))
    pairs = np.where(a == b, sizes[a] * (sizes[a] - 1) // 2, sizes[a] * sizes[b])
    (one, one_variance), (other, other_variance) = (
        _dependence(each, chosen, communities[chosen], pairs) for each in (first, second)
    )
    total = one_variance + other_variance
    known = total > 0
    freedoms = np.array([[first.corpus.blocks.freedom], [second.corpus.blocks.freedom]])
    freedom = welch(np.stack([one_variance, other_variance]), freedoms)
    size = np.divide(np.abs(other - one), np.sqrt(total), out=np.zeros_like(total), where=known)
    p = two_sided(size, freedom)
    return CommunityDifferences(
        a, b, pairs, (one, other), (np.sqrt(one_variance), np.sqrt(other_variance)), p, ordered_q_values(p)
    )


def _dependence(
    found: GroupEvidence, chosen: np.ndarray, members: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean squared partial correlation of pairs of communities ``(m,)``, less noise, and its variance."""
    moves, corpus = found.moves, found.corpus
    if moves is None:
        return np.zeros(0), np.zeros(0)
    i, j = np.triu_indices(len(chosen), 1)
    a, b = members[i], members[j]
    place = a * (2 * members.max() + 1 - a) // 2 + b  # among pairs of communities, row by row

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(place, values, len(pairs)) / pairs)

    z, noise = (values[i, j] for values in found.side.among(chosen))
    sums = PseudoValues(len(pairs))
    growth = 2 * z * moves.slope
    for moved, share in moves.moves():
        sums.add(mean(growth * moved), share)
    used = corpus.estimate.fitted  # what an inverse uses up makes all errors larger
    return mean(z**2 - noise), sums.variance() / (1 - used / corpus.n_effective)
