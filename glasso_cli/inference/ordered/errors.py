"""How the coefficients of ordered regressions vary between blocks of documents: the delete-one-block jackknife.

Of a debiased lasso, M and b are held: T moves by M (dr - dR b). Least squares is computed again without each block, since
it has used up one token per predictor; see :mod:`glasso_cli.inference.jackknife`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks, check_blocks
from glasso_cli.inference.debiased import product
from glasso_cli.inference.jackknife import PairTails, PseudoValues, Typical
from glasso_cli.inference.ordered.estimates import StepEstimate
from glasso_cli.linalg.cholesky import factorise
from glasso_cli.solvers.lasso.problem import Step


@dataclass(frozen=True, eq=False)
class StepErrors:
    """The variance of each coefficient of one layer, and what is typical of pairs without an edge."""

    variance: np.ndarray  # (m, k)
    typical: Typical


def jackknife(
    blocks: Blocks,
    correlation: np.ndarray,
    steps: Sequence[Step],
    estimates: Sequence[StepEstimate],
    formulas: Sequence[np.ndarray],
    some: Sequence[tuple[np.ndarray, np.ndarray]],
) -> list[StepErrors]:
    """The errors of every step, in one pass over ``blocks``, whose neurons are in the order of their layers.

    ``correlation (p, p)`` is that of all tokens. ``formulas (m, k)`` are the variances of pairs without an edge for Gaussian
    tokens. ``some`` are places among the m targets and the k predictors, whose pairs are the typical ones. Raises
    :class:`InputError` for fewer than four blocks with tokens.
    """
    check_blocks(len(blocks.filled), "The jackknife")
    sums = [PseudoValues(*estimate.T.shape) for estimate in estimates]
    tails = [PairTails(formula[np.ix_(*chosen)].ravel()) for formula, chosen in zip(formulas, some)]
    scale = 1 / blocks.std
    for block, share in zip(blocks.filled.tolist(), blocks.shares.tolist()):
        mean, second = blocks.about_the_mean(block, np.float64)
        mean = mean * scale
        second *= scale[:, None]
        second *= scale
        moved = _moved(correlation, mean, second, share, steps, estimates)
        for total, tail, chosen, error in zip(sums, tails, some, moved):
            tail.add(error[np.ix_(*chosen)].ravel(), share)
            total.add(error, share)
    return [StepErrors(total.variance(), tail.typical()) for total, tail in zip(sums, tails)]


def _moved(
    correlation: np.ndarray,
    mean: np.ndarray,
    second: np.ndarray,
    share: float,
    steps: Sequence[Step],
    estimates: Sequence[StepEstimate],
) -> Iterator[np.ndarray]:
    """How far the pseudo-value of one block is from T ``(m, k)``, for each step.

    ``mean (p,)`` and ``second (p, p)`` are the block's moments of standardised values about the mean of all tokens.
    """
    weight = share / (1 - share)
    rest = None
    for step, estimate in zip(steps, estimates):
        if estimate.theta is None:
            if rest is None:  # the covariance of all other blocks, about their own mean
                rest = correlation - share * second
                rest /= 1 - share
                rest -= np.multiply.outer(weight * mean, weight * mean)
            yield (estimate.T - _without(rest, step)) * (1 / share - 1)
        else:
            yield _held(correlation, mean, second, weight, step, estimate)


def _without(rest: np.ndarray, step: Step) -> np.ndarray:
    """Least squares ``(m, k)`` on the covariance ``rest (p, p)``."""
    k = step.start
    factor = factorise(rest[:k, :k])
    if factor is None:
        raise InputError(
            "Without one block of documents the correlation matrix of the earlier layers is singular.",
            "Set fit.estimate: lasso, or collect more text.",
        )
    return np.asarray(factor.solve(rest[:k, step.targets]).T)


def _held(
    correlation: np.ndarray, mean: np.ndarray, second: np.ndarray, weight: float, step: Step, estimate: StepEstimate
) -> np.ndarray:
    theta, lasso, k = estimate.theta, estimate.lasso, step.start
    assert theta is not None
    assert lasso is not None
    change = second[: step.stop, :k] - correlation[: step.stop, :k]
    residual = change[step.targets] - product(lasso, change[:k])
    error = product(theta, np.ascontiguousarray(residual.T)).T
    of_targets = mean[step.targets] - lasso @ mean[:k]
    return np.asarray(error + np.multiply.outer(weight * of_targets, theta @ mean[:k]))
