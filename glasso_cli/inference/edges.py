"""Which edges to believe: an estimate, an error bar, p-values and false discovery rates for each.

Every pair of neurons is tested, not only those with an edge: z_ij = T_ij / sqrt(variance), with the variance that T_ij has
where there is no edge, and q-values over all p (p - 1) / 2 pairs. There are two null hypotheses: that the partial
correlation is zero, and that it is at most ``min_effect`` in size. The second has the error that a pair has there: pairs that
depend on each other vary more between documents than pairs that do not, in proportion to the size of their correlation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.effective_n import pair_tau, share_left, tau
from glasso_cli.inference.estimates import Estimate
from glasso_cli.inference.jackknife import Tails, jackknife_variance, some_neurons, typical_errors
from glasso_cli.inference.p_values.false_discovery import Rates
from glasso_cli.inference.p_values.minimum_effect import Tail
from glasso_cli.inference.p_values.tails import two_sided
from glasso_cli.inference.pair_errors import pair_inflation
from glasso_cli.inference.pairs import over_pairs
from glasso_cli.linalg.precision import partial_correlation

_ROUNDING = 1e-12  # relative, of a statistic of a pair by itself and among all
_ROWS = 256  # of a matrix that are computed at once
VARIANCES = ("auto", "pooled", "normal", "jackknife")


@dataclass(frozen=True, eq=False)
class EdgeTests:
    """What the tests say about E chosen pairs, and about all pairs together."""

    partial_correlation: np.ndarray  # (E,) of T: not shrunken
    standard_error: np.ndarray  # (E,) of the partial correlation
    z: np.ndarray  # (E,) against a partial correlation of zero
    p_zero: np.ndarray  # (E,) two-sided, of H0: the partial correlation is zero
    q_zero: np.ndarray  # (E,) over all pairs
    p: np.ndarray  # (E,) of H0: the partial correlation is at most ``min_effect`` in size
    q: np.ndarray  # (E,) over all pairs
    inflation: float  # of the variance over the formula's for Gaussian tokens with these autocorrelations
    freedom: float  # of the Student's t that z is judged by; inf for the normal distribution
    variance: str  # which of VARIANCES z is judged by; never auto
    spread: float  # by what factor the inflation differs from pair to pair; 1 where it was not measured
    nonzero: int  # of all pairs, those with q_zero up to ``fdr``
    discoveries: int  # of all pairs, those with q up to ``fdr``
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
    min_effect: float = 0.0,
    variance: str = "auto",
    inflation: float | None = None,
) -> EdgeTests:
    """Test all pairs of p neurons, and report the chosen ones ``rows (E,)`` < ``cols (E,)``.

    ``correlation (p, p)`` is the S of ``estimate``, of all tokens of ``blocks``, and ``autocorrelation (p, L)`` that of the
    values at lags 1 to L. ``min_effect`` is the partial correlation up to which a pair is not of interest.

    ``variance``: ``normal`` takes the formula for Gaussian tokens; ``pooled`` multiplies it by the median inflation that a
    jackknife over blocks of documents finds; ``jackknife`` takes that of every pair by itself, or ``normal`` where that is
    larger; ``auto`` is ``pooled`` if one inflation describes the pairs, else ``jackknife``. The standard errors of
    ``pooled`` are those of the chosen pairs themselves where these are larger: edges vary more between documents than the
    null pairs that calibrate the test. ``inflation`` was found before and multiplies the formula of ``normal``.

    Raises :class:`InputError` for another name, for fewer than four blocks with tokens (unless ``normal``), and if fewer
    effective tokens are left than the estimate uses up.
    """
    formula = _Formula(estimate, np.asarray(autocorrelation, dtype=np.float64), blocks.n_tokens)
    errors = _errors(variance, inflation, formula, correlation, blocks)
    T = estimate.T
    at_null = errors.of(rows, cols)
    z = -T[rows, cols] / np.sqrt(at_null)
    rho = np.clip(partial_correlation(rows, cols, T[rows, cols], T.diagonal()), -1.0, 1.0)
    relative = at_null / formula.own(rows, cols)  # one over the tokens that the estimate rests on
    growth = 0.0
    if errors.variance == "pooled" and len(rows):
        own = pair_inflation(blocks, estimate, formula.autocorrelation, rows, cols)
        relative = relative * np.maximum(own, 1.0)
        growth = growth_of(own, rho)
    sizes = _sizes(T, errors)
    largest = float(sizes.max(initial=0.0))
    zero = Rates.among(sizes, errors.two_sided)
    q_zero = zero.of(np.abs(z) * (1 - _ROUNDING))
    tests = EdgeTests(
        partial_correlation=rho,
        standard_error=np.sqrt(relative) * (1 - rho**2),
        z=z,
        p_zero=errors.two_sided(np.abs(z)),
        q_zero=q_zero,
        p=errors.two_sided(np.abs(z)),
        q=q_zero,
        inflation=errors.inflation,
        freedom=errors.freedom,
        variance=errors.variance,
        spread=errors.spread,
        nonzero=zero.discoveries(fdr),
        discoveries=zero.discoveries(fdr),
        pairs=len(zero.q),
    )
    if min_effect == 0:
        return tests
    boundary = _Boundary(T, errors, min_effect, 1 + growth * min_effect)
    tail = Tail(errors.freedom, largest)
    rates = Rates.among(boundary.evidence(tail), lambda evidence: np.exp(-evidence))
    evidence = -tail.log_beyond(*boundary.of(rows, cols))
    q = rates.of(evidence * (1 - _ROUNDING))
    return replace(tests, p=np.exp(-evidence), q=q, discoveries=rates.discoveries(fdr))


@dataclass(frozen=True, eq=False)
class _Boundary:
    """Where the partial correlation of a pair is ``effect``: its errors there, which are ``stretch`` times in variance."""

    T: np.ndarray  # (p, p)
    errors: _Errors
    effect: float
    stretch: float

    def of(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of pairs ``(m,)``: the estimate and ``effect``, both in standard errors."""
        T = self.T
        error = np.sqrt(self.errors.of(rows, cols) * self.stretch)
        return np.abs(T[rows, cols]) / error, self.effect * np.sqrt(T[rows, rows] * T[cols, cols]) / error

    def evidence(self, tail: Tail) -> np.ndarray:
        """-log p of all pairs, row by row, ``(p (p - 1) / 2,)``."""
        every, root = np.arange(len(self.T)), np.sqrt(self.T.diagonal())

        def between(rows: slice, cols: slice) -> np.ndarray:
            error = self.errors.between(every[rows], every[cols])
            error *= self.stretch
            np.sqrt(error, out=error)
            bar = np.multiply.outer(self.effect * root[rows], root[cols])
            bar /= error
            return -tail.log_beyond(np.divide(np.abs(self.T[rows, cols]), error, out=error), bar)

        return over_pairs(len(self.T), between)


def growth_of(inflation: np.ndarray, rho: np.ndarray) -> float:
    """By how much the variance grows with the size of a partial correlation: that at rho is 1 + growth |rho| times that at 0.

    By least squares over the E chosen pairs: ``inflation (E,)`` of their own, relative to a pair without an edge.
    """
    squares = float((rho**2).sum())
    return max(0.0, float(((inflation - 1) * np.abs(rho)).sum()) / squares) if squares > 0 else 0.0


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


@dataclass(frozen=True, eq=False)
class _Errors:
    """The variance that T_ij is judged by: the formula's times ``inflation``, or that of the pair itself."""

    formula: _Formula
    variance: str
    inflation: float
    freedom: float = np.inf  # of Student's t; inf for the normal distribution
    of_pairs: np.ndarray | None = None  # (p, p)
    spread: float = 1.0  # of the inflation from pair to pair

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


def check_variance(variance: str) -> None:
    """Raise :class:`InputError` unless ``variance`` is one of ``VARIANCES``."""
    if variance not in VARIANCES:
        raise InputError(f"There is no variance '{variance}'.", f"Choose one of: {', '.join(VARIANCES)}.")


def _errors(
    variance: str, inflation: float | None, formula: _Formula, correlation: np.ndarray, blocks: Blocks
) -> _Errors:
    check_variance(variance)
    p, estimate = len(correlation), formula.estimate
    measured = "pooled" if variance == "auto" else variance
    if p < 2:
        return _Errors(formula, measured, 1.0)
    some = some_neurons(formula.autocorrelation)
    left = _tokens_left(formula, some)
    if variance == "normal":
        return _Errors(formula, variance, 1 / left if inflation is None else inflation)
    # A jackknife of an inverse sees blocks that it was not fitted to, which are off by 1 / (1 - p / n) too much.
    null = formula.between(some, some)
    if variance == "jackknife":
        tails = Tails(some, null)
        own = jackknife_variance(blocks, estimate, correlation, tails=tails)
        typical = tails.typical()
    else:
        typical = typical_errors(blocks, estimate, correlation, some, null)
    if typical.blocks_agree:
        return _Errors(formula, measured, 1.0)
    used, inflation, freedom = typical.judging(variance, left, blocks)
    if used == "pooled":
        return _Errors(formula, used, inflation, freedom, spread=typical.spread)
    if variance == "auto":
        own = jackknife_variance(blocks, estimate, correlation)
    own *= left
    _raise_to(own, formula, 1 / left)
    return _Errors(formula, used, inflation, freedom, own, typical.spread)


def _raise_to(variance: np.ndarray, formula: _Formula, inflation: float) -> None:
    """Let no ``variance (p, p)`` be smaller than the formula's times ``inflation``.

    Two neurons that are rarely active, and never together, have hardly any error by a jackknife: no block tells of the
    tokens where both would have been. The formula holds for them, whatever their distribution, if they are independent.
    """
    every = np.arange(len(variance))
    for start in range(0, len(variance), _ROWS):
        rows = slice(start, start + _ROWS)
        least = formula.between(every[rows], every)
        least *= inflation
        np.maximum(variance[rows], least, out=variance[rows])


def _tokens_left(formula: _Formula, some: np.ndarray) -> float:
    """1 - p / n for the n effective tokens of a typical pair and an estimate that uses up p; 1 for one that uses none."""
    R = formula.autocorrelation[some]
    taus = tau(R, R)[np.triu_indices(len(some), 1)]
    return share_left(formula.n_tokens / float(np.median(taus)), formula.estimate.fitted)


def _sizes(T: np.ndarray, errors: _Errors) -> np.ndarray:
    """|z| of all pairs, row by row, ``(p (p - 1) / 2,)``."""
    every = np.arange(len(T))

    def between(rows: slice, cols: slice) -> np.ndarray:
        size = errors.between(every[rows], every[cols])
        np.sqrt(size, out=size)
        return np.asarray(np.divide(np.abs(T[rows, cols]), size, out=size))

    return over_pairs(len(T), between)
