"""P-values under Student's t, or the normal distribution for infinite degrees of freedom."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit


def two_sided(size: np.ndarray, freedom: float | np.ndarray) -> np.ndarray:
    """The p-values ``(m,)`` of statistics of absolute ``size (m,)``, for one number of degrees of freedom or one each."""
    return np.asarray(2 * np.where(np.isfinite(freedom), stdtr(freedom, -size), ndtr(-size)))


def smallest_size(p: float, freedom: float) -> float:
    """The absolute size of a statistic whose two-sided p-value is ``p``."""
    return float(-(stdtrit(freedom, p / 2) if np.isfinite(freedom) else ndtri(p / 2)))


def welch(variances: np.ndarray, freedoms: np.ndarray) -> np.ndarray:
    """Degrees of freedom ``(m,)`` of a sum of estimated ``variances (k, m)``, after Welch and Satterthwaite.

    Each variance has those in ``freedoms``, which broadcasts to ``(k, m)``; inf where it is known, and where all are zero.
    """
    spent = (variances**2 / freedoms).sum(axis=0)
    total = variances.sum(axis=0)
    return np.asarray(np.divide(total**2, spent, out=np.full_like(total, np.inf), where=spent > 0))


def freedom_of(excess: float) -> float:
    """The degrees of freedom of the Student's t with this excess kurtosis; inf where there is none."""
    return 4 + 6 / excess if excess > 1e-6 else np.inf


def excess_of(freedom: float) -> float:
    """The excess kurtosis of Student's t."""
    return 6 / (freedom - 4) if np.isfinite(freedom) else 0.0
