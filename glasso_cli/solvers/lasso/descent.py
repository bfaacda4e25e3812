"""Coordinate descent for many regressions on the same predictors, compiled: each target is the work of one thread.

A target keeps a working set: predictors with a coefficient, and those whose gradient exceeds alpha. Their correlations are
copied to a small matrix, on which all sweeps run. Then the gradient of every predictor is computed again, and the target is
done if its duality gap is small enough. (Friedman, Hastie and Tibshirani, 2010.) Where predictors depend on each other, sweeps
creep; after many, the optimum for the present signs is computed, and the best place on the way to it taken.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_SHARE = 0.3  # of the gap that is allowed, for the gap within the working set
_OFTEN = 4  # sweeps between two looks at the gap
_MANY = 100  # sweeps over a working set, after which lines are searched
_DAMPING = 1e-9  # of correlations that may be singular


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
        turn = done + _MANY
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
            if done % _OFTEN == 0:
                if _gap(correlation, slope, own, alpha) <= share * tol:
                    break
                if done >= turn:
                    _search_line(within, alpha, _direction(within, alpha, own, slope), own, slope)
                    turn = done + size // 3  # by then sweeps have cost as much as a direction
        # 3. the gradient of every predictor
        for a in range(size):
            b[places[a]] = own[a]
        _gradient(R, k, r, b, gradient)
        share *= _SHARE  # no predictor may be missing any more, while the gap is still too large
    return done


@njit(cache=True)
def _direction(within: np.ndarray, alpha: float, own: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """From ``own (n,)`` to the optimum of the coefficients that are not zero, if they keep their signs; (n,).

    Where predictors depend on each other, it is far along the lines on which the fit stays the same.
    """
    places = np.flatnonzero(own)
    m = len(places)
    system, falls = np.empty((m, m)), np.empty(m)
    for a in range(m):
        i = places[a]
        falls[a] = slope[i] - (alpha if own[i] > 0.0 else -alpha)
        for c in range(m):
            system[a, c] = within[i, places[c]]
        system[a, a] += _DAMPING
    found = np.linalg.solve(system, falls)
    direction = np.zeros(len(own))
    for a in range(m):
        direction[places[a]] = found[a]
    return direction


@njit(cache=True)
def _search_line(within: np.ndarray, alpha: float, direction: np.ndarray, own: np.ndarray, slope: np.ndarray) -> None:
    """Move ``own (n,)`` to the lowest place ahead in ``direction (n,)``; ``slope (n,)`` follows.

    Along a line the objective is a quadratic between the places where a coefficient is zero.
    """
    n = len(own)
    zeros = np.full(n, np.inf)
    bend = within @ direction
    down, rise = 0.0, 0.0  # how fast the objective falls, but for the curvature; the curvature
    for i in range(n):
        rise += direction[i] * bend[i]
        heading = own[i] if own[i] != 0.0 else direction[i]
        down += direction[i] * slope[i] - alpha * (direction[i] if heading > 0.0 else -direction[i])
        if own[i] * direction[i] < 0.0:
            zeros[i] = -own[i] / direction[i]
    order = np.argsort(zeros)
    step = 0.0
    for place in range(n + 1):
        zero = zeros[order[place]] if place < n else np.inf
        if down <= step * rise:  # uphill from here on
            break
        if rise > 0.0 and down / rise <= zero:
            step = down / rise
            break
        if zero == np.inf:  # level to the end
            break
        step = zero
        down -= 2 * alpha * abs(direction[order[place]])
    for i in range(n):
        own[i] = 0.0 if zeros[i] == step else own[i] + step * direction[i]
        slope[i] -= step * bend[i]


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
