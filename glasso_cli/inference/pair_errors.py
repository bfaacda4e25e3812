"""How much larger the error of a chosen pair is than that of a typical pair without an edge.

Without an edge, one factor over the formula for Gaussian tokens fits nearly all pairs. With one it does not: two neurons
that depend on each other often do so in some documents and hardly in others, and the variance of their partial correlation
is then several times the formula's (on a layer of Gemma 3 270M, 2.5 times at 0.1 and 5 times at 0.2). A jackknife over blocks
of documents sees that, pair by pair.

Neurons that are mostly zero have no typical pair: most pairs are hardly ever active together, and have next to no variance
between blocks. There the formula is the least that a typical pair is given, as in the tests of edges.

How much an estimate that was fitted to the same tokens is off in addition is the same for all pairs and in the factor of a
typical one, so it is the ratio that counts.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from glasso_cli.inference.blocks import Blocks, CountedBlocks, check_blocks
from glasso_cli.inference.effective_n import pair_tau
from glasso_cli.inference.estimates import Estimate
from glasso_cli.inference.held_precision import HeldPairs, held_pairs
from glasso_cli.inference.jackknife import some_neurons


def pair_inflation(
    blocks: Blocks, estimate: Estimate, autocorrelation: np.ndarray, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """The variance of the partial correlations of E pairs ``rows (E,)`` < ``cols (E,)``, relative to a typical pair's.

    Both are relative to the formula for the tokens' ``autocorrelation (p, L)``; ``(E,)``, 1 where the formula with the
    typical factor is right. A ratio rests on as many degrees of freedom as there are blocks with tokens, less one. Raises
    :class:`InputError` for fewer than four of them.
    """
    return inflation_and_group(blocks, estimate, autocorrelation, rows, cols, np.zeros(0, dtype=np.int64))[0]


def inflation_and_group(
    blocks: Blocks,
    estimate: Estimate,
    autocorrelation: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    group: np.ndarray,
    least: float = 0.0,
) -> tuple[np.ndarray, HeldPairs | None]:
    """The same, and what the blocks say about all pairs of a ``group (k,)`` of neurons; None for a group of none.

    A typical pair has at least ``least`` times the variance of the formula: 1 where the errors of pairs have. One pass over
    the blocks for both.
    """
    check_blocks(len(blocks.filled), "The error of a pair")
    if len(rows) == 0 and len(group) == 0:
        return np.zeros(0), None
    some = some_neurons(autocorrelation)
    chosen, of_group, of_some = held_pairs(blocks, estimate.theta, (rows, cols), (group, some))
    relative = relative_inflation(chosen, of_some, blocks, autocorrelation, (rows, cols), some, least)
    return relative, of_group if len(group) else None


def relative_inflation(
    chosen: HeldPairs,
    of_some: HeldPairs,
    blocks: CountedBlocks,
    autocorrelation: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    some: np.ndarray,
    least: float = 0.0,
) -> np.ndarray:
    """The variance of chosen pairs over that of a typical pair of ``some`` neurons, both relative to the formula's."""
    R = autocorrelation
    among = np.triu_indices(len(some), 1)
    variance = chosen.variance() / pair_tau(*(R[ends] for ends in pairs))
    usual = of_some.variance() / pair_tau(*(R[some[ends]] for ends in among))
    freedom = blocks.freedom
    typical = float(np.median(usual)) * freedom / float(chi2.median(freedom))
    typical = max(typical, least / blocks.n_tokens)
    if typical <= 0:  # all blocks hold the same documents
        return np.ones(len(variance))
    return np.asarray(variance / typical)
