"""Joint problems, and an objective and an optimum of theirs by routes that the package does not take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from support.glasso_problems import definite

PenaltyName = Literal["group", "fused"]
PENALTIES: tuple[PenaltyName, ...] = ("group", "fused")


def corpora(p: int, n: int, K: int = 2, seed: int = 0, change: float = 0.3) -> np.ndarray:
    """Correlations ``(K, p, p)`` of ``n`` draws from graphs that share most edges."""
    rng = np.random.default_rng(seed)
    common = np.triu(rng.choice([-1.0, 1.0], (p, p)) * (rng.random((p, p)) < 2 / p), 1)
    stack = []
    for _ in range(K):
        own = np.triu(rng.choice([-1.0, 1.0], (p, p)) * (rng.random((p, p)) < 1 / p), 1)
        precision = definite(common + change * own, 0.7)
        draws = rng.standard_normal((n, p)) @ np.linalg.inv(np.linalg.cholesky(precision))
        stack.append(np.corrcoef(draws.T))
    return np.asarray((np.stack(stack) + np.stack(stack).transpose(0, 2, 1)) / 2)


def reference_penalty(x: Sequence[float] | np.ndarray, lambda1: float, lambda2: float, penalty: str) -> float:
    """The penalty of one pair of neurons in K corpora."""
    if penalty == "group":
        return float(lambda1 * sum(abs(each) for each in x) + lambda2 * np.sqrt(sum(each**2 for each in x)))
    return float(lambda1 * sum(abs(each) for each in x) + lambda2 * sum(abs(b - a) for a, b in pairwise(x)))


def reference_objective(
    precisions: np.ndarray,
    S: Sequence[np.ndarray] | np.ndarray,
    lambda1: float,
    lambda2: float,
    penalty: str,
    weights: Sequence[float] | np.ndarray,
) -> float:
    """The objective term by term, from eigenvalues."""
    K, p = len(S), len(S[0])
    value = 0.0
    for k in range(K):
        value += weights[k] * (np.trace(S[k] @ precisions[k]) - np.log(np.linalg.eigvalsh(precisions[k])).sum())
    for i in range(p):
        for j in range(p):
            if i != j:
                value += reference_penalty([precisions[k][i, j] for k in range(K)], lambda1, lambda2, penalty)
    return float(value)


def reference_optimum(
    S: np.ndarray,
    lambda1: float,
    lambda2: float,
    penalty: str,
    weights: Sequence[float] | np.ndarray,
    steps: int = 4000,
) -> float:
    """The optimum from below, for definite S: projected gradient on the dual, with its variables apart.

    The bound on what every pair may move by is written as the sum of a box and of what lambda2 alone allows: for the
    group penalty a ball, for the fused one differences of neighbours within a box.
    """
    K, p = len(S), len(S[0])
    rows, cols = np.triu_indices(p, 1)
    weights = np.asarray(weights, dtype=float)
    differences = np.diff(np.eye(K), axis=0)  # (K - 1, K)

    def moved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        u = a + (b if penalty == "group" else differences.T @ b)
        W = np.array(S, dtype=float)
        W[:, rows, cols] += u / weights[:, None]
        W[:, cols, rows] = W[:, rows, cols]
        return W

    def value(a: np.ndarray, b: np.ndarray) -> float:
        W = moved(a, b)
        if min(np.linalg.eigvalsh(each)[0] for each in W) <= 0:
            return -np.inf
        return float(weights @ np.linalg.slogdet(W)[1])

    def slopes(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope = 2 * np.linalg.inv(moved(a, b))[:, rows, cols]
        return slope, slope if penalty == "group" else differences @ slope

    def allowed(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = np.clip(a, -lambda1, lambda1)
        if penalty == "group":
            return a, b / np.maximum(np.linalg.norm(b, axis=0) / lambda2, 1)
        return a, np.clip(b, -lambda2, lambda2)

    a = np.zeros((K, len(rows)))
    b = np.zeros((K if penalty == "group" else K - 1, len(rows)))
    best, size = value(a, b), 1.0
    for _ in range(steps):
        slope_a, slope_b = slopes(a, b)
        while True:
            new_a, new_b = allowed(a + size * slope_a, b + size * slope_b)
            step = [new_a - a, new_b - b]
            squared = float((step[0] ** 2).sum() + (step[1] ** 2).sum())
            found = value(new_a, new_b)
            enough = best + float((slope_a * step[0]).sum() + (slope_b * step[1]).sum()) - squared / (2 * size)
            if found >= enough - 1e-14 * abs(best) or size < 1e-12:
                break
            size /= 2
        gain, best = found - best, found
        a, b = new_a, new_b
        if squared < 1e-24 or gain < 1e-15:
            break
        size *= 1.5
    return best + p * float(weights.sum())
