"""Problems that every solver has to solve, and a certificate written independently of the package's."""

from __future__ import annotations

import numpy as np


def sample_correlation(precision: np.ndarray, n: int, seed: int, heavy_tails: bool = False) -> np.ndarray:
    """The correlation matrix of ``n`` draws from the Gaussian with this precision."""
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((n, len(precision))) @ np.linalg.inv(np.linalg.cholesky(precision))
    if heavy_tails:
        draws *= np.sqrt(5 / rng.chisquare(5, size=(n, 1)))
    return np.asarray(np.corrcoef(draws.T))


def definite(adjacency: np.ndarray, strength: float) -> np.ndarray:
    """A positive definite matrix with the pattern and signs of ``adjacency``."""
    weighted = strength * (adjacency + adjacency.T) / 2
    return np.asarray(weighted + (0.2 - np.linalg.eigvalsh(weighted)[0]) * np.eye(len(weighted)))


def hub(p: int = 40) -> np.ndarray:
    adjacency = np.zeros((p, p))
    for start in range(0, p, 10):
        adjacency[start, start + 1 : start + 10] = 1
    return definite(adjacency, 0.6)


def band(p: int = 40) -> np.ndarray:
    return definite(np.eye(p, k=1) - 0.5 * np.eye(p, k=2), 0.6)


def chain(p: int = 40) -> np.ndarray:
    return definite(np.eye(p, k=1), 0.9)


def random_graph(p: int = 40, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(p, p)) * (rng.random((p, p)) < 0.08)
    return definite(np.triu(signs, 1), 0.7)


def cluster(p: int = 40) -> np.ndarray:
    inside = np.kron(np.eye(4), np.ones((p // 4, p // 4)))
    return definite(np.triu(random_graph(p, 5) * inside + 0.2 * inside, 1), 0.8)


def neuron_like(p: int = 40, n: int = 800, seed: int = 7) -> np.ndarray:
    """The correlation of a sparse graph plus shared factors, with heavy tails: ill-conditioned."""
    rng = np.random.default_rng(seed)
    factors = 0.5 * rng.standard_normal((p, 2))
    covariance = np.linalg.inv(random_graph(p)) + factors @ factors.T
    return sample_correlation(np.linalg.inv(covariance), n, seed, heavy_tails=True)


def rank_deficient(p: int = 40, n: int = 15, seed: int = 11) -> np.ndarray:
    return np.asarray(np.corrcoef(np.random.default_rng(seed).standard_normal((n, p)).T))


PROBLEMS: dict[str, tuple[np.ndarray, float]] = {
    "hub": (sample_correlation(hub(), 400, 1), 0.08),
    "band": (sample_correlation(band(), 400, 2), 0.1),
    "cluster": (sample_correlation(cluster(), 400, 3), 0.1),
    "random": (sample_correlation(random_graph(), 400, 4), 0.05),
    "chain": (sample_correlation(chain(), 400, 5), 0.05),
    "neuron-like": (neuron_like(), 0.1),
    "rank-deficient": (rank_deficient(), 0.3),
    "dense": (neuron_like(), 0.02),
    "two components": (np.kron(np.eye(2), sample_correlation(hub(20), 300, 6)), 0.1),
}


def penalties(alpha: float | np.ndarray, p: int) -> np.ndarray:
    if isinstance(alpha, np.ndarray):
        return alpha
    return alpha * (1 - np.eye(p))


def reference_objective(precision: np.ndarray, S: np.ndarray, alpha: float | np.ndarray) -> float:
    """The objective term by term, from eigenvalues."""
    p = len(S)
    weights = penalties(alpha, p)
    value = -float(np.log(np.linalg.eigvalsh(precision)).sum())
    for i in range(p):
        for j in range(p):
            value += S[i, j] * precision[j, i]
            if precision[i, j] != 0:
                value += weights[i, j] * abs(precision[i, j])
    return value


def reference_kkt(precision: np.ndarray, S: np.ndarray, alpha: float | np.ndarray) -> float:
    """The distance of zero from the subdifferential, entry by entry, from a general inverse."""
    p = len(S)
    weights, gradient = penalties(alpha, p), S - np.linalg.inv(precision)
    worst = 0.0
    for i in range(p):
        for j in range(p):
            if precision[i, j] != 0:
                violation = abs(gradient[i, j] + weights[i, j] * np.sign(precision[i, j]))
            else:
                violation = max(0.0, abs(gradient[i, j]) - weights[i, j])
            worst = max(worst, float(violation))
    return worst


def reference_bound(precision: np.ndarray, S: np.ndarray, alpha: float | np.ndarray) -> float:
    """A lower bound on every objective, from a dual point found by halving towards S.

    Weak duality alone makes it a bound, however the point was found; its feasibility is asserted.
    """
    p = len(S)
    weights = penalties(alpha, p)
    start = S + np.diag(np.diag(weights))
    step = np.clip(np.linalg.inv(precision) - start, -weights, weights)
    np.fill_diagonal(step, 0.0)
    while np.linalg.eigvalsh(start + step)[0] <= 1e-12:
        step /= 2
        assert np.abs(step).max() > 1e-9, "no bound along this line"
    dual = start + step
    assert (np.abs(dual - start) <= weights + 1e-15).all()
    return float(np.linalg.slogdet(dual)[1]) + p
