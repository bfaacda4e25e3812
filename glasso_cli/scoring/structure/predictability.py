"""How well each neuron is predicted by all others: on documents that the regression has not seen, and in sample.

Ridge regressions of all neurons follow from one matrix: with K = (S + penalty I)^-1, the coefficients of neuron i are
-K_ij / K_ii. All neurons share one penalty, which is chosen by the predictions of held-out documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.resampling import folds
from glasso_cli.linalg.cholesky import invert

FOLDS = 5
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # of the correlation matrix, from large to small


@dataclass(frozen=True, eq=False)
class Predictability:
    """Of p neurons, from all others, on held-out documents."""

    explained: np.ndarray  # (p,) share of the variance, R^2; negative where the mean predicts better
    without: np.ndarray  # (B, p) the same without each block: neither fitted nor predicted
    penalty: float  # of the ridge regressions


def held_out(blocks: Blocks, penalties: Sequence[float] = PENALTIES) -> Predictability:
    """R^2 of each neuron on documents that its regression was not fitted to, by ``FOLDS``-fold cross-validation.

    The penalty with the largest mean R^2 is taken: ``penalties`` are tried from large to small until it falls. Raises
    :class:`InputError` for fewer than three blocks with tokens.
    """
    filled = blocks.filled
    if len(filled) < 3:
        raise InputError(
            f"Prediction of documents that were held out needs 3 blocks of documents with tokens; there are {len(filled)}.",
            "Collect more documents, or raise collect.blocks.",
        )
    parts = [np.array(part) for part in folds(filled, FOLDS)]
    explained, penalty = _best(blocks, parts, penalties)
    without = [_cross_validated(blocks, [part[part != block] for part in parts], penalty) for block in filled]
    return Predictability(explained, np.stack(without), penalty)


def _best(blocks: Blocks, parts: Sequence[np.ndarray], penalties: Sequence[float]) -> tuple[np.ndarray, float]:
    """R^2 ``(p,)`` at the best of ``penalties``, and that penalty."""
    explained, best = _cross_validated(blocks, parts, penalties[0]), penalties[0]
    for penalty in penalties[1:]:
        found = _cross_validated(blocks, parts, penalty)
        if found.mean() <= explained.mean():
            break
        explained, best = found, penalty
    return explained, best


def _cross_validated(blocks: Blocks, parts: Sequence[np.ndarray], penalty: float) -> np.ndarray:
    """R^2 ``(p,)`` over the tokens of all ``parts``, which hold blocks, each predicted from the others."""
    left, total = np.zeros((2, len(blocks.std)))
    every = np.concatenate(parts)
    for part in parts:
        if len(part) == 0:
            continue
        train = np.setdiff1d(every, part)
        weight = float(blocks.counts[part].sum())
        residual, variance = _predicted(ridge(blocks.correlation(train), penalty), blocks.held_out(train, part))
        left += weight * residual
        total += weight * variance
    return np.asarray(1 - left / total)


def ridge(S: np.ndarray, penalty: float) -> np.ndarray:
    """K = (S + penalty I)^-1 ``(p, p)``; raises :class:`InputError` where it does not exist."""
    shifted = np.array(S)
    shifted.ravel()[:: len(S) + 1] += penalty
    inverse = invert(shifted, overwrite=True)
    if inverse is None:
        raise InputError(
            f"The correlation matrix is singular, also with a ridge penalty of {penalty:g}.",
            "Leave out neurons that are sums of others.",
        )
    return inverse.matrix


def in_sample(K: np.ndarray, S: np.ndarray) -> np.ndarray:
    """R^2 ``(p,)`` on the tokens of ``S (p, p)`` of the regressions in K ``(p, p)``."""
    residual, variance = _predicted(K, S)
    return np.asarray(1 - residual / variance)


def adjusted(explained: np.ndarray, n_effective: float, predictors: int) -> np.ndarray:
    """R^2 ``(p,)`` of least squares on ``predictors`` without what chance alone explains, for n effective tokens."""
    return 1 - (1 - explained) * n_effective / (n_effective - predictors)


def _predicted(K: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squares ``(p,)`` of the residuals and of the values about the mean of the training documents."""
    rows = K / K.diagonal()[:, None]
    return np.einsum("ij,ij->i", rows @ second, rows), np.array(second.diagonal())
