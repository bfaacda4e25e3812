"""The coarse correction of the preconditioner against its definition by dense algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from glasso_cli.solvers.newton.coarse import RANK, Coarse, Leading

Setting = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def setting() -> Setting:
    rng = np.random.default_rng(3)
    p = 90
    factors = rng.standard_normal((p, RANK))
    W = factors @ factors.T + np.eye(p)
    upper = np.triu(rng.random((p, p)) < 0.2) | np.eye(p, dtype=bool)
    rows, cols = (index.astype(np.int32) for index in np.nonzero(upper))
    diagonal = rng.uniform(0.5, 2.0, len(rows))
    leading = Leading(p).of(W.astype(np.float32).__matmul__)
    assert leading is not None
    return W, rows, cols, diagonal, leading


def dense(setting: Setting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P ``(m, k)`` and its sizes L ``(k,)``, and how often an entry stands in the matrix ``(m,)``."""
    _, rows, cols, _, (values, vectors) = setting
    first, second = np.triu_indices(RANK)
    P = (vectors[rows][:, first] * vectors[cols][:, second] + vectors[rows][:, second] * vectors[cols][:, first]) / 2
    L = np.where(first == second, 1.0, 2.0) * values[first] * values[second]
    return P, L, np.where(rows == cols, 1.0, 2.0)


def test_leading_vectors_are_those_of_the_largest_eigenvalues(setting: Setting) -> None:
    W, (values, vectors) = setting[0], setting[4]
    assert_allclose(values, np.linalg.eigvalsh(W)[-RANK:], rtol=1e-3)
    assert_allclose(vectors.T @ vectors, np.eye(RANK), atol=1e-5)


def test_there_are_none_for_few_neurons() -> None:
    assert Leading(3 * RANK).of(np.eye(3 * RANK, dtype=np.float32).__matmul__) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_b_d_b_inverts_d_inverse_plus_the_leading_part(setting: Setting, threads: int) -> None:
    _, rows, cols, diagonal, leading = setting
    coarse = Coarse.of(leading, rows, cols, diagonal, threads)
    P, L, times = dense(setting)
    # all in the inner product that counts an entry off the diagonal twice
    hessian = np.diag(1 / diagonal) + (P * L) @ (P * times[:, None]).T
    x = np.random.default_rng(0).standard_normal(len(rows))
    found = coarse.after(diagonal * coarse.before(x))
    assert_allclose(hessian @ found, x, atol=2e-3 * np.abs(x).max())


def test_it_is_the_adjoint_of_itself(setting: Setting) -> None:
    _, rows, cols, diagonal, leading = setting
    coarse = Coarse.of(leading, rows, cols, diagonal, 2)
    times = dense(setting)[2]
    x, y = np.random.default_rng(1).standard_normal((2, len(rows)))
    assert_allclose((times * coarse.after(x) * y).sum(), (times * x * coarse.before(y)).sum(), rtol=1e-9)
