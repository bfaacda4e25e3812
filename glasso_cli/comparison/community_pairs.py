"""How strongly communities of neurons depend on each other in two corpora: thousands of tests instead of millions.

The communities are those of both graphs together, so that neither corpus is favoured. For two of them, or for one with
itself, the statistic is the mean squared partial correlation of their pairs of neurons, as Fisher's z and less what noise alone
gives. It does not depend on the sign or the scale of any neuron. Its error is that of a jackknife over blocks of documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.comparison.differential import Side
from glasso_cli.comparison.estimates import CorpusEstimate
from glasso_cli.graph.communities import find_communities
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.debiased import product
from glasso_cli.inference.false_discovery import ordered_q_values
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.inference.tails import two_sided, welch

LEAST = 3  # neurons of a community that is compared
Ends = tuple[np.ndarray, np.ndarray]


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


def community_differences(
    first: CorpusEstimate, second: CorpusEstimate, communities: np.ndarray
) -> CommunityDifferences:
    """Test every pair of ``communities (p,)``, -1 for neurons in none."""
    chosen = np.flatnonzero(communities >= 0)
    chosen = chosen[np.argsort(communities[chosen], kind="stable")]
    members = communities[chosen]
    starts = np.flatnonzero(np.diff(members, prepend=-1))
    sizes = np.diff(np.append(starts, len(members)))
    a, b = np.triu_indices(len(sizes))
    pairs = np.where(a == b, sizes[a] * (sizes[a] - 1) // 2, sizes[a] * sizes[b])
    (one, one_variance), (other, other_variance) = (
        _dependence(each, chosen, starts, pairs, (a, b)) for each in (first, second)
    )
    total = one_variance + other_variance
    known = total > 0
    freedoms = np.array([[first.blocks.freedom], [second.blocks.freedom]])
    freedom = welch(np.stack([one_variance, other_variance]), freedoms)
    size = np.divide(np.abs(other - one), np.sqrt(total), out=np.zeros_like(total), where=known)
    p = two_sided(size, freedom)
    return CommunityDifferences(
        a, b, pairs, (one, other), (np.sqrt(one_variance), np.sqrt(other_variance)), p, ordered_q_values(p)
    )


def _dependence(
    corpus: CorpusEstimate, chosen: np.ndarray, starts: np.ndarray, pairs: np.ndarray, among: Ends
) -> tuple[np.ndarray, np.ndarray]:
    """The mean squared partial correlation of pairs of communities ``(m,)``, less noise, and its variance."""
    if len(pairs) == 0:
        return np.zeros(0), np.zeros(0)
    z, noise = _fisher_of(corpus.side(), chosen)

    def mean(values: np.ndarray) -> np.ndarray:
        np.fill_diagonal(values, 0.0)
        sums = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
        within = among[0] == among[1]
        return np.asarray(sums[among] / np.where(within, 2, 1) / pairs)

    sums = PseudoValues(len(pairs))
    for moved, share in _moves(corpus.blocks, corpus.estimate.theta, chosen):
        sums.add(mean(2 * z * moved), share)
    used = corpus.estimate.fitted  # what an inverse uses up makes all errors larger
    return mean(z**2 - noise), sums.variance() / (1 - used / corpus.n_effective)


def _fisher_of(side: Side, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fisher's z of all pairs of the chosen neurons ``(k, k)``, and its variance."""
    k = len(chosen)
    part = Side(
        side.rho[np.ix_(chosen, chosen)], side.autocorrelation[chosen], side.n_tokens, side.inflation, side.freedom
    )
    return part.between(slice(0, k), slice(0, k))


def _moves(blocks: Blocks, theta: csr_array | np.ndarray, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """How far the pseudo-value of every block is from Fisher's z of the chosen neurons ``(k, k)``, with Theta held."""
    rows = theta[chosen]
    onto = blocks.onto_values(rows)
    dense = np.asarray(onto.toarray() if isinstance(onto, csr_array) else onto, dtype=np.float32)
    means, seconds = [], []
    for block in blocks.filled.tolist():
        mean, second = blocks.about_the_mean(block, np.float32)
        half = product(onto, second) if isinstance(onto, csr_array) else onto @ second
        means.append(onto @ mean)
        seconds.append(np.asarray(half @ dense.T, dtype=np.float32))
    shares = blocks.shares
    whole = np.tensordot(shares, np.stack(seconds), axes=1)
    scale = 1 / np.sqrt(whole.diagonal())
    root = np.multiply.outer(scale, scale)
    whole *= root
    slope = 1 - np.minimum(whole**2, 1 - 1e-9)
    for share, mean, second in zip(shares.tolist(), means, seconds):
        weight = share / (1 - share)
        error = second.astype(np.float64)
        error += np.multiply.outer(weight * mean, mean)
        error *= root
        spread = error.diagonal() - 1
        error -= whole
        error -= whole / 2 * np.add.outer(spread, spread)
        error /= slope
        yield error, share
