"""The tests of all pairs of sparse neurons are those of the dense route."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import autocorrelation, blocks_of
from support.sparse_values import BLOCKS, latents, sparse_values

from glasso_cli.errors import InputError
from glasso_cli.inference.edges import EdgeTests, edge_tests
from glasso_cli.inference.estimates import lasso_estimate
from glasso_cli.inference.sparse.edges import sparse_edge_tests
from glasso_cli.inference.sparse.tails import COUNTED
from glasso_cli.solvers.path import fit_from

P = 45
Q_VALUES = {"q", "q_zero"}


def both(tokens: np.ndarray, variance: str, min_effect: float, alpha: float = 0.06) -> tuple[EdgeTests, EdgeTests]:
    """The tests of the dense route and those of the sparse one."""
    blocks = blocks_of(tokens, BLOCKS)
    S, R = blocks.correlation(), autocorrelation(tokens)
    point = fit_from(S, alpha, None)
    theta, pairs = point.precision(), np.triu_indices(tokens.shape[2], 1)
    options = {"variance": variance, "min_effect": min_effect}
    dense = edge_tests(lasso_estimate(theta, S), S, blocks, R, *pairs, **options)  # type: ignore[arg-type]
    return dense, sparse_edge_tests(sparse_values(tokens), theta, R, *pairs, **options)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["auto", "pooled", "normal", "jackknife"])
@pytest.mark.parametrize("min_effect", [0.0, 0.02])
@pytest.mark.parametrize("rate", [0.03, 0.5])
def test_they_are_those_of_the_dense_route(variance: str, min_effect: float, rate: float) -> None:
    dense, sparse = both(latents(P, rate=rate), variance, min_effect)
    for item in fields(EdgeTests):
        expected, found = getattr(dense, item.name), getattr(sparse, item.name)
        if item.name in Q_VALUES:
            small = expected < COUNTED
            np.testing.assert_allclose(found[small], expected[small], rtol=2e-3, err_msg=item.name)
            assert (found >= expected * (1 - 1e-3)).all()
        elif isinstance(expected, str):
            assert found == expected
        else:
            np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5, err_msg=item.name)
    assert dense.variance != "auto"


def test_neurons_that_are_never_active_together_have_an_estimate() -> None:
    """Their product is zero, and their correlation is that of the means alone."""
    tokens = np.zeros((32, 10, 2), np.float32)
    tokens[:, :4, 0] = 1 + np.arange(32)[:, None] % 3
    tokens[:, 4:9, 1] = 2 - np.arange(32)[:, None] % 2
    values = sparse_values(tokens)
    found = sparse_edge_tests(
        values, csr_array(np.eye(2)), np.zeros((2, 1)), np.array([0]), np.array([1]), variance="normal"
    )
    r = np.corrcoef(tokens.reshape(-1, 2).T)[0, 1]
    np.testing.assert_allclose(found.partial_correlation, r, rtol=1e-5)
    assert (found.pairs, found.nonzero) == (1, 1)


def test_no_edge_gives_empty_arrays() -> None:
    none = np.zeros(0, np.int32)
    for variance in ("pooled", "jackknife"):
        found = sparse_edge_tests(
            sparse_values(latents(12)), csr_array(np.eye(12)), np.zeros((12, 1)), none, none, variance=variance
        )
        assert len(found.q) == len(found.z) == 0


def test_few_blocks_and_unknown_variances_are_refused() -> None:
    values, none = sparse_values(latents(6, documents=3), 3), np.zeros(0, np.int32)
    with pytest.raises(InputError, match="needs 4 of them"):
        sparse_edge_tests(values, csr_array(np.eye(6)), np.zeros((6, 1)), none, none)
    with pytest.raises(InputError, match="no variance 'some'"):
        sparse_edge_tests(values, csr_array(np.eye(6)), np.zeros((6, 1)), none, none, variance="some")
