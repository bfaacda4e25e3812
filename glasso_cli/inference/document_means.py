"""Means over samples of documents, with the document as the unit: standard errors and tests against a minimum effect.

Samples of one document depend on each other, so errors come from the spread of documents, each with its number of samples.
From :data:`FEW` documents on, a mean is judged by Student's t. Below, the signs of the documents' deviations are flipped: under
the null hypothesis each sign is as likely as the other, whatever the distribution, if it is symmetric.
"""

from __future__ import annotations

import itertools

import numpy as np

from glasso_cli.inference.p_values.minimum_effect import beyond

FEW = 30  # documents below which signs are flipped
FLIPS = 10_000  # at most; all of them for up to 13 documents
_EXACT = 13
_PAIRS = 2_048  # tested at once
_ROUNDING = 1e-9  # of a sum, relative


def clustered(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means ``(m,)`` over all samples, and their standard errors, which are clustered by document.

    ``sums (D, m)`` are those of the documents, and ``counts (D,)`` their samples. The error is that of a ratio of sums; nan
    for a single document.
    """
    total = counts.sum()
    mean = sums.sum(axis=0) / total
    if len(counts) < 2:
        return mean, np.full(mean.shape, np.nan)
    apart = sums - counts[:, None] * mean
    scale = len(counts) / (len(counts) - 1)
    return mean, np.sqrt(scale * (apart**2).sum(axis=0)) / total


def beyond_least(
    sums: np.ndarray, counts: np.ndarray, least: float, signs: np.ndarray, *, one_sided: bool = False
) -> np.ndarray:
    """The p-values ``(m,)`` of H0: the mean is at most ``least`` in size; ``one_sided``: it is at most ``least``.

    ``signs (F, D)`` are those of :func:`sign_flips`, and empty where Student's t is to judge. Both tests add the tails at the two
    ends of the null hypothesis, as :mod:`glasso_cli.inference.p_values.minimum_effect` does. Equal documents without any
    spread have an error of zero: their p-value is 0 beyond ``least`` and 1 below.
    """
    mean, error = clustered(sums, counts)
    if len(signs):
        return _flipped(sums, counts, mean, least, signs, one_sided)
    with np.errstate(divide="ignore", invalid="ignore"):
        if one_sided:
            size = np.nan_to_num((mean - least) / error, nan=0.0)
            p = beyond(np.maximum(size, 0.0), 0.0, len(counts) - 1) / 2
            return np.where(size > 0, p, 1.0)
        p = beyond(np.abs(mean) / error, least / error, len(counts) - 1)
    still = error == 0
    p[still] = np.where(np.abs(mean[still]) > least, 0.0, 1.0)
    return p


def sign_flips(documents: int, seed: int) -> np.ndarray:
    """Signs ``(F, documents)``, -1 or +1, the first row without flips: all of them for few documents, or some at random.

    Empty where there are :data:`FEW` documents or more.
    """
    if documents >= FEW:
        return np.empty((0, documents))
    if documents <= _EXACT:
        return np.array(list(itertools.product((1.0, -1.0), repeat=documents)))
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, documents))
    drawn[0] = 1.0
    return drawn


def _flipped(
    sums: np.ndarray, counts: np.ndarray, mean: np.ndarray, least: float, signs: np.ndarray, one_sided: bool
) -> np.ndarray:
    """The share of flips with a sum of deviations from the null hypothesis that is at least as large as the one found."""
    p = np.ones(len(mean))
    found = np.flatnonzero(mean > least if one_sided else np.abs(mean) > least)
    for start in range(0, len(found), _PAIRS):
        some = found[start : start + _PAIRS]
        towards = sums[:, some] * np.sign(mean[some])
        ends = (least,) if one_sided else (least, -least)
        p[some] = sum(_share(signs, towards - counts[:, None] * end) for end in ends)
    return np.minimum(p, 1.0)


def _share(signs: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    reached = deviations.sum(axis=0) - _ROUNDING * np.abs(deviations).sum(axis=0)
    return np.asarray((signs @ deviations >= reached).mean(axis=0))
