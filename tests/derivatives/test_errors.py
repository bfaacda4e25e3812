"""Standard errors from sums over blocks of documents."""

from __future__ import annotations

import numpy as np

from glasso_cli.derivatives.errors import RootMeanSquares

BLOCKS, TOKENS = 16, 40


def found(squares: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the sums of squares of every block ``(B, n)``."""
    sums = RootMeanSquares(counts, squares.shape[1])
    for block, values in enumerate(squares):
        sums.add(block, values)
    return sums.finish()


def test_errors_are_the_spread_over_other_documents() -> None:
    """Tokens of a document have a scale in common, so that their squares are far from independent."""
    rng = np.random.default_rng(0)
    scales = rng.lognormal(0, 0.5, (BLOCKS, 4, 2_000, 1))  # four documents in each block
    squares = ((scales * rng.standard_normal((BLOCKS, 4, 2_000, TOKENS // 4))) ** 2).sum((1, 3))
    rms, error = found(squares, np.full(BLOCKS, TOKENS))
    assert abs(np.sqrt((error**2).mean()) / rms.std() - 1) < 0.1


def test_blocks_without_tokens_and_blocks_of_zeros() -> None:
    rng = np.random.default_rng(1)
    squares, counts = rng.random((5, 3)), np.array([3, 4, 5, 6, 7])
    squares[:, 2] = 0
    rms, error = found(squares, counts)
    assert (rms[2], error[2]) == (0, 0)
    padded = found(np.concatenate([squares, np.zeros((1, 3))]), np.append(counts, 0))
    np.testing.assert_array_equal(padded, (rms, error))
    np.testing.assert_allclose(found(squares * 4, counts), (2 * rms, 2 * error))
