"""The penalties of the joint graphical lasso, and the sets that bound their duals.

A penalty P acts on what K corpora say of one pair of neurons, a vector of K numbers, and all pairs have the same:
arrays here are ``(K, m)``, for m pairs i < j. *Group* (Danaher, Wang and Witten, 2014) is lambda1 sum_k |x_k| +
lambda2 sqrt(sum_k x_k^2). *Fused* is lambda1 sum_k |x_k| + lambda2 sum_k |x_{k+1} - x_k|: of two corpora it is their
difference that is penalised, of more than two the difference of each to the next, in the order given.

C is the set of all u with u'x <= P(x) for every x: the subgradients of P at zero, and the bound on dual variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

_HALVINGS = 60


class Penalty(Protocol):
    """What the certificate and the screening need to know of a penalty."""

    @property
    def lambda1(self) -> float: ...

    @property
    def lambda2(self) -> float: ...

    @property
    def name(self) -> str:
        """Its key in ``PENALTIES``."""

    def value(self, x: np.ndarray) -> float:
        """The sum of P over the pairs."""

    def prox(self, v: np.ndarray) -> np.ndarray:
        """The minimiser ``(K, m)`` of |x - v|^2 / 2 + P(x); v less it is the projection of v onto C."""

    def outside(self, u: np.ndarray) -> np.ndarray:
        """Whether ``(m,)`` each column is not in C."""

    def gauge(self, u: np.ndarray) -> float:
        """The smallest s for which every column is in s C."""

    def residual(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        """``u`` less its projection onto the subgradients of P at ``x``; zero everywhere at the optimum."""


@dataclass(frozen=True)
class Group:
    """lambda1 sum_k |x_k| + lambda2 sqrt(sum_k x_k^2)."""

    lambda1: float
    lambda2: float
    name: str = "group"

    def value(self, x: np.ndarray) -> float:
        return self.lambda1 * float(np.abs(x).sum()) + self.lambda2 * float(np.linalg.norm(x, axis=0).sum())

    def prox(self, v: np.ndarray) -> np.ndarray:
        shrunk = _soft(v, self.lambda1)
        length = np.linalg.norm(shrunk, axis=0)
        return np.asarray(shrunk * (1 - self.lambda2 / np.maximum(length, max(self.lambda2, np.finfo(float).tiny))))

    def outside(self, u: np.ndarray) -> np.ndarray:
        return self._outside(u, 1.0)

    def _outside(self, u: np.ndarray, s: float) -> np.ndarray:
        return np.asarray(np.linalg.norm(_soft(u, s * self.lambda1), axis=0) > s * self.lambda2)

    def gauge(self, u: np.ndarray) -> float:
        largest = max(float(np.abs(u).max(initial=0.0)) * np.sqrt(len(u)), np.finfo(float).tiny)
        low, high = 0.0, float(largest / max(self.lambda1, self.lambda2))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            beyond = self._outside(u, middle)
            if beyond.any():
                low, u = middle, u[:, beyond]  # the others are in the larger sets too
            else:
                high = middle
        return high

    def residual(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(x, axis=0)
        on = length > 0
        left = np.empty(u.shape)
        left[:, ~on] = self.prox(u[:, ~on])
        x, u = x[:, on], u[:, on] - self.lambda2 * x[:, on] / length[on]
        left[:, on] = np.where(x != 0, u - self.lambda1 * np.sign(x), _soft(u, self.lambda1))
        return left


@dataclass(frozen=True)
class Fused:
    """lambda1 sum_k |x_k| + lambda2 sum_k |x_{k+1} - x_k|."""

    lambda1: float
    lambda2: float
    name: str = "fused"

    def value(self, x: np.ndarray) -> float:
        return self.lambda1 * float(np.abs(x).sum()) + self.lambda2 * float(np.abs(np.diff(x, axis=0)).sum())

    def prox(self, v: np.ndarray) -> np.ndarray:
        everywhere = np.ones((len(v) - 1, v.shape[1]), dtype=bool)
        return _soft(_drawn_together(v, self.lambda2, everywhere), self.lambda1)

    def outside(self, u: np.ndarray) -> np.ndarray:
        return self._share(u) > 1.0

    def gauge(self, u: np.ndarray) -> float:
        return float(self._share(u).max(initial=0.0))

    def _share(self, u: np.ndarray) -> np.ndarray:
        """The gauge ``(m,)`` of each column: the largest |sum of u| over P for the ones of a run of corpora.

        By the coarea formula every x is a sum of such runs, with the sum of their P for its own.
        """
        K = len(u)
        share = np.zeros(u.shape[1])
        for first in range(K):
            total = np.zeros(u.shape[1])
            for last in range(first, K):
                total = total + u[last]
                ends = (first > 0) + (last < K - 1)
                cost = self.lambda1 * (last - first + 1) + self.lambda2 * ends
                np.maximum(share, np.abs(total) / cost, out=share)
        return share

    def residual(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        step = np.sign(np.diff(x, axis=0))
        left = u - self.lambda1 * np.sign(x)
        left[:-1] += self.lambda2 * step
        left[1:] -= self.lambda2 * step
        left = _drawn_together(left, self.lambda2, step == 0)
        return np.where(x != 0, left, _soft(left, self.lambda1))


PENALTIES: dict[str, type[Group] | type[Fused]] = {"group": Group, "fused": Fused}


def _soft(v: np.ndarray, threshold: float) -> np.ndarray:
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


def _drawn_together(v: np.ndarray, strength: float, linked: np.ndarray) -> np.ndarray:
    """The minimiser ``(K, m)`` of |x - v|^2 / 2 + strength sum_k |x_{k+1} - x_k| over the k where ``linked (K - 1, m)``.

    As the strength grows from zero neighbours move towards each other at constant speed, and those that have met stay
    together (Friedman, Hastie, Höfling and Tibshirani, 2007): at most K - 1 meetings.
    """
    x: np.ndarray = v.copy()
    left = np.full(v.shape[1], strength)
    together = np.zeros(linked.shape, dtype=bool)
    for _ in range(len(v)):
        apart = np.diff(x, axis=0)
        together |= linked & (apart == 0)
        pull = np.where(linked & ~together, np.sign(apart), 0.0)
        force = np.zeros(x.shape)
        force[:-1] += pull
        force[1:] -= pull
        speed = _averaged(force, together)
        closing = -np.diff(speed, axis=0) * pull
        meets = closing > 0
        wait = np.where(meets, np.abs(apart) / np.where(meets, closing, 1.0), np.inf)
        step = np.minimum(wait.min(axis=0), left)
        together |= wait <= step
        x = _averaged(x + step * speed, together)
        left -= step
    return x


def _averaged(x: np.ndarray, together: np.ndarray) -> np.ndarray:
    """The mean ``(K, m)`` over the neighbours that are together, exactly equal for all of them."""
    total, count = x.copy(), np.ones(x.shape)
    for k in range(1, len(x)):
        total[k] += np.where(together[k - 1], total[k - 1], 0.0)
        count[k] += np.where(together[k - 1], count[k - 1], 0.0)
    mean: np.ndarray = total / count
    for k in range(len(x) - 2, -1, -1):
        mean[k] = np.where(together[k], mean[k + 1], mean[k])
    return mean
