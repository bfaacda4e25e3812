from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from glasso_cli.inference.false_discovery import pair_places, q_values


@pytest.mark.parametrize("m", [1, 2, 50, 1000])
def test_q_values_are_those_of_scipy(m):
    random = np.random.default_rng(m)
    p_values = random.uniform(size=m) ** 3
    p_values[random.integers(m, size=m // 4)] = p_values[0]
    np.testing.assert_allclose(q_values(p_values), false_discovery_control(p_values), rtol=1e-12)


def test_of_nothing_there_are_none():
    assert q_values(np.empty(0)).shape == (0,)


def test_zero_and_one_stay_what_they_are():
    assert q_values(np.array([0.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("p", [2, 3, 11])
def test_pairs_are_counted_row_by_row(p):
    rows, cols = np.triu_indices(p, 1)
    assert pair_places(rows.astype(np.int32), cols.astype(np.int32), p).tolist() == list(range(len(rows)))
