"""Inverses of sparse matrices against plain dense ones."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from support.planted import chain

from glasso_cli.linalg import cholesky
from glasso_cli.linalg.elimination import factorise, order_of

P = 300


def _sparse(degree: float, hubs: int = 0) -> np.ndarray:
    """A positive definite matrix with ``degree`` random neighbours per variable, and some linked to every second one."""
    random = np.random.default_rng(0)
    matrix = np.where(random.random((P, P)) < degree / P, random.uniform(-1, 1, (P, P)), 0.0)
    matrix[:hubs, ::2] = 0.1
    matrix = np.triu(matrix, 1)
    matrix += matrix.T
    np.fill_diagonal(matrix, np.abs(matrix).sum(axis=1) + random.uniform(0.1, 2, P))
    shuffled = random.permutation(P)
    return np.ascontiguousarray(matrix[np.ix_(shuffled, shuffled)])


MATRICES = {
    "chain": chain(P),
    "sparse": _sparse(2),
    "denser": _sparse(5),
    "hubs": _sparse(1, 3),
    "diagonal": np.diag(np.linspace(0.5, 3, P)),
}


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("name", MATRICES)
def test_the_inverse_and_the_determinant_are_those_of_the_whole(name: str, dtype: Any, rtol: float) -> None:
    matrix = MATRICES[name]
    order = order_of(matrix)
    assert order is not None
    assert len(order.core) < 0.8 * P
    given = matrix.copy()
    factor = factorise(matrix, order, dtype)
    assert factor is not None
    inverse = factor.inverse()
    expected = np.linalg.inv(matrix)
    assert inverse.matrix.dtype == dtype
    assert inverse.log_det == pytest.approx(np.linalg.slogdet(matrix)[1], rel=rtol)
    np.testing.assert_array_equal(inverse.matrix, inverse.matrix.T)
    np.testing.assert_allclose(inverse.matrix, expected, atol=rtol * np.abs(expected).max())
    np.testing.assert_array_equal(matrix, given)


def test_the_inverse_does_not_depend_on_the_threads() -> None:
    order = order_of(MATRICES["denser"])
    assert order is not None
    found, most = [], numba.get_num_threads()
    for threads in (1, most):
        numba.set_num_threads(threads)
        factor = factorise(MATRICES["denser"], order, np.float32)
        assert factor is not None
        found.append(factor.inverse().matrix)
    np.testing.assert_array_equal(found[0], found[1])


def test_neighbours_are_those_left_when_a_variable_is_eliminated() -> None:
    matrix = MATRICES["denser"]
    order = order_of(matrix)
    assert order is not None
    linked = matrix != 0
    left = np.ones(P, dtype=bool)
    for k, variable in enumerate(order.eliminated):
        left[variable] = False
        neighbours = np.flatnonzero(linked[variable] & left)
        np.testing.assert_array_equal(order.neighbours[order.indptr[k] : order.indptr[k + 1]], neighbours)
        linked[np.ix_(neighbours, neighbours)] = True
    np.testing.assert_array_equal(np.flatnonzero(left), order.core)


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan])
@pytest.mark.parametrize("of_core", [False, True])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(value: float, of_core: bool) -> None:
    matrix = MATRICES["denser"].copy()
    order = order_of(matrix)
    assert order is not None
    variable = order.core[-1] if of_core else order.eliminated[10]
    matrix[variable, variable] = value
    assert factorise(matrix, order, np.float64) is None


def test_a_dense_or_small_matrix_has_no_order() -> None:
    assert order_of(np.eye(P) + 0.001) is None
    assert order_of(_sparse(60)) is None
    assert order_of(np.eye(20)) is None


def test_an_order_holds_for_a_matrix_with_fewer_entries() -> None:
    order = order_of(MATRICES["denser"])
    assert order is not None
    factor = factorise(MATRICES["diagonal"], order, np.float64)
    expected = cholesky.invert(MATRICES["diagonal"])
    assert factor is not None
    assert expected is not None
    assert factor.log_det == pytest.approx(expected.log_det)
    np.testing.assert_allclose(factor.inverse().matrix, expected.matrix)
