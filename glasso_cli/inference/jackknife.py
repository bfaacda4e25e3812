"""How far off the formula for the errors is: the delete-one-block jackknife.

Blocks of whole documents are left out one after the other. That makes no assumption about what tokens of a
document have in common, or about tails. With B blocks it has only about B - 1 degrees of freedom, which costs power in
millions of tests. So it mostly sets one number: the median over pairs of its variance over the formula's. Where pairs are
too different for one number, each has its own.

The jackknife for blocks of unequal size is that of Busing, Meijer and van der Leeden (1999).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtri

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks, CountedBlocks, check_blocks
from glasso_cli.inference.debiased import sandwich
from glasso_cli.inference.effective_n import by_autocorrelation
from glasso_cli.inference.estimates import Estimate
from glasso_cli.inference.p_values.tails import freedom_of
from glasso_cli.linalg.cholesky import factorise

_NEURONS = 128  # whose pairs set the common factor
LARGEST_SPREAD = 2.0  # of the inflation from pair to pair, up to which one inflation is taken for all
_MANY = 256  # neurons from which the inverse without a block is computed in float32, the precision of the moments,
_STEEP = (
    300.0  # where the precision of no neuron, on the scale of its variance, is larger: its rounding is far below errors
)
_QUARTILES = (0.25, 0.75)
_BLOCKS_AGREE = 1e-6  # inflation below which the blocks do not differ


def jackknife_variance(
    blocks: Blocks,
    estimate: Estimate,
    correlation: np.ndarray,
    neurons: np.ndarray | None = None,
    tails: Tails | None = None,
) -> np.ndarray:
    """The variance ``(m, m)`` of T_ij for m neurons (all by default).

    ``correlation (p, p)`` is S, of all tokens of ``blocks``. A lasso's Theta is held, and T moves by -Theta dS Theta. The
    inverse is computed again without each block: the in-sample inverse has used p of the n tokens, so it underestimates
    the error of a left-out block. ``tails``, of some of these neurons, sees the same errors. Raises
    :class:`InputError` when fewer than four blocks hold tokens.
    """
    m = len(correlation) if neurons is None else len(neurons)
    sums = PseudoValues(m, m)
    for error, share in _errors(blocks, estimate, correlation, neurons):
        if tails is not None:
            tails.add(error[np.ix_(tails.neurons, tails.neurons)], share)
        sums.add(error, share)
    return sums.variance()


class PseudoValues:
    """The variance that pseudo-values about an estimate amount to, as they come in with their shares of the tokens."""

    def __init__(self, *shape: int) -> None:
        self._squares, self._weighted, self._centre = (np.zeros(shape) for _ in range(3))
        self._weights = 0.0
        self._count = 0

    def add(self, error: np.ndarray, share: float) -> None:
        weight = share / (1 - share)
        self._centre += error * share
        self._weighted += error * weight
        self._squares += error**2 * weight
        self._weights += weight
        self._count += 1

    def variance(self) -> np.ndarray:
        variance = 2 * self._centre * self._weighted
        variance -= self._centre**2 * self._weights
        np.subtract(self._squares, variance, out=variance)
        variance /= self._count
        return variance


def _errors(
    blocks: Blocks, estimate: Estimate, correlation: np.ndarray, neurons: np.ndarray | None
) -> Iterator[tuple[np.ndarray, float]]:
    """How far the pseudo-value of every block is from T ``(m, m)``, and the block's share of the tokens."""
    check_blocks(len(blocks.filled), "The jackknife")
    chosen = np.arange(len(correlation)) if neurons is None else neurons
    errors = (
        _of_the_inverse(blocks, estimate, chosen) if estimate.fitted else _held(blocks, estimate, correlation, chosen)
    )
    for block, error in zip(blocks.filled.tolist(), errors, strict=True):
        yield error, _share(blocks, block)


def _held(blocks: Blocks, estimate: Estimate, correlation: np.ndarray, neurons: np.ndarray) -> Iterator[np.ndarray]:
    rows = estimate.theta[neurons]
    dense: np.ndarray = rows if isinstance(rows, np.ndarray) else rows.toarray()
    second = sandwich(rows, correlation)
    for block in blocks.filled.tolist():
        mean, error = blocks.projected(block, dense)
        error -= second
        weight = _share(blocks, block) / (1 - _share(blocks, block))
        error += np.multiply.outer(weight * mean, mean)
        yield error


def _of_the_inverse(blocks: Blocks, estimate: Estimate, neurons: np.ndarray) -> Iterator[np.ndarray]:
    """The inverse without each block."""
    total = blocks.total()
    every = np.arange(len(blocks.std))
    order = np.concatenate(
        [np.setdiff1d(every, neurons), neurons]
    )  # a factor's last rows are of the inverse's last ones
    scale = np.multiply.outer(blocks.std[neurons], blocks.std[neurons])
    whole = estimate.T[np.ix_(neurons, neurons)]
    is_rough = len(every) >= _MANY and len(neurons) < len(every) and float(estimate.diagonal.max()) <= _STEEP
    for block in blocks.filled.tolist():
        factor = (
            factorise(blocks.without_block(block, total, order, np.float32), np.float32, True) if is_rough else None
        )
        factor = factor or factorise(blocks.without_block(block, total, order), overwrite=True)
        if factor is None:
            raise InputError(
                "Without one of the blocks of documents the correlation matrix is singular.",
                "Set fit.estimate: lasso, collect more text, or fit fewer neurons.",
            )
        yield (whole - factor.last_of_inverse(len(neurons)) * scale) * (1 / _share(blocks, block) - 1)


def _share(blocks: Blocks, block: int) -> float:
    return float(blocks.counts[block] / blocks.n_tokens)


@dataclass(frozen=True)
class Typical:
    """What the blocks say about the errors of a typical pair without an edge."""

    inflation: float  # of its variance over the formula's
    freedom: float  # of the Student's t that has the tails of its distribution; inf for the normal one
    spread: float = 1.0  # by what factor the inflation of one pair differs from that of another, one standard deviation

    @property
    def blocks_agree(self) -> bool:
        """Whether all blocks hold the same documents: they say nothing about errors, and the formula has to do."""
        return self.inflation < _BLOCKS_AGREE

    def judging(self, variance: str, left: float, blocks: CountedBlocks) -> tuple[str, float, float]:
        """Which errors judge, ``pooled`` or ``jackknife``; their inflation; and the degrees of freedom of their test.

        ``variance`` auto takes one inflation for all pairs if it describes them. ``left`` is the share of the tokens that
        an inverse of them leaves, by which a jackknife is too large. The formula for what is left is the least.
        """
        if variance == "pooled" or (variance == "auto" and self.spread <= LARGEST_SPREAD):
            return "pooled", self.inflation * left, self.freedom
        return "jackknife", max(self.inflation * left, 1 / left), len(blocks.filled) - 1


class PairTails:
    """The errors of m pairs, whose variance by the formula is ``formula (m,)``.

    The inflation is the median over pairs of the jackknife's variance over the formula's, corrected for the median of a
    chi-squared variable, which is below its mean. T is a sum of one independent part per block. Where few documents
    weigh much, its distribution has longer tails than the normal one: the excess kurtosis of the parts, averaged over
    pairs, adds up to that of the sum, and Student's t of the same kurtosis is taken.
    """

    def __init__(self, formula: np.ndarray) -> None:
        self._scale = 1 / np.sqrt(formula)
        self._sums = PseudoValues(len(self._scale))
        self._moments: list[tuple[float, float]] = []  # second and fourth of every block's part, over pairs

    def add(self, error: np.ndarray, share: float) -> None:
        """Add the errors ``(m,)`` of one block."""
        scaled = error * self._scale
        self._sums.add(scaled, share)
        part = scaled * share
        self._moments.append((float((part**2).mean()), float((part**4).mean())))

    def typical(self) -> Typical:
        """What the blocks say together."""
        second, fourth = np.array(self._moments).T
        freedom = max(1.0, float(second.sum() ** 2 / (second**2).sum()) - 1)
        median = 2 * float(gammaincinv(freedom / 2, 0.5)) / freedom
        excess = float((fourth - 3 * second**2).sum() / second.sum() ** 2)
        ratios = self._sums.variance()
        return Typical(float(np.median(ratios)) / median, freedom_of(excess), spread_of(ratios, freedom))


class Tails:
    """The errors of all pairs of ``neurons (m,)``, whose variance by the formula is ``formula (m, m)``: see :class:`PairTails`."""

    def __init__(self, neurons: np.ndarray, formula: np.ndarray) -> None:
        self.neurons = neurons
        self._above = np.triu_indices(len(neurons), 1)
        self._pairs = PairTails(formula[self._above])

    def add(self, error: np.ndarray, share: float) -> None:
        """Add the errors ``(m, m)`` of one block."""
        self._pairs.add(error[self._above], share)

    def typical(self) -> Typical:
        """What the blocks say together."""
        return self._pairs.typical()


def spread_of(ratios: np.ndarray, freedom: float) -> float:
    """By what factor, one standard deviation, the true values of estimated variance ``ratios (m,)`` differ; 1 if they do not.

    Each ratio is estimated with ``freedom`` degrees of freedom. What this noise does to the logarithms of the ratios is taken
    off. Both are measured by quartiles, so that pairs with an edge, which are few and vary more, do not count.
    """
    logs = np.log(np.maximum(np.quantile(ratios, _QUARTILES), np.finfo(float).tiny))
    noise = np.log(gammaincinv(freedom / 2, _QUARTILES))
    normal = 2 * float(ndtri(_QUARTILES[1]))  # between the quartiles of a normal variable of unit variance
    excess = (np.ptp(logs) / normal) ** 2 - (np.ptp(noise) / normal) ** 2
    return float(np.exp(np.sqrt(max(0.0, excess))))


def typical_errors(
    blocks: Blocks, estimate: Estimate, correlation: np.ndarray, neurons: np.ndarray, formula: np.ndarray
) -> Typical:
    """What a jackknife of the pairs of ``neurons (m,)`` alone says about a typical one: see :class:`Tails`."""
    tails = Tails(neurons, formula)
    for error, share in _errors(blocks, estimate, correlation, neurons):
        tails.add(error, share)
    return tails.typical()


def some_neurons(autocorrelation: np.ndarray) -> np.ndarray:
    """Up to 128 of p neurons, increasing: evenly spaced from weak to strong ``autocorrelation (p, L)``."""
    p = len(autocorrelation)
    places = np.unique(np.linspace(0, p - 1, min(p, _NEURONS)).round().astype(int))
    return np.sort(by_autocorrelation(autocorrelation)[places])
