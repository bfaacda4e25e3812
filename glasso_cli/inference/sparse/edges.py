"""Which edges of many sparse neurons to believe: the tests of :mod:`glasso_cli.inference.edges`, on the de-sparsified estimate.

Every pair is tested, also those of two components. The estimate, the errors and the two null hypotheses are the same; what
differs is that no number of all pairs is kept. P-values are counted in narrow classes, so q-values are up to 0.1 % too large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_array, eye_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.blocks import check_blocks
from glasso_cli.inference.edges import EdgeTests, check_variance, growth_of
from glasso_cli.inference.effective_n import pair_tau
from glasso_cli.inference.held_precision import HeldPairs
from glasso_cli.inference.jackknife import PairTails, PseudoValues, Typical, some_neurons
from glasso_cli.inference.p_values.minimum_effect import beyond
from glasso_cli.inference.pair_errors import relative_inflation
from glasso_cli.inference.sparse.all_pairs import Judge, judged_pairs
from glasso_cli.inference.sparse.finished import Finished, made
from glasso_cli.inference.sparse.tails import CountedRates
from glasso_cli.inference.sparse.values import SparseValues
from glasso_cli.linalg.precision import partial_correlation


def sparse_edge_tests(
    values: SparseValues,
    theta: csr_array,
    autocorrelation: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    fdr: float = 0.05,
    min_effect: float = 0.0,
    variance: str = "auto",
    finished: Finished = made,
) -> EdgeTests:
    """Test all pairs of p neurons, and report the chosen ones ``rows (E,)`` < ``cols (E,)``.

    ``values`` are standardised, ``theta (p, p)`` is a graphical lasso fit to their correlations, and ``autocorrelation
    (p, L)`` is at lags 1 to L. All else is as in :func:`glasso_cli.inference.edges.edge_tests` for a lasso estimate.
    ``finished`` may have parts of the tests of all pairs: see :func:`judged_pairs`. Raises :class:`InputError` for another name of a variance, and for fewer than four blocks with tokens unless
    ``normal``.
    """
    check_variance(variance)
    y = values.times(theta)
    R = np.asarray(autocorrelation, dtype=np.float64)
    errors = _errors(variance, y, theta, R)
    chosen = _Pairs.of(y, theta, rows, cols)
    formula = chosen.formula(R)
    at_null = errors.inflation * formula
    if errors.variance == "jackknife":
        at_null = np.maximum(chosen.jackknife(), formula)
    diagonal = 2 * theta.diagonal() - (y.squares.sum(axis=0) / y.n_tokens - y.mean**2)
    z = -chosen.T / np.sqrt(at_null)
    rho = np.clip(partial_correlation(rows, cols, chosen.T, diagonal), -1.0, 1.0)
    relative, growth = at_null / chosen.own, 0.0
    if errors.variance == "pooled" and len(rows):
        some = some_neurons(R)
        ends = _among(some)
        own = relative_inflation(chosen.held(), _Pairs.of(y, theta, *ends).held(), y, R, (rows, cols), some)
        relative = relative * np.maximum(own, 1.0)
        growth = growth_of(own, rho)
    stretch = 1 + growth * min_effect
    judge = Judge(
        theta=theta,
        diagonal=diagonal,
        autocorrelation=R,
        own=errors.variance == "jackknife",
        inflation=errors.inflation,
        freedom=errors.freedom,
        effect=min_effect,
        stretch=stretch,
    )
    pairs = len(diagonal) * (len(diagonal) - 1) // 2
    none, effect = (CountedRates.of(counts, pairs) for counts in judged_pairs(y, judge, finished))
    p_zero = beyond(np.abs(z), 0.0, errors.freedom)
    error = np.sqrt(at_null * stretch)
    bar = min_effect * np.sqrt(diagonal[rows] * diagonal[cols]) / error
    p = beyond(np.abs(chosen.T) / error, bar, errors.freedom) if min_effect else p_zero
    rates = effect if min_effect else none
    return EdgeTests(
        partial_correlation=rho,
        standard_error=np.sqrt(relative) * (1 - rho**2),
        z=z,
        p_zero=p_zero,
        q_zero=none.at(_log(p_zero)),
        p=p,
        q=rates.at(_log(p)),
        inflation=errors.inflation,
        freedom=errors.freedom,
        variance=errors.variance,
        spread=errors.spread,
        nonzero=none.discoveries(fdr),
        discoveries=rates.discoveries(fdr),
        pairs=pairs,
    )


def correlations_of(values: SparseValues, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """The correlations ``(E,)`` of chosen pairs of standardised ``values``."""
    pairs = _Pairs.of(values, csr_array(eye_array(values.n_neurons)), rows, cols)
    return np.asarray(values.shares @ pairs.second)


@dataclass(frozen=True)
class _Errors:
    """Which errors judge all pairs."""

    variance: str
    inflation: float = 1.0
    freedom: float = np.inf
    spread: float = 1.0


def _errors(variance: str, y: SparseValues, theta: csr_array, R: np.ndarray) -> _Errors:
    if variance == "normal" or len(R) < 2:
        return _Errors("pooled" if variance == "auto" else variance)
    check_blocks(len(y.filled), "The jackknife")
    typical = _typical(y, theta, R)
    if typical.blocks_agree:
        return _Errors("pooled" if variance == "auto" else variance)
    return _Errors(*typical.judging(variance, 1.0, y), typical.spread)


def _typical(y: SparseValues, theta: csr_array, R: np.ndarray) -> Typical:
    """What the blocks say about a pair of up to 128 neurons."""
    pairs = _Pairs.of(y, theta, *_among(some_neurons(R)))
    tails = PairTails(pairs.formula(R))
    for error, share in zip(pairs.errors, y.shares.tolist()):
        tails.add(error, share)
    return tails.typical()


def _among(neurons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of some neurons."""
    i, j = np.triu_indices(len(neurons), 1)
    return neurons[i], neurons[j]


def _log(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(p, np.finfo(float).tiny)))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Chosen pairs of y = Theta z, as the B blocks with tokens see them."""

    y: SparseValues
    rows: np.ndarray  # (E,)
    cols: np.ndarray  # (E,)
    second: np.ndarray  # (B, E) mean products about the mean of all tokens
    entries: np.ndarray  # (E,) of Theta
    own: np.ndarray  # (E,) Theta_ii Theta_jj + Theta_ij^2

    @classmethod
    def of(cls, y: SparseValues, theta: csr_array, rows: np.ndarray, cols: np.ndarray) -> _Pairs:
        rows, cols = rows.astype(np.int64), cols.astype(np.int64)
        sums = np.zeros((len(y.counts), len(rows)))
        with numba_limited():
            _dots(y.column_starts, y.tokens, y.places, y.matrix.data, y.ends, rows, cols, sums)
        filled, mean, means = y.filled, y.mean, y.block_means
        second = sums[filled] / y.counts[filled, None]
        second -= means[:, rows] * mean[cols] + mean[rows] * means[:, cols] - mean[rows] * mean[cols]
        entries = np.asarray(theta[rows, cols]).ravel() if len(rows) else np.zeros(0)
        diagonal = theta.diagonal()
        return cls(y, rows, cols, second, entries, diagonal[rows] * diagonal[cols] + entries**2)

    @property
    def T(self) -> np.ndarray:  # noqa: N802 - the paper's name
        """The de-sparsified entries, ``(E,)``."""
        return np.asarray(2 * self.entries - self.y.shares @ self.second)

    @property
    def errors(self) -> np.ndarray:
        """How far the pseudo-value of every block is from T with Theta held, ``(B, E)``."""
        shares = self.y.shares[:, None]
        apart = self.y.block_means - self.y.mean
        error = self.second - self.y.shares @ self.second
        error += shares / (1 - shares) * apart[:, self.rows] * apart[:, self.cols]
        return np.asarray(error)

    def jackknife(self) -> np.ndarray:
        """The variance of T, ``(E,)``."""
        sums = PseudoValues(len(self.rows))
        for error, share in zip(self.errors, self.y.shares.tolist()):
            sums.add(error, share)
        return sums.variance()

    def formula(self, R: np.ndarray) -> np.ndarray:
        """The same for Gaussian tokens of autocorrelation ``R (p, L)``."""
        return np.asarray(self.own * pair_tau(R[self.rows], R[self.cols]) / self.y.n_tokens)

    def held(self) -> HeldPairs:
        """The same pairs for the errors of partial correlations."""
        y = self.y
        means = y.block_means
        squares = y.squares[y.filled] / y.counts[y.filled, None] - 2 * means * y.mean + y.mean**2
        return HeldPairs(y.shares, means - y.mean, squares, self.rows, self.cols, self.second)


@njit(parallel=True, cache=True)
def _dots(
    column_starts: np.ndarray,
    tokens: np.ndarray,
    places: np.ndarray,
    data: np.ndarray,
    ends: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    out: np.ndarray,
) -> None:
    """Sums of products of pairs in every block, ``out (B, E)``."""
    for e in prange(len(rows)):
        a, b = column_starts[rows[e]], column_starts[cols[e]]
        a_end, b_end = column_starts[rows[e] + 1], column_starts[cols[e] + 1]
        block = 0
        while a < a_end and b < b_end:
            if tokens[a] < tokens[b]:
                a += 1
            elif tokens[b] < tokens[a]:
                b += 1
            else:
                while tokens[a] >= ends[block]:
                    block += 1
                out[block, e] += np.float64(data[places[a]]) * data[places[b]]
                a += 1
                b += 1
