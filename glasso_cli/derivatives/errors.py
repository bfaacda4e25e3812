"""Standard errors over documents, from sums over the tokens of each block: the jackknife that leaves one block out.

It is that of Busing, Meijer and van der Leeden (1999) for blocks of unequal size.
"""

from __future__ import annotations

import numpy as np

from glasso_cli.inference.jackknife import PseudoValues


def jackknife_weights(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The blocks with tokens, and the weight of each in the variance of a mean: that of its squared distance from the mean."""
    filled = np.flatnonzero(counts)
    share = counts[filled] / counts.sum()
    return filled, share / (1 - share) / len(filled)


def weighted_deviations(counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The blocks with tokens, and of each the root of its jackknife weight times its mean less that of all tokens.

    ``sums (B, …)`` are over the tokens of each block. The squares add up to the squared error of the mean.
    """
    filled, weight = jackknife_weights(counts)
    shape = (-1, *[1] * (sums.ndim - 1))
    differences = sums[filled] / counts[filled].reshape(shape) - sums.sum(0) / counts.sum()
    return filled, differences * np.sqrt(weight).reshape(shape)


class RootMeanSquares:
    """Root mean squares over tokens with their standard errors, as the sums of squares over each block come in.

    The jackknife gives the error of the mean square. That of its root follows by the delta method. No more than a few arrays
    of the given ``shape`` are held, however many blocks there are.
    """

    def __init__(self, counts: np.ndarray, *shape: int) -> None:
        """``counts (B,)`` are the tokens of each block."""
        self._counts, self._tokens = counts, counts.sum()
        self._total = np.zeros(shape)
        self._pseudo = PseudoValues(*shape)

    def add(self, block: int, squares: np.ndarray) -> None:
        """Add the sums of squares over the tokens of one block; one without tokens changes nothing."""
        count = self._counts[block]
        if count:
            self._total += squares
            self._pseudo.add(squares / float(count), float(count / self._tokens))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The root mean squares and their standard errors."""
        rms = np.sqrt(np.maximum(self._total, 0) / max(self._tokens, 1))
        of_square = np.sqrt(np.maximum(self._pseudo.variance(), 0))
        return rms, np.divide(of_square, 2 * rms, out=np.zeros_like(rms), where=rms > 0)
