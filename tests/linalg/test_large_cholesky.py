"""Factors and inverses in parts are those of LAPACK in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glasso_cli.linalg import cholesky, large_cholesky

KINDS = pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-11), (np.float32, 1e-4)])


def positive(p: int) -> np.ndarray:
    random = np.random.default_rng(p).standard_normal((p + 5, p))
    return np.asarray(random.T @ random / p + np.eye(p))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_cholesky, "LARGEST", 4)


@KINDS
@pytest.mark.parametrize("p", [5, 8, 9, 33, 70])
@pytest.mark.usefixtures("small_parts")
def test_parts_give_the_factor_and_the_inverse_of_the_whole(p: int, dtype: Any, rtol: float) -> None:
    matrix = positive(p)
    factor = cholesky.factorise(matrix, dtype, clean=True)
    assert factor is not None
    assert factor.lower.dtype == dtype
    np.testing.assert_allclose(factor.lower, np.linalg.cholesky(matrix), rtol=rtol, atol=rtol)
    assert factor.log_det == pytest.approx(np.linalg.slogdet(matrix)[1], rel=rtol)
    np.testing.assert_allclose(
        factor.solve(np.eye(p, 3, dtype=dtype)), np.linalg.inv(matrix)[:, :3], rtol=rtol, atol=rtol
    )
    inverse = factor.inverse()
    assert inverse.matrix.dtype == dtype
    np.testing.assert_array_equal(inverse.matrix, inverse.matrix.T)
    np.testing.assert_allclose(inverse.matrix, np.linalg.inv(matrix), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("bad", [0, 3, 17, 39])
@pytest.mark.usefixtures("small_parts")
def test_a_matrix_that_is_not_positive_definite_has_no_factor(bad: int) -> None:
    matrix = positive(40)
    matrix[bad, bad] = -1.0
    assert cholesky.factorise(matrix) is None


@pytest.mark.usefixtures("small_parts")
def test_what_is_above_the_diagonal_is_not_read() -> None:
    matrix = np.asfortranarray(positive(40))
    other = matrix.copy(order="F")
    other[np.triu_indices(40, 1)] = np.nan
    for one in (matrix, other):
        assert large_cholesky.factorise(one)
        large_cholesky.invert(one)
    np.testing.assert_array_equal(np.tril(other), np.tril(matrix))


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4)), np.zeros((4, 3), order="F"), np.zeros((4, 4), np.int64, order="F")]
)
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="is not square, column-major, float32 or float64"):
        large_cholesky.factorise(wrong)
