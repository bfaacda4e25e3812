"""The curbed Hessian: where a step would shrink Theta too much, and only there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from glasso_cli.solvers.newton.curb import excess


def problem(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A Theta, and a step with these eigenvalues relative to it, the others being small."""
    rng = np.random.default_rng(seed)
    p = 60
    root = np.linalg.qr(rng.standard_normal((p, p)))[0] * np.geomspace(0.3, 3, p)
    basis = np.linalg.qr(rng.standard_normal((p, p)))[0]
    nu = np.concatenate([values, rng.uniform(-0.1, 0.1, p - len(values))])
    return root @ root.T, root @ (basis * nu) @ basis.T @ root.T


def curbed(Theta: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    W = np.linalg.inv(Theta)
    left, right = excess(W.astype(np.float32).__matmul__, csr_array(step), csr_array(Theta))
    return W, W + left @ right.T, left.shape[1]


def test_a_harmless_step_is_left_alone() -> None:
    _, _, count = curbed(*problem([0.9, -0.3]))
    assert count == 0


def test_curvature_grows_by_one_minus_nu_along_a_step_that_shrinks_too_much() -> None:
    values = np.array([-3.0, -1.5])
    Theta, step = problem(values)
    _, V, count = curbed(Theta, step)
    assert count == 2
    ratios = np.linalg.eigvals(V @ Theta).real
    assert_allclose(np.sort(ratios)[-2:], np.sort(np.sqrt(1 - values)), rtol=1e-3)
    assert_allclose(np.sort(ratios)[:-2], 1.0, atol=1e-3)
    assert_allclose(V, V.T, atol=1e-4)


def test_one_number_goes_to_its_minimum() -> None:
    """-log(theta) + s theta from theta = 1: Newton's step is 1 - s, the curbed one ends at 1 / s."""
    s = 4.0
    _, V, count = curbed(np.eye(1), np.array([[1 - s]]))
    assert count == 1
    assert_allclose(1 + (1 - s) / V[0, 0] ** 2, 1 / s, rtol=1e-5)


def test_the_same_input_gives_the_same_bytes() -> None:
    W, step = np.eye(40, dtype=np.float32), csr_array(np.diag(np.linspace(-2, 1, 40)))
    first, second = (excess(W.__matmul__, step, csr_array(np.eye(40))) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
