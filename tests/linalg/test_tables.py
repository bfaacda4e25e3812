from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.linalg.tables import Table

TABLE = Table.of(np.square, -2.0, 3.0, 11)


def test_it_is_linear_between_knots_and_level_beyond_them() -> None:
    x = np.linspace(-4, 5, 1001)
    knots = np.linspace(-2.0, 3.0, 11)
    np.testing.assert_allclose(TABLE.at(x), np.interp(x, knots, knots**2), rtol=1e-12)


@pytest.mark.parametrize("shape", [(0,), (2, 3), (3, 1, 2)])
def test_values_have_the_shape_of_what_is_looked_up(shape: tuple[int, ...]) -> None:
    assert TABLE.at(np.ones(shape)).shape == shape
    assert (TABLE.at(np.ones(shape)) == 1).all()


def test_what_is_no_number_stays_none() -> None:
    assert np.isnan(TABLE.at(np.array([np.nan, 1.0]))).tolist() == [True, False]
