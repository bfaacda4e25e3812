"""Which edges to believe: an estimate, an error bar, a p-value and a false discovery rate for each.

Every pair of neurons is tested, not only those with an edge: z_ij = T_ij / sqrt(variance), with the variance that T_ij has
where there is no edge, and q-values over all p (p - 1) / 2 pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr, stdtr

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.debiased import debiased
from glasso_cli.inference.effective_n import pair_tau, tau
from glasso_cli.inference.false_discovery import pair_places, q_values
from glasso_cli.inference.jackknife import jackknife_variance, some_neurons, typical_errors

VARIANCES = ("pooled", "normal", "jackknife")
_ROWS = 256


@dataclass(frozen=True, eq=False)
class EdgeTests:
    """What the tests say about E chosen pairs, and about all pairs together."""

    partial_correlation: np.ndarray  # (E,) of T: not shrunken
    standard_error: np.ndarray  # (E,) of the partial correlation
    z: np.ndarray  # (E,) against no edge
    p: np.ndarray  # (E,) two-sided
    q: np.ndarray  # (E,)
    inflation: float  # of the variance over that of Gaussian tokens with these autocorrelations
    freedom: float  # of the Student's t that z is judged by; inf for the normal distribution
    discoveries: int  # of all pairs, at ``fdr``
    pairs: int


def edge_tests(
    precision: csr_array,
    correlation: np.ndarray,
    blocks: Blocks,
    autocorrelation: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    fdr: float = 0.05,
    variance: str = "pooled",
    inflation: float = 1.0,
) -> EdgeTests:
    """Test all pairs of p neurons, and report the chosen ones ``rows (E,)`` < ``cols (E,)``.

    ``precision (p, p)`` is Theta, ``correlation (p, p)`` the S it was fitted to, of all tokens of ``blocks``, and
    ``autocorrelation (p, L)`` that of the values at lags 1 to L. ``variance``: ``normal`` takes the formula for Gaussian
    tokens, ``pooled`` multiplies it by the median inflation that a jackknife over blocks of documents finds,
    ``jackknife`` takes that of every pair by itself, with Student's t. ``inflation`` is for ``normal``: what its variance is
    multiplied by. Raises :class:`InputError` for another name and,
    unless ``normal``, for fewer than four blocks with tokens.
    """
    formula = _Formula(csr_array(precision), np.asarray(autocorrelation, dtype=np.float64), blocks.n_tokens)
    errors = _errors(variance, inflation, formula, precision, correlation, blocks)
    T = debiased(precision, correlation)
    p_all = _p_values(T, errors)
    places = pair_places(rows, cols, len(T))
    q_all = q_values(p_all)
    at_null = errors.of(rows, cols)
    scale = np.sqrt(T.diagonal())
    rho = np.clip(-T[rows, cols] / (scale[rows] * scale[cols]), -1.0, 1.0)
    relative = at_null / formula.own(rows, cols)  # tau / n, times the inflation
    return EdgeTests(
        partial_correlation=rho,
        standard_error=np.sqrt(relative) * (1 - rho**2),
        z=-T[rows, cols] / np.sqrt(at_null),
        p=p_all[places],
        q=q_all[places],
        inflation=errors.inflation,
        freedom=errors.freedom,
        discoveries=int(np.count_nonzero(q_all <= fdr)),
        pairs=len(p_all),
    )


@dataclass(frozen=True, eq=False)
class _Formula:
    """The variance of T_ij without an edge, for Gaussian tokens: tau_ij (Theta_ii Theta_jj + Theta_ij^2) / n."""

    precision: csr_array
    autocorrelation: np.ndarray
    n_tokens: int

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """``(a, b)`` of two groups of neurons."""
        R, theta = self.autocorrelation, self.precision.diagonal()
        found = self.precision[first][:, second].toarray()
        found *= found
        found += np.multiply.outer(theta[first], theta[second])
        found *= tau(R[first], R[second])
        found /= self.n_tokens
        return found

    def own(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Theta_ii Theta_jj + Theta_ij^2 of pairs, ``(m,)``."""
        theta = self.precision.diagonal()
        found: np.ndarray = theta[rows] * theta[cols]
        if len(found):  # a sparse matrix of no entries has no values to square
            found += np.asarray(self.precision[rows, cols]).ravel() ** 2
        return found

    def of(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """The variance of pairs, ``(m,)``."""
        R = self.autocorrelation
        return self.own(rows, cols) * pair_tau(R[rows], R[cols]) / self.n_tokens


@dataclass(frozen=True, eq=False)
class _Errors:
    """The variance that T_ij is judged by: the formula's times ``inflation``, or that of the pair itself."""

    formula: _Formula
    inflation: float
    freedom: float = np.inf  # of Student's t; inf for the normal distribution
    of_pairs: np.ndarray | None = None  # (p, p)

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if self.of_pairs is not None:
            return self.of_pairs[np.ix_(first, second)]
        return self.formula.between(first, second) * self.inflation

    def of(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        if self.of_pairs is not None:
            found: np.ndarray = self.of_pairs[rows, cols]
            return found
        return self.formula.of(rows, cols) * self.inflation

    def two_sided(self, size: np.ndarray) -> np.ndarray:
        """The p-values of statistics of absolute ``size``."""
        tail = stdtr(self.freedom, -size) if np.isfinite(self.freedom) else ndtr(-size)
        return np.asarray(2 * tail)


def _errors(
    variance: str, inflation: float, formula: _Formula, precision: csr_array, correlation: np.ndarray, blocks: Blocks
) -> _Errors:
    if variance not in VARIANCES:
        raise InputError(f"There is no variance '{variance}'.", f"Choose one of: {', '.join(VARIANCES)}.")
    p = len(correlation)
    if variance == "normal" or p < 2:
        return _Errors(formula, inflation)
    some = some_neurons(p)
    typical = typical_errors(blocks, precision, correlation, some, formula.between(some, some))
    if variance == "pooled":
        return _Errors(formula, typical.inflation, typical.freedom)
    every = jackknife_variance(blocks, precision, correlation)
    return _Errors(formula, typical.inflation, len(blocks.filled) - 1, every)


def _p_values(T: np.ndarray, errors: _Errors) -> np.ndarray:
    """Of all pairs, row by row, ``(p (p - 1) / 2,)``."""
    p = len(T)
    found = np.empty(p * (p - 1) // 2)
    done = 0
    for start in range(0, p, _ROWS):
        first, second = np.arange(start, min(p, start + _ROWS)), np.arange(start, p)
        size = np.abs(T[start : start + _ROWS, start:]) / np.sqrt(errors.between(first, second))
        above = size[np.triu_indices(len(first), 1, len(second))]
        found[done : done + len(above)] = errors.two_sided(above)
        done += len(above)
    return found
