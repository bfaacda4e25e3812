"""The Hessian of what is left when L gives way, against differences of gradients."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.solvers.latent.place import FactorPlace
from glasso_cli.solvers.newton.free_set import symmetric


@pytest.mark.parametrize("weight", [0.2, 0.5, 100.0])
def test_products_are_derivatives_of_the_gradient(weight: float) -> None:
    p, random = 70, np.random.default_rng(0)
    S = np.corrcoef((random.standard_normal((200, p)) + random.standard_normal((200, 2)) @ np.ones((2, p))).T)
    place = FactorPlace(S, np.full(p, weight))
    Theta = np.diag(random.uniform(1.5, 2, p))
    Theta[0, 1:6] = Theta[1:6, 0] = 0.1
    rows, cols = (ends.astype(np.int32) for ends in np.nonzero(np.triu(Theta)))
    factor = place.factorise(Theta, np.float64)
    assert factor is not None
    products = place.products(p)
    inverse = factor.inverse()
    products.load(inverse)
    assert (inverse.rank > 0) == (weight < 100)

    step = random.standard_normal(len(rows))
    D = np.zeros((p, p))
    D[rows, cols] = D[cols, rows] = step
    size = 1e-5
    after, before = (place.factorise(Theta + sign * size * D, np.float64) for sign in (1, -1))
    assert after is not None
    assert before is not None
    change = (before.inverse().matrix - after.inverse().matrix) / (2 * size)

    pattern = symmetric(rows, cols, p)
    np.testing.assert_allclose(products.product(pattern, rows, cols, step), change[rows, cols], rtol=2e-3, atol=2e-5)
    whole = inverse.matrix @ D @ inverse.matrix
    surplus = products.surplus(pattern, rows, cols, step)
    if surplus is None:
        np.testing.assert_allclose(change, whole, atol=1e-6)
    else:
        np.testing.assert_allclose(whole[rows, cols] - surplus, change[rows, cols], rtol=2e-3, atol=2e-5)
    vectors = random.standard_normal((p, 3)).astype(np.float32)
    np.testing.assert_allclose(products.times(vectors), np.linalg.solve(Theta, vectors), atol=1e-4)
