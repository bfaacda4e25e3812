"""Which partial correlations differ between two corpora, with an error bar and a false discovery rate for each.

Fisher's z of a partial correlation, atanh(rho), has an error that does not depend on rho: its variance is that of one over
the effective tokens, the same that the edges of each corpus are tested with. The difference of two over the root of their
sum is normal where nothing differs. Every pair of neurons is tested, not only edges of one of the graphs: a pair that
noise has made an edge in one of them is more different than it should be, and testing those alone would find too many.
What passes is tested again with the error of the pair itself (:mod:`pair_errors`): edges vary more than pairs without one.

The null hypothesis is that two partial correlations differ by at most a minimum effect: with enough tokens, all pairs differ.
A partial correlation has no units, so that a neuron that merely varies more in one corpus does not differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from glasso_cli.comparison.fisher import fisher, slope, standardised
from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.effective_n import pair_tau, tau
from glasso_cli.inference.p_values.false_discovery import ordered_q_values, p_values, q_values_among, rejections
from glasso_cli.inference.p_values.minimum_effect import Tail, beyond
from glasso_cli.inference.p_values.tails import excess_of, freedom_of, smallest_size, two_sided, welch
from glasso_cli.inference.pairs import pair_places, pairs_at
from glasso_cli.linalg.precision import to_partial_correlations

_SAMPLE = 1_000_000  # statistics whose median is taken
_ROWS = 256  # whose pairs with all later neurons are computed at once


@dataclass(frozen=True, eq=False)
class Side:
    """The estimate of one corpus, and what its errors rest on."""

    rho: np.ndarray  # (p, p) partial correlations, not shrunken; the diagonal is zero
    autocorrelation: np.ndarray  # (p, L) of the values at lags 1 to L
    n_tokens: int
    inflation: float  # of the variance over that of Gaussian tokens with these autocorrelations
    freedom: float  # of the Student's t that has the tails of the errors; inf for the normal distribution

    @classmethod
    def of(cls, T: np.ndarray, autocorrelation: np.ndarray, n_tokens: int, inflation: float, freedom: float) -> Side:
        """The side of an estimate T ``(p, p)`` of the precision, which is overwritten."""
        rho = to_partial_correlations(T)
        return cls(rho, np.asarray(autocorrelation, dtype=np.float64), n_tokens, inflation, freedom)

    def among(self, neurons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fisher's z and its variance, ``(k, k)``, of all pairs of some neurons."""
        R = self.autocorrelation[neurons]
        return fisher(self.rho[np.ix_(neurons, neurons)]), tau(R, R) * (self.inflation / self.n_tokens)

    def of_pairs(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of pairs, ``(m,)``."""
        R = self.autocorrelation
        return fisher(self.rho[rows, cols]), pair_tau(R[rows], R[cols]) * (self.inflation / self.n_tokens)


@dataclass(frozen=True, eq=False)
class Differences:
    """All pairs of p neurons, as far as two corpora differ on them; arrays are ``(p (p - 1) / 2,)``, row by row."""

    z: np.ndarray  # of the second corpus less the first
    size: np.ndarray  # of z
    evidence: np.ndarray  # -log p of H0: the partial correlations differ by at most the minimum effect
    freedom: float
    p: int
    min_effect: float
    typical_error: float  # of the difference of two partial correlations, near zero

    def discoveries(self, fdr: float) -> tuple[np.ndarray, np.ndarray]:
        """The pairs ``rows (m,)`` < ``cols (m,)`` that differ by more than the minimum effect, row by row."""
        candidates = np.flatnonzero(self.evidence >= -np.log(fdr))  # no other p-value passes
        evidence = self.evidence[candidates]
        count = rejections(np.exp(-evidence), len(self.evidence), fdr)
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        least = np.partition(evidence, len(evidence) - count)[len(evidence) - count]
        return pairs_at(candidates[evidence >= least], self.p)

    def nonzero(self, fdr: float) -> int:
        """How many pairs differ at all."""
        candidates = self.size[self.size >= smallest_size(fdr, self.freedom)]
        return rejections(two_sided(candidates, self.freedom), len(self.z), fdr)

    @property
    def spread(self) -> float:
        """The variance of z by its median square: 1 where nothing differs and the errors are right."""
        step = max(1, len(self.z) // _SAMPLE)
        return float(np.median(self.z[::step] ** 2) / chi2.median(1)) if len(self.z) else 1.0


def differences(first: Side, second: Side, min_effect: float = 0.0) -> Differences:
    """Test all pairs of the p neurons that both sides have, in one order."""
    p = len(first.rho)
    z, bar = (np.empty(p * (p - 1) // 2) for _ in range(2))
    variances, entries = np.zeros(2), 0
    factors = [side.inflation / side.n_tokens for side in (first, second)]
    for start in range(0, p, _ROWS):
        one, other = (
            tau(side.autocorrelation[start : start + _ROWS], side.autocorrelation[start:]) for side in (first, second)
        )
        variances += factors[0] * one.sum(), factors[1] * other.sum()
        entries += one.size
        with numba_limited():
            standardised(first.rho, second.rho, one, other, factors[0], factors[1], start, min_effect, z, bar)
    freedom = _freedom(variances, (first.freedom, second.freedom))
    typical = float(np.sqrt(variances.sum() / max(1, entries)))
    size = np.abs(z)
    evidence = Tail(freedom, float(size.max(initial=0.0))).log_beyond(size, bar)
    np.negative(evidence, out=evidence)
    return Differences(z, size, evidence, freedom, p, min_effect, typical)


def _freedom(variances: np.ndarray, freedoms: tuple[float, float]) -> float:
    """Of the Student's t with the kurtosis of a difference of two independent errors."""
    total = float(variances.sum())
    if total == 0:
        return np.inf
    excesses = np.array([excess_of(freedom) for freedom in freedoms])
    return freedom_of(float((excesses * variances**2).sum()) / total**2)


# -- pairs by themselves ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PairInflation:
    """Variance inflation of each of m pairs in one corpus, relative to a typical pair without an edge."""

    inflation: np.ndarray  # (m,) at least 1
    freedom: float  # degrees of freedom that those above 1 rest on


@dataclass(frozen=True, eq=False)
class PairDifferences:
    """The m pairs ``rows`` < ``cols`` with the errors that they have by themselves, each ``(m,)``."""

    rows: np.ndarray
    cols: np.ndarray
    rho: tuple[np.ndarray, np.ndarray]
    standard_error: tuple[np.ndarray, np.ndarray]  # of rho
    own_p: tuple[np.ndarray, np.ndarray]  # of each corpus against no edge
    z: np.ndarray
    p_zero: np.ndarray  # two-sided, of H0: nothing differs
    q_zero: np.ndarray  # over all pairs of the p neurons
    p: np.ndarray  # of H0: they differ by at most the minimum effect
    q: np.ndarray  # over all pairs of the p neurons

    @property
    def change(self) -> np.ndarray:
        """Second partial correlation less the first."""
        return np.asarray(self.rho[1] - self.rho[0])


def with_own_errors(
    all_pairs: Differences,
    sides: tuple[Side, Side],
    rows: np.ndarray,
    cols: np.ndarray,
    own: tuple[PairInflation, PairInflation],
    rate: float = 1.0,
) -> PairDifferences:
    """Pairs again, each with its own errors; all others keep theirs.

    Own errors are larger, so a pair that was no discovery is none now: it is enough to give those that were. Only q-values
    up to ``rate`` are needed: those above may be larger than they are.
    """
    values = [side.of_pairs(rows, cols) for side in sides]
    variances = [variance * each.inflation for (_, variance), each in zip(values, own)]
    total = variances[0] + variances[1]
    change = values[1][0] - values[0][0]
    z = change / np.sqrt(total)
    known = [np.where(each.inflation > 1, each.freedom, np.inf) for each in own]  # the formula's error is not estimated
    freedom = np.minimum(welch(np.stack(variances), np.stack(known)), all_pairs.freedom)
    rho = (sides[0].rho[rows, cols], sides[1].rho[rows, cols])
    places = pair_places(rows, cols, all_pairs.p)
    p_zero = two_sided(np.abs(z), freedom)
    p = beyond(np.abs(z), all_pairs.min_effect * slope(change, *rho) / np.sqrt(total), freedom)
    return PairDifferences(
        rows=rows,
        cols=cols,
        rho=rho,
        standard_error=tuple(np.sqrt(variance) * (1 - each**2) for each, variance in zip(rho, variances)),
        own_p=tuple(
            two_sided(np.abs(value) / np.sqrt(variance), np.inf) for (value, _), variance in zip(values, variances)
        ),  # type: ignore[arg-type]
        z=z,
        p_zero=p_zero,
        q_zero=_rates_with(
            all_pairs.size,
            smallest_size(rate, all_pairs.freedom) if rate < 1 else 0.0,
            lambda size: p_values(size, lambda knots: two_sided(knots, all_pairs.freedom)),
            places,
            p_zero,
        ),
        p=p,
        q=_rates_with(all_pairs.evidence, -np.log(rate), lambda evidence: np.exp(-evidence), places, p),
    )


def _rates_with(
    statistics: np.ndarray, least: float, to_p: Callable[[np.ndarray], np.ndarray], places: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """The q-values of ``p (m,)``, which take the place of those at ``places`` among all, of ``statistics`` of at least ``least``."""
    if len(p) == 0:
        return p
    others = statistics >= least
    others[places] = False
    return q_values_among(p, to_p(statistics[others]), len(statistics))


# -- what kind of difference ------------------------------------------------------------------------


def classes_of(pairs: PairDifferences, differs: np.ndarray, fdr: float) -> np.ndarray:
    """What the second corpus does to each pair ``(m,)`` that ``differs``, as an index into ``CLASSES``; -1 for the others.

    A pair is there in both corpora where the larger of its two p-values passes ``fdr`` among those of all pairs that differ.
    There in both: a sign flip, or stronger or weaker by size. Else gained or lost, by where it is larger.
    """
    before, after = pairs.rho
    both = np.zeros(len(differs), dtype=bool)
    both[differs] = ordered_q_values(np.maximum(*pairs.own_p)[differs]) <= fdr
    larger = np.abs(after) > np.abs(before)
    flips = both & (np.sign(before) != np.sign(after))
    return np.select([~differs, flips, both & larger, both, larger], [-1, 4, 2, 3, 0], default=1).astype(np.int8)
