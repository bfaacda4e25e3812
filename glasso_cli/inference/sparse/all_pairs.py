"""The tests of all pairs of many sparse neurons, counted by their p-values: none of the p (p - 1) / 2 is kept.

With y = Theta z, the de-sparsified estimate is T = 2 Theta - Cov(y). A block of documents says of a pair what the products of
its y say, and the jackknife needs no more. So one pass over the tokens at which both y are not zero gives the estimate
and its error of every pair, a row and a panel of columns at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.effective_n import TAU_FLOOR
from glasso_cli.inference.p_values.tails import smallest_size
from glasso_cli.inference.sparse.finished import Arrays, Finished, made
from glasso_cli.inference.sparse.tails import BINS, COUNTED, LEVELS, TailTable, log_beyond
from glasso_cli.inference.sparse.values import SparseValues, reached

_PANEL = 4096  # columns whose sums of all blocks stay in a core's cache
_STRIP = 256  # columns that are judged together
_SHARES = 16  # rows are dealt out to so many counts


@dataclass(frozen=True, eq=False)
class Judge:
    """How every pair is judged: see :class:`glasso_cli.inference.edges.EdgeTests`."""

    theta: csr_array  # (p, p) that is held
    diagonal: np.ndarray  # (p,) of T
    autocorrelation: np.ndarray  # (p, L)
    own: bool  # every pair by its own jackknife, or the formula if that is larger
    inflation: float  # of the formula, where ``own`` is not
    freedom: float
    effect: float  # the partial correlation of the second null hypothesis
    stretch: float  # of the variance of a pair there


def judged_pairs(y: SparseValues, judge: Judge, finished: Finished = made) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs have which -log p: of no edge, and of at most the effect; ``(BINS,)`` each. Those below 0.2 are counted.

    ``y`` are the values Z Theta of standardised Z. Every panel of columns is a part that ``finished`` may have.
    """
    panels = _Panels.of(y, judge)
    total = np.zeros((2, BINS), dtype=np.int64)
    for first in range(0, y.n_neurons, _PANEL):
        part = finished(f"judged from {first}", partial(panels.counted, first))
        total.ravel()[part["classes"]] += part["counts"]
    none, effect = total
    return none, effect


@dataclass(frozen=True, eq=False)
class _Panels:
    """What all panels of columns have in common."""

    y: SparseValues
    judge: Judge
    theta: csr_array  # (p, p) float64
    counts: np.ndarray  # (B,) tokens
    means: np.ndarray  # (B, p) of y
    weight: np.ndarray  # (B,) of the square of each pseudo-value
    lags: np.ndarray  # (L, p) autocorrelation
    tail: tuple[float, float, np.ndarray, float, float, np.ndarray]
    least: float  # the smallest estimate that is counted, in standard errors
    found: np.ndarray  # (_SHARES, 2, BINS), room for the counts of one panel

    @classmethod
    def of(cls, y: SparseValues, judge: Judge) -> _Panels:
        counts, means = y.counts[y.filled].astype(np.float64), y.block_means
        if not judge.own:  # the blocks do not matter
            counts, means = np.array([float(y.n_tokens)]), y.mean[None]
        share = counts / y.n_tokens
        return cls(
            y=y,
            judge=judge,
            theta=csr_array(judge.theta, dtype=np.float64),
            counts=counts,
            means=np.ascontiguousarray(means),
            weight=share / (1 - share) if judge.own else np.zeros(1),
            lags=np.ascontiguousarray(np.asarray(judge.autocorrelation, dtype=np.float64).T),
            tail=TailTable.of(judge.freedom).arrays(),
            least=smallest_size(COUNTED, judge.freedom),
            found=np.zeros((_SHARES, 2, BINS), dtype=np.int64),
        )

    def counted(self, first: int) -> Arrays:
        """The counts of the pairs of all rows with later columns among ``_PANEL`` from ``first`` on: of classes with any."""
        y, judge, theta, counts, found = self.y, self.judge, self.theta, self.counts, self.found
        X = y.matrix
        last = min(y.n_neurons, first + _PANEL)
        found[:] = 0
        with numba_limited():
            _count(
                (X.indptr, X.indices, X.data),
                reached(X.indptr, X.indices, first),
                reached(X.indptr, X.indices, last),
                (y.column_starts, y.tokens, y.places),
                np.cumsum(counts).astype(np.int64),
                (counts, counts / y.n_tokens, self.weight),
                self.means,
                y.mean,
                (theta.indptr, theta.indices, theta.data, np.asarray(theta.diagonal())),
                np.sqrt(np.maximum(judge.diagonal, 0.0)),
                self.lags,
                (judge.own, judge.inflation, judge.effect, judge.stretch),
                self.tail,
                self.least,
                first,
                last,
                found,
            )
        total = found.sum(axis=0).ravel()
        classes = np.flatnonzero(total)
        return {"classes": classes, "counts": total[classes]}


@njit(parallel=True, cache=True)
def _count(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray],
    begins: np.ndarray,
    ends: np.ndarray,
    by_column: tuple[np.ndarray, np.ndarray, np.ndarray],
    block_ends: np.ndarray,
    of_blocks: tuple[np.ndarray, np.ndarray, np.ndarray],
    means: np.ndarray,
    mean: np.ndarray,
    theta: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    root: np.ndarray,
    lags: np.ndarray,
    judge: tuple[bool, float, float, float],
    tail: tuple[float, float, np.ndarray, float, float, np.ndarray],
    least: float,
    first: int,
    last: int,
    found: np.ndarray,
) -> None:
    """Judge the pairs of all rows with the later columns of one panel."""
    _, columns, data = entries
    column_starts, tokens, places = by_column
    counts = of_blocks[0]
    n_blocks = len(counts)
    for part in prange(_SHARES):
        sums = np.empty((n_blocks, last - first))
        precision = np.zeros(last - first)
        strip = np.empty((7, _STRIP))
        for i in range(part, last, _SHARES):
            start = max(first, i + 1)
            sums[:, start - first :] = 0.0
            block = 0
            for k in range(column_starts[i], column_starts[i + 1]):
                token, place = tokens[k], places[k]
                while token >= block_ends[block]:
                    block += 1
                x = np.float64(data[place])
                for q in range(max(begins[token], place + 1), ends[token]):
                    sums[block, columns[q] - first] += x * data[q]
            for k in range(theta[0][i], theta[0][i + 1]):
                if start <= theta[1][k] < last:
                    precision[theta[1][k] - first] = theta[2][k]
            for left in range(start, last, _STRIP):
                right = min(last, left + _STRIP)
                _errors(
                    i, left, right, first, sums, of_blocks, means, mean, precision, theta[3], root, lags, judge, strip
                )
                _tally(right - left, strip, judge, tail, least, found[part])
            for k in range(theta[0][i], theta[0][i + 1]):
                if start <= theta[1][k] < last:
                    precision[theta[1][k] - first] = 0.0


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def _errors(
    i: int,
    left: int,
    right: int,
    first: int,
    sums: np.ndarray,
    of_blocks: tuple[np.ndarray, np.ndarray, np.ndarray],
    means: np.ndarray,
    mean: np.ndarray,
    precision: np.ndarray,
    diagonal: np.ndarray,
    root: np.ndarray,
    lags: np.ndarray,
    judge: tuple[bool, float, float, float],
    strip: np.ndarray,
) -> None:
    """The estimates of the pairs of i with ``left`` … ``right``, and the effect, in standard errors, into two rows of ``strip``."""
    own, inflation, effect = judge[0], judge[1], judge[2]
    counts, shares, weights = of_blocks
    width, n_tokens, at = right - left, counts.sum(), left - first
    size, bar, u, centre, weighted, squares, tau = strip
    mean_j, diagonal_j, entry, root_j = mean[left:right], diagonal[left:right], precision[at:], root[left:right]
    # 1. the sums over blocks of u, the pseudo-value of a block but for a constant: see inference.jackknife.
    #    Loops over few arrays each, since only those are compiled to vector instructions.
    strip[:, :width] = 0.0
    for b in range(len(counts)):
        share, weight, scale = shares[b], weights[b], 1 / counts[b]
        total, mean_b = sums[b, at : at + width], means[b, left:right]
        for j in range(width):
            size[j] += total[j]
        if own:
            apart = means[b, i] - mean[i]
            of_block, of_all = weight * apart - mean[i], -(1 + weight) * apart
            for j in range(width):
                u[j] = total[j] * scale + of_block * mean_b[j]
            for j in range(width):
                u[j] += of_all * mean_j[j]
            for j in range(width):
                centre[j] += share * u[j]
            for j in range(width):
                weighted[j] += weight * u[j]
            for j in range(width):
                squares[j] += weight * u[j] * u[j]
    # 2. the formula for Gaussian tokens, in u
    tau[:width] = 1.0
    for lag in range(len(lags)):
        twice, lag_j = 2 * lags[lag, i], lags[lag, left:right]
        for j in range(width):
            tau[j] += twice * lag_j[j]
    for j in range(width):
        u[j] = (diagonal[i] * diagonal_j[j] + entry[j] * entry[j]) / n_tokens
    for j in range(width):
        u[j] *= max(tau[j], TAU_FLOOR)
    # 3. the error of the pair, which is not below the formula
    if own:
        of_weights, of_counts = weights.sum(), 1 / len(counts)
        for j in range(width):
            squares[j] += centre[j] * (centre[j] * of_weights - 2 * weighted[j])
        for j in range(width):
            u[j] = math.sqrt(max(squares[j] * of_counts, u[j]))
    else:
        for j in range(width):
            u[j] = math.sqrt(u[j] * inflation)
    # 4. the estimate and the effect in units of the error
    for j in range(width):
        size[j] = abs(2 * entry[j] - size[j] / n_tokens + mean[i] * mean_j[j]) / u[j]
    for j in range(width):
        bar[j] = effect * root[i] * root_j[j] / u[j]


@njit(cache=True)
def _tally(
    width: int,
    strip: np.ndarray,
    judge: tuple[bool, float, float, float],
    tail: tuple[float, float, np.ndarray, float, float, np.ndarray],
    least: float,
    found: np.ndarray,
) -> None:
    """Count the p-values of the pairs in ``strip`` that are below 0.2; ``least`` is the size of such an estimate."""
    size, bar = strip[0], strip[1]
    scale = 1 / math.sqrt(judge[3])
    for j in range(width):
        if size[j] > least:
            found[0, _class(log_beyond(size[j], 0.0, *tail))] += 1
            if judge[2] > 0.0 and size[j] > bar[j]:
                found[1, _class(log_beyond(size[j] * scale, bar[j] * scale, *tail))] += 1


@njit(cache=True)
def _class(log: float) -> int:
    return min(int(-log * LEVELS), BINS - 1)
