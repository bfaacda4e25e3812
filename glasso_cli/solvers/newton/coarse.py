"""What the preconditioner X -> Theta X Theta misses: the few directions in which the Hessian is largest.

Where entries are fixed at zero, Theta X Theta is only part of the inverse of the Hessian, and the two differ most along the
leading eigenvectors u_a of W: the share of the Hessian on P_ab = u_a u_b' + u_b u_a', restricted to the free entries, is
lambda_a lambda_b. With D the diagonal of the preconditioner M as a stand-in for M itself, Woodbury's formula inverts
D^-1 + P L P'. Its symmetric square root B, for which B D B' is that inverse, turns M into B M B', which is positive
definite whatever the errors of the stand-in. A product with P or P' costs one pass over the free entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from glasso_cli.solvers.newton.place import Times

RANK = 12  # eigenvectors: 78 pairs of them
_BATCH = 4096  # entries at a time
_SMALLEST = 4 * RANK  # neurons below which it is not worth it
_POWERS = (6, 2)  # products with W to find the eigenvectors: at first, and from those of the step before


class Leading:
    """The leading eigenvectors of a W that changes from step to step."""

    def __init__(self, p: int) -> None:
        self._p = p
        self._vectors: np.ndarray | None = None

    def of(self, times: Times) -> tuple[np.ndarray, np.ndarray] | None:
        """Eigenvalues ``(RANK,)`` and vectors ``(p, RANK)``; None for few neurons.

        ``times`` gives W V for V ``(p, k)`` float32.
        """
        if self._p < _SMALLEST:
            return None
        powers = _POWERS[self._vectors is not None]
        start = np.random.default_rng(0).standard_normal((self._p, RANK))
        vectors = (start if self._vectors is None else self._vectors).astype(np.float32)
        for _ in range(powers):
            vectors = np.linalg.qr(times(vectors))[0]
        small = (vectors.T @ times(vectors)).astype(np.float64)
        values, turn = np.linalg.eigh((small + small.T) / 2)
        self._vectors = vectors.astype(np.float64) @ turn
        return np.maximum(values, 1e-6), self._vectors


@dataclass(frozen=True, eq=False)
class Coarse:
    """B = I - D P K P' on m entries of the upper triangle."""

    rows: np.ndarray  # (m,) int32
    cols: np.ndarray  # (m,) int32
    vectors: np.ndarray  # (p, RANK)
    diagonal: np.ndarray  # (m,), D
    small: np.ndarray  # (k, k), K
    threads: int

    @classmethod
    def of(
        cls,
        leading: tuple[np.ndarray, np.ndarray],
        rows: np.ndarray,
        cols: np.ndarray,
        diagonal: np.ndarray,
        threads: int,
    ) -> Coarse:
        """For entries ``rows, cols`` on which the preconditioner has about this ``diagonal``."""
        values, vectors = leading
        first, second = _PAIRS
        size = np.where(first == second, 1.0, 2.0) * values[first] * values[second]
        weight = np.sqrt(np.where(rows == cols, 1.0, 2.0) * diagonal)
        gram = _gram(rows, cols, vectors.astype(np.float32), weight.astype(np.float32)).astype(np.float64)
        # K solves 2 K - K G K = (L^-1 + G)^-1, by the eigenvectors of G^1/2 (L^-1 + G)^-1 G^1/2
        spread, basis = np.linalg.eigh(gram)
        root = np.sqrt(np.maximum(spread, 1e-8 * spread[-1]))
        up, down = (basis * root) @ basis.T, (basis / root) @ basis.T
        share = up @ np.linalg.inv(np.diag(1 / size) + up @ up) @ up
        kept, turn = np.linalg.eigh((share + share.T) / 2)
        turn = down @ turn
        small = (turn * (1 - np.sqrt(np.clip(1 - kept, 0.0, 1.0)))) @ turn.T
        return cls(rows, cols, vectors, diagonal, small, threads)

    def on(self, some: np.ndarray) -> Coarse:
        """The same on some of the entries."""
        return Coarse(self.rows[some], self.cols[some], self.vectors, self.diagonal[some], self.small, self.threads)

    def before(self, x: np.ndarray) -> np.ndarray:
        """B' x, what M is applied to."""
        return np.asarray(x - self._spread(self.small @ self._gather(self.diagonal * x)))

    def after(self, x: np.ndarray) -> np.ndarray:
        """B x, what becomes of the result of M."""
        return np.asarray(x - self.diagonal * self._spread(self.small @ self._gather(x)))

    def _gather(self, x: np.ndarray) -> np.ndarray:
        """P' x: u_a' X u_b for every pair, X symmetric with entries x."""
        full = _restrict(self.rows, self.cols, self.vectors, x, self.threads).sum(0)
        return np.asarray(((full + full.T) / 2)[_PAIRS])

    def _spread(self, weights: np.ndarray) -> np.ndarray:
        """P c: the entries of sum_ab c_ab (u_a u_b' + u_b u_a') / 2."""
        mix = np.zeros((RANK, RANK))
        mix[_PAIRS] = weights
        mix = (mix + mix.T) / 2
        return entries(self.rows, self.cols, self.vectors @ mix, self.vectors)


_PAIRS = np.triu_indices(RANK)


def _gram(rows: np.ndarray, cols: np.ndarray, U: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """P' D P ``(k, k)`` float32, for the square roots ``weight`` of D, where an entry off the diagonal counts twice."""
    first, second = _PAIRS
    total = np.zeros((len(first), len(first)), dtype=np.float32)
    pairs = np.empty((min(len(rows), _BATCH), len(first)), dtype=np.float32)
    for start in range(0, len(rows), _BATCH):
        some = slice(start, start + _BATCH)
        batch = pairs[: len(rows[some])]
        _scaled_pairs(rows[some], cols[some], U, weight[some], first, second, batch)
        total += batch.T @ batch
    return total


@njit(parallel=True, cache=True)
def _scaled_pairs(
    rows: np.ndarray,
    cols: np.ndarray,
    U: np.ndarray,
    weight: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    out: np.ndarray,
) -> None:
    """Rows of P ``(m, k)``, each times its weight."""
    for e in prange(len(rows)):
        a, b, half = U[rows[e]], U[cols[e]], np.float32(0.5) * weight[e]
        for c in range(len(first)):
            out[e, c] = half * (a[first[c]] * b[second[c]] + a[second[c]] * b[first[c]])


@njit(parallel=True, fastmath=True, cache=True)
def _restrict(rows: np.ndarray, cols: np.ndarray, U: np.ndarray, x: np.ndarray, threads: int) -> np.ndarray:
    """U' X U for the upper triangle X counted twice off the diagonal, the part of every thread apart."""
    m, r = len(rows), U.shape[1]
    out = np.zeros((threads, r, r))
    chunk = (m + threads - 1) // threads
    for thread in prange(threads):
        total = np.zeros((r, r))
        gathered = np.zeros(r)
        e, stop = thread * chunk, min(m, thread * chunk + chunk)
        while e < stop:
            i = rows[e]
            for b in range(r):
                gathered[b] = 0.0
            while e < stop and rows[e] == i:
                value = x[e] if cols[e] == i else 2.0 * x[e]
                uj = U[cols[e]]
                for b in range(r):
                    gathered[b] += value * uj[b]
                e += 1
            for a in range(r):
                for b in range(r):
                    total[a, b] += U[i, a] * gathered[b]
        for a in range(r):
            for b in range(r):
                out[thread, a, b] = total[a, b]
    return out


@njit(parallel=True, fastmath=True, cache=True)
def entries(rows: np.ndarray, cols: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Entries of left right', for factors ``(p, k)``."""
    out = np.empty(len(rows))
    for e in prange(len(rows)):
        a, b = left[rows[e]], right[cols[e]]
        s = 0.0
        for t in range(len(a)):
            s += a[t] * b[t]
        out[e] = s
    return out
