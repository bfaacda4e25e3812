"""How a Newton step is kept from overshooting: more curvature where it would shrink Theta too much.

Along an eigenvector of the step D relative to Theta, D y = nu Theta y, the objective is that of one number, -log(1 + nu) + g nu.
Newton's model of it ends at nu = 1 - g, which is not even positive definite where g >= 2, and its minimum is at
nu / (1 - nu). The model gives that answer if its curvature there is 1 - nu times as large, so W becomes
W + sum (sqrt(1 - nu) - 1) y y' over the few eigenvectors with a clearly negative nu. They are the ends of the spectrum, where
Lanczos' method converges first.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.solvers.newton.place import Times

_STEPS = 24  # of Lanczos' method
_CLEAR = -0.4  # nu below which a direction is curbed


def excess(times: Times, step: csr_array, Theta: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """``left, right (p, k)`` float32 with W + left right' the curbed W; k may be 0.

    ``times`` gives W V for V ``(p, k)`` float32; ``step`` and ``Theta`` are symmetric.
    """
    values, vectors = _spectrum(times, step, Theta)
    few = values < _CLEAR
    right = vectors[:, few]
    left = right * (np.sqrt(1 - values[few]) - 1)
    return np.ascontiguousarray(left, dtype=np.float32), np.ascontiguousarray(right, dtype=np.float32)


def _spectrum(times: Times, D: csr_array, Theta: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Ritz values and vectors of D y = nu Theta y, the vectors orthonormal in Theta's inner product.

    W D is self-adjoint in it. Two rounds of orthogonalisation: the basis is small.
    """
    y = np.random.default_rng(0).standard_normal(D.shape[0])
    image = Theta @ y
    size = np.sqrt(y @ image)
    basis, images = np.empty((2, _STEPS, len(y)))
    diagonal, beside = [], []
    for k in range(min(_STEPS, len(y))):
        basis[k], images[k] = y / size, image / size
        y = times((D @ basis[k])[:, None].astype(np.float32))[:, 0].astype(np.float64)
        along = images[: k + 1] @ y
        y -= along @ basis[: k + 1]
        y -= (images[: k + 1] @ y) @ basis[: k + 1]
        diagonal.append(along[-1])
        image = Theta @ y
        size = np.sqrt(max(float(y @ image), 0.0))
        beside.append(size)
        if size < 1e-6:
            break
    values, turn = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
    return values, basis[: len(diagonal)].T @ turn
