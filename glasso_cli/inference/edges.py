"""Which edges to believe: an estimate, an error bar, a p-value and a false discovery rate for each.

Every pair of neurons is tested, not only those with an edge: z_ij = T_ij / sqrt(variance), with the variance that T_ij has
where there is no edge, and q-values over all p (p - 1) / 2 pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.effective_n import pair_tau, tau
from glasso_cli.inference.estimates import Estimate
from glasso_cli.inference.false_discovery import Rates
from glasso_cli.inference.jackknife import Tails, jackknife_variance, some_neurons, typical_errors
from glasso_cli.inference.pair_errors import pair_inflation
from glasso_cli.inference.pairs import over_pairs
from glasso_cli.inference.tails import two_sided
from glasso_cli.linalg.precision import partial_correlation

VARIANCES = ("pooled", "normal", "jackknife")


@dataclass(frozen=True, eq=False)
class EdgeTests:
    """What the tests say about E chosen pairs, and about all pairs together."""

    partial_correlation: np.ndarray  # (E,) of T: not shrunken
    standard_error: np.ndarray  # (E,) of the partial correlation
    z: np.ndarray  # (E,) against no edge
    p: np.ndarray  # (E,) two-sided
    q: np.ndarray  # (E,)
    inflation: float  # of the variance over the formula's for Gaussian tokens with these autocorrelations
    freedom: float  # of the Student's t that z is judged by; inf for the normal distribution
    discoveries: int  # of all pairs, at ``fdr``
    pairs: int


def edge_tests(
    estimate: Estimate,
    correlation: np.ndarray,
    blocks: Blocks,
    autocorrelation: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    fdr: float = 0.05,
    variance: str = "pooled",
    inflation: float | None = None,
) -> EdgeTests:
    """Test all pairs of p neurons, and report the chosen ones ``rows (E,)`` < ``cols (E,)``.

    ``correlation (p, p)`` is the S of ``estimate``, of all tokens of ``blocks``, and ``autocorrelation (p, L)`` that of the
    values at lags 1 to L. ``variance``: ``normal`` takes the formula for Gaussian tokens; ``pooled`` multiplies it by the
    median inflation that a jackknife over blocks of documents finds; ``jackknife`` takes that of every pair by itself. The
    standard errors of ``pooled`` are those of the chosen pairs themselves where these are larger: edges vary more
    between documents than the null pairs that calibrate the test. ``inflation`` was found before and multiplies the formula
    of ``normal``. Raises :class:`InputError` for another name, for fewer than four blocks with tokens (unless ``normal``),
    and if fewer effective tokens are left than the estimate uses up.
    """
    formula = _Formula(estimate, np.asarray(autocorrelation, dtype=np.float64), blocks.n_tokens)
    errors = _errors(variance, inflation, formula, correlation, blocks)
    T = estimate.T
    rates = Rates.among(_sizes(T, errors), errors.two_sided)
    at_null = errors.of(rows, cols)
    z = -T[rows, cols] / np.sqrt(at_null)
    rho = np.clip(partial_correlation(rows, cols, T[rows, cols], T.diagonal()), -1.0, 1.0)
    relative = at_null / formula.own(rows, cols)  # one over the tokens that the estimate rests on
    if variance == "pooled" and len(rows):
        relative = relative * np.maximum(pair_inflation(blocks, estimate, formula.autocorrelation, rows, cols), 1.0)
    return EdgeTests(
        partial_correlation=rho,
        standard_error=np.sqrt(relative) * (1 - rho**2),
        z=z,
        p=errors.two_sided(np.abs(z)),
        q=rates.of(np.abs(z) * (1 - 1e-12)),  # they stand among all of them but for rounding
        inflation=errors.inflation,
        freedom=errors.freedom,
        discoveries=rates.discoveries(fdr),
        pairs=len(rates.q),
    )


@dataclass(frozen=True, eq=False)
class _Formula:
    """The variance of T_ij without an edge, for Gaussian tokens: tau_ij (Theta_ii Theta_jj + Theta_ij^2) / n."""

    estimate: Estimate
    autocorrelation: np.ndarray
    n_tokens: int

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """``(a, b)`` of two groups of neurons."""
        R, diagonal = self.autocorrelation, self.estimate.diagonal
        variance = self.estimate.between(first, second) ** 2
        variance += np.multiply.outer(diagonal[first], diagonal[second])
        variance *= tau(R[first], R[second])
        variance /= self.n_tokens
        return variance

    def own(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Theta_ii Theta_jj + Theta_ij^2 of pairs, ``(m,)``."""
        diagonal = self.estimate.diagonal
        return np.asarray(diagonal[rows] * diagonal[cols] + self.estimate.entries(rows, cols) ** 2)

    def of(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """The variance of pairs, ``(m,)``."""
        R = self.autocorrelation
        return np.asarray(self.own(rows, cols) * pair_tau(R[rows], R[cols]) / self.n_tokens)


# Below this inflation, all blocks hold the same documents: they say nothing about errors, and the formula has to do.
_BLOCKS_AGREE = 1e-6


@dataclass(frozen=True, eq=False)
class _Errors:
    """The variance that T_ij is judged by: the formula's times ``inflation``, or that of the pair itself."""

    formula: _Formula
    inflation: float
    freedom: float = np.inf  # of Student's t; inf for the normal distribution
    of_pairs: np.ndarray | None = None  # (p, p)

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if self.of_pairs is not None:
            return np.asarray(self.of_pairs[np.ix_(first, second)])
        return self.formula.between(first, second) * self.inflation

    def of(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        if self.of_pairs is not None:
            return np.asarray(self.of_pairs[rows, cols])
        return self.formula.of(rows, cols) * self.inflation

    def two_sided(self, size: np.ndarray) -> np.ndarray:
        """The p-values of statistics of absolute ``size``."""
        return two_sided(size, self.freedom)


def _errors(
    variance: str, inflation: float | None, formula: _Formula, correlation: np.ndarray, blocks: Blocks
) -> _Errors:
    if variance not in VARIANCES:
        raise InputError(f"There is no variance '{variance}'.", f"Choose one of: {', '.join(VARIANCES)}.")
    p, estimate = len(correlation), formula.estimate
    if p < 2:
        return _Errors(formula, 1.0)
    some = some_neurons(formula.autocorrelation)
    left = _tokens_left(formula, some)
    if variance == "normal":
        return _Errors(formula, 1 / left if inflation is None else inflation)
    # A jackknife of an inverse sees blocks that it was not fitted to, which are off by 1 / (1 - p / n) too much.
    null = formula.between(some, some)
    if variance == "pooled":
        typical = typical_errors(blocks, estimate, correlation, some, null)
        if typical.inflation < _BLOCKS_AGREE:
            return _Errors(formula, 1.0)
        return _Errors(formula, typical.inflation * left, typical.freedom)
    tails = Tails(some, null)
    every = jackknife_variance(blocks, estimate, correlation, tails=tails)
    every *= left
    if tails.typical().inflation < _BLOCKS_AGREE:
        return _Errors(formula, 1.0)
    return _Errors(formula, tails.typical().inflation * left, len(blocks.filled) - 1, every)


def _tokens_left(formula: _Formula, some: np.ndarray) -> float:
    """1 - p / n for the n effective tokens of a typical pair and an estimate that uses up p; 1 for one that uses none."""
    used = formula.estimate.fitted
    if used == 0:
        return 1.0
    R = formula.autocorrelation[some]
    n = formula.n_tokens / float(np.median(tau(R, R)[np.triu_indices(len(some), 1)]))
    if n <= used:
        raise InputError(
            f"The tokens are worth {n:,.0f} independent ones: too few for partial correlations given all {used:,} neurons.",
            "Set fit.estimate: lasso, collect more text, or fit fewer neurons.",
        )
    return 1 - used / n


def _sizes(T: np.ndarray, errors: _Errors) -> np.ndarray:
    """|z| of all pairs, row by row, ``(p (p - 1) / 2,)``."""
    every = np.arange(len(T))

    def between(rows: slice, cols: slice) -> np.ndarray:
        size = errors.between(every[rows], every[cols])
        np.sqrt(size, out=size)
        return np.asarray(np.divide(np.abs(T[rows, cols]), size, out=size))

    return over_pairs(len(T), between)
