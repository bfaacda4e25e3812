"""How much larger the error of a chosen pair is than that of a typical pair without an edge.

Without an edge, one factor over the formula for Gaussian tokens fits nearly all pairs. With one it does not: two neurons
that depend on each other often do so in some documents and hardly in others, and the variance of their partial correlation
is then several times the formula's (on a layer of Gemma 3 270M, 2.5 times at 0.1 and 5 times at 0.2). A jackknife over blocks
of documents sees that, pair by pair.

With Theta held, a partial correlation is the correlation of y_i and y_j, y = Theta z, with its sign turned: what a block says
about it needs one product of rows of Theta with the moments of the block. How much an estimate that was fitted to the same
tokens is off in addition is the same for all pairs and in the factor of a typical one, so it is the ratio that counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array
from scipy.stats import chi2

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.blocks import Blocks, check_blocks
from glasso_cli.inference.debiased import product
from glasso_cli.inference.effective_n import pair_tau
from glasso_cli.inference.estimates import Estimate
from glasso_cli.inference.jackknife import PseudoValues, some_neurons


def pair_inflation(
    blocks: Blocks, estimate: Estimate, autocorrelation: np.ndarray, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """The variance of the partial correlations of E pairs ``rows (E,)`` < ``cols (E,)``, relative to a typical pair's.

    Both are relative to the formula for the tokens' ``autocorrelation (p, L)``; ``(E,)``, 1 where the formula with the
    typical factor is right. A ratio rests on as many degrees of freedom as there are blocks with tokens, less one. Raises
    :class:`InputError` for fewer than four of them.
    """
    check_blocks(len(blocks.filled), "The error of a pair")
    if len(rows) == 0:
        return np.zeros(0)
    some = some_neurons(autocorrelation)
    among = np.triu_indices(len(some), 1)
    first, second = np.concatenate([rows, some[among[0]]]), np.concatenate([cols, some[among[1]]])
    variance = _variances(blocks, estimate.theta, first, second)
    variance /= pair_tau(autocorrelation[first], autocorrelation[second])
    freedom = blocks.freedom
    typical = float(np.median(variance[len(rows) :])) * freedom / float(chi2.median(freedom))
    if typical <= 0:  # all blocks hold the same documents
        return np.ones(len(rows))
    return np.asarray(variance[: len(rows)] / typical)


def _variances(blocks: Blocks, theta: csr_array | np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of Fisher's z of the partial correlations of pairs, ``(m,)``, by the delete-one-block jackknife with Theta held."""
    neurons, ends = np.unique(np.concatenate([first, second]), return_inverse=True)
    i, j = ends.reshape(2, -1)
    chosen = theta[neurons]
    shares = blocks.shares
    means, squares, products = (np.stack(parts) for parts in zip(*_projections(blocks, chosen, i, j)))
    scale = shares @ squares
    whole = (shares @ products) / np.sqrt(scale[i] * scale[j])
    sums = PseudoValues(len(first))
    for share, mean, square, crossed in zip(shares, means, squares, products):
        weight = share / (1 - share)
        spread = (square + weight * mean**2) / scale - 1
        error = (crossed + weight * mean[i] * mean[j]) / np.sqrt(scale[i] * scale[j]) - whole
        error -= whole / 2 * (spread[i] + spread[j])
        sums.add(error, float(share))
    return np.asarray(sums.variance() / (1 - np.minimum(whole**2, 1 - 1e-12)) ** 2)


def _projections(
    blocks: Blocks, rows: csr_array | np.ndarray, i: np.ndarray, j: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of every block with tokens, the means ``(m,)`` of y = A z and of its squares, and of y_i y_j ``(E,)``."""
    onto = blocks.onto_values(rows)
    every = np.arange(onto.shape[0])
    for block in blocks.filled.tolist():
        mean, moments = blocks.about_the_mean(block, np.float64 if isinstance(onto, csr_array) else np.float32)
        half = product(onto, moments) if isinstance(onto, csr_array) else onto @ moments
        yield onto @ mean, _crossed(half, onto, every, every), _crossed(half, onto, i, j)


def _crossed(half: np.ndarray, onto: csr_array | np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Rows ``i`` of ``half (m, p)`` times rows ``j`` of ``onto (m, p)``, ``(E,)`` float64."""
    out = np.empty(len(i))
    with numba_limited():
        if isinstance(onto, csr_array):
            _sparse_dots(onto.indptr, onto.indices, onto.data, half, i, j, out)
        else:
            _dots(half, onto, i, j, out)
    return out


@njit(parallel=True, cache=True)
def _sparse_dots(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    half: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    out: np.ndarray,
) -> None:
    for e in prange(len(i)):
        row, total = half[i[e]], 0.0
        for k in range(indptr[j[e]], indptr[j[e] + 1]):
            total += data[k] * row[indices[k]]
        out[e] = total


@njit(parallel=True, cache=True)
def _dots(half: np.ndarray, onto: np.ndarray, i: np.ndarray, j: np.ndarray, out: np.ndarray) -> None:
    for e in prange(len(i)):
        left, right, total = half[i[e]], onto[j[e]], 0.0
        for k in range(half.shape[1]):
            total += left[k] * right[k]
        out[e] = total
