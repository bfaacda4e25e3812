"""Dense products, whatever the order of their factors in memory."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.linalg.products import multiply


@pytest.mark.parametrize("order", ["CC", "CF", "FC", "FF"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_is_that_of_numpy(order: str, dtype: type[np.floating]) -> None:
    random = np.random.default_rng(0)
    shapes = [(5, 7), (7, 3)]
    rows = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    left, right = (np.asfortranarray(part) if how == "F" else part for part, how in zip(rows, order))
    product = multiply(left, right)
    assert product.dtype == dtype
    assert product.flags.c_contiguous
    np.testing.assert_allclose(product, left @ right, rtol=1e-5)


def test_a_view_with_gaps_is_fine() -> None:
    left = np.arange(40.0).reshape(5, 8)[:, ::2]
    np.testing.assert_allclose(multiply(left, np.eye(4)), left)
