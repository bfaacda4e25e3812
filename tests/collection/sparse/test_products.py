"""Blocks of values that are mostly zero are those that dense sums give."""

from __future__ import annotations

import numpy as np
from support.batches import random_batch

from glasso_cli.collection import pilot
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.block import DenseProducts, Products
from glasso_cli.collection.sparse.products import SparseProducts

LAGS = 5


def test_every_array_is_that_of_dense_sums_with_shifted_neurons_too() -> None:
    batches = [random_batch([17, 9, 9, 3, 1], p=4, seed=seed) for seed in range(4)]
    measured = pilot.measure_sample(batches[0], "none")
    sums: list[Products] = [
        SparseProducts(measured.centre(), LAGS, (3, 1)),
        DenseProducts(measured, Autocorrelation(4, LAGS), (3, 1)),
    ]
    for products in sums:
        for batch in batches:
            products.update(batch, batch.values[batch.kept])
    found, dense = (products.finish() for products in sums)
    assert found.keys() == dense.keys()
    for name, values in dense.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_allclose(found[name], values, rtol=2e-6, atol=2e-5, err_msg=name)
