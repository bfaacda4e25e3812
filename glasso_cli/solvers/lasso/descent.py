"""Coordinate descent for many regressions on the same predictors, compiled: each target is the work of one thread.

A target keeps a working set: predictors with a coefficient, and those whose gradient exceeds alpha. Their correlations are
copied to a small matrix, on which all sweeps run. Then the gradient of every predictor is computed again, and the target is
done if its duality gap is small enough. (Friedman, Hastie and Tibshirani, 2010.)
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_SHARE = 0.3  # of the gap that is allowed, for the gap within the working set
_OFTEN = 4  # sweeps between two looks at the gap


@njit(parallel=True, cache=True)
def descend(
    R: np.ndarray, k: int, first: int, alpha: float, tol: float, most: int, B: np.ndarray, sweeps: np.ndarray
) -> None:
    """Regress neurons ``first`` to ``first + m`` on the first ``k`` of ``R (p, p)``, from ``B (m, k)``, which is overwritten.

    ``sweeps (m,)`` gets how many sweeps each took, at most ``most``; the target is left as it is then.
    """
    for target in prange(len(B)):
        sweeps[target] = _regress(R, k, first + target, alpha, tol, most, B[target])


@njit(cache=True)
def _regress(R: np.ndarray, k: int, target: int, alpha: float, tol: float, most: int, b: np.ndarray) -> int:
    """The sweeps that one target took; ``b (k,)`` is overwritten."""
    r = R[target, :k]
    gradient = np.empty(k)
    _gradient(R, k, r, b, gradient)
    done, share = 0, _SHARE
    while done < most and _gap(r, gradient, b, alpha) > tol:
        # 1. the working set
        size = 0
        for i in range(k):
            if b[i] != 0.0 or abs(gradient[i]) > alpha:
                size += 1
        places = np.empty(size, dtype=np.int64)
        size = 0
        for i in range(k):
            if b[i] != 0.0 or abs(gradient[i]) > alpha:
                places[size] = i
                size += 1
        within = np.empty((size, size))
        own, slope, correlation = np.empty(size), np.empty(size), np.empty(size)
        for a in range(size):
            own[a], slope[a], correlation[a] = b[places[a]], gradient[places[a]], r[places[a]]
            row = R[places[a]]
            for c in range(size):
                within[a, c] = row[places[c]]
        # 2. sweeps over it, until its own gap is small
        while done < most:
            for a in range(size):
                wanted = slope[a] + own[a]
                end = wanted - alpha if wanted > alpha else wanted + alpha if wanted < -alpha else 0.0
                change = end - own[a]
                if change != 0.0:
                    own[a] = end
                    row = within[a]
                    for c in range(size):
                        slope[c] -= change * row[c]
            done += 1
            if done % _OFTEN == 0 and _gap(correlation, slope, own, alpha) <= share * tol:
                break
        # 3. the gradient of every predictor
        for a in range(size):
            b[places[a]] = own[a]
        _gradient(R, k, r, b, gradient)
        share *= _SHARE  # no predictor may be missing any more, while the gap is still too large
    return done


@njit(cache=True)
def _gradient(R: np.ndarray, k: int, r: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """r - R b into ``out (k,)``."""
    out[:] = r
    for i in range(k):
        if b[i] != 0.0:
            value, row = b[i], R[i, :k]
            for c in range(k):
                out[c] -= value * row[c]


@njit(cache=True)
def _gap(r: np.ndarray, gradient: np.ndarray, b: np.ndarray, alpha: float) -> float:
    """The duality gap of one target; see :func:`glasso_cli.solvers.lasso.problem.certificate`."""
    residual, onto, size, largest = 1.0, 1.0, 0.0, 0.0
    for i in range(len(b)):
        residual -= b[i] * (r[i] + gradient[i])
        onto -= b[i] * r[i]
        size += abs(b[i])
        largest = max(largest, abs(gradient[i]))
    residual = max(residual, 0.0)
    scale = onto / residual if residual > 0.0 else 0.0
    if largest > 0.0:
        scale = min(max(scale, -alpha / largest), alpha / largest)
    return residual / 2 + alpha * size - (scale * onto - scale * scale * residual / 2)
