from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.planted import chain

from glasso_cli.linalg.cholesky import factorise


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("m", [1, 3, 9])
def test_the_end_of_a_factor_gives_that_of_the_inverse(m: int, dtype: Any, rtol: float) -> None:
    random = np.random.default_rng(0).standard_normal((40, 9))
    matrix = chain(9) + random.T @ random / 40
    factor = factorise(matrix, dtype)
    assert factor is not None
    found = factor.last_of_inverse(m)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, np.linalg.inv(matrix)[-m:, -m:], rtol=rtol)
