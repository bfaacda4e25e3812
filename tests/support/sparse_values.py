"""Latents that are mostly zero, of which pairs depend on each other, as dense tokens and as the sparse engine takes them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.inference.sparse.values import SparseValues

BLOCKS = 8


def latents(p: int, documents: int = 96, length: int = 40, rate: float = 0.1, seed: int = 0) -> np.ndarray:
    """``(documents, length, p)`` float32: chains of three neurons that are often active together."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((documents, length, p))
    for first in range(0, p // 2, 3):
        for j in (first + 1, first + 2):
            steps[..., j] = 0.75 * steps[..., j - 1] + np.sqrt(1 - 0.75**2) * steps[..., j]
    threshold = np.quantile(steps.reshape(-1, p), 1 - rate, axis=0)
    return np.asarray(np.maximum(steps - threshold, 0), dtype=np.float32)


def block_of_tokens(tokens: np.ndarray, blocks: int = BLOCKS) -> np.ndarray:
    """The block of every token of ``(D, T, p)``: document i is in block i mod ``blocks``."""
    return np.repeat(np.arange(len(tokens)) % blocks, tokens.shape[1])


def sparse_values(tokens: np.ndarray, blocks: int = BLOCKS) -> SparseValues:
    """The standardised values of ``tokens (D, T, p)``."""
    flat = csr_array(tokens.reshape(-1, tokens.shape[2]))
    return SparseValues.of(flat, block_of_tokens(tokens, blocks)).standardised()
