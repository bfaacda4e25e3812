"""Documents whose neurons have a known graph, as blocks."""

from __future__ import annotations

import numpy as np

from glasso_cli.inference.blocks import Blocks
from glasso_cli.linalg.moments import pack_upper


def chain(p: int, strength: float = 0.3) -> np.ndarray:
    """The precision ``(p, p)`` of a chain: neuron i depends on i - 1 and i + 1 only."""
    return np.eye(p) + strength * (np.eye(p, k=1) + np.eye(p, k=-1))


def documents(precision: np.ndarray, count: int, length: int, ar: float = 0.0, seed: int = 0) -> np.ndarray:
    """``count`` documents of stationary AR(1) tokens, ``(count, length, p)``."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((count, length, len(precision)))
    for t in range(1, length):
        steps[:, t] = ar * steps[:, t - 1] + np.sqrt(1 - ar**2) * steps[:, t]
    return np.asarray(steps @ np.linalg.cholesky(np.linalg.inv(precision)).T)


def blocks_of(tokens: np.ndarray, count: int = 16, neurons: np.ndarray | None = None) -> Blocks:
    """Document i goes to block i mod ``count``."""
    p = tokens.shape[2]
    parts = [tokens[index::count].reshape(-1, p) for index in range(count)]
    packed = np.stack([pack_upper(part.T @ part) for part in parts])
    sums = np.stack([part.sum(axis=0) for part in parts])
    chosen = np.arange(p) if neurons is None else neurons
    return Blocks.of(np.array([len(part) for part in parts]), sums, packed, chosen)


def rows_of(tokens: np.ndarray, blocks: list[int], count: int = 16) -> np.ndarray:
    """The tokens of chosen blocks, ``(n, p)``."""
    return np.concatenate([tokens[index::count].reshape(-1, tokens.shape[2]) for index in blocks])


def autocorrelation(tokens: np.ndarray, lags: int = 16) -> np.ndarray:
    """Within documents at lags 1 to L, ``(p, L)``."""
    centred = tokens - tokens.mean(axis=(0, 1))
    variance = (centred**2).mean(axis=(0, 1))
    kept = range(1, min(lags, tokens.shape[1] - 1) + 1)
    return np.stack([(centred[:, k:] * centred[:, :-k]).mean(axis=(0, 1)) / variance for k in kept], axis=1)
