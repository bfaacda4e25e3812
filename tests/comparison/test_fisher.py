"""All pairs compiled, against the formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.comparison.fisher import fisher, slope, standardised
from glasso_cli.engine.threads import numba_limited

P = 9


@pytest.mark.parametrize("rows", [2, 4, P])
def test_differences_of_all_pairs_are_those_of_the_formula(rows: int) -> None:
    random = np.random.default_rng(rows)
    before, after = random.uniform(-0.2, 0.2, (2, P, P))
    before[0, 1:5] = 0.999, 1.0, -1.0, 0.1
    after[0, 1:5] = -0.999, -1.0, -1.0, 0.1 + 1e-12
    taus = random.uniform(0.5, 3, (2, P, P))
    z, bar = np.full((2, P * (P - 1) // 2), np.nan)
    with numba_limited():
        for start in range(0, P, rows):
            one, other = taus[:, start : start + rows, start:]
            standardised(before, after, one, other, 0.01, 0.02, start, 0.02, z, bar)
    pairs = np.triu_indices(P, 1)
    error = np.sqrt(0.01 * taus[0][pairs] + 0.02 * taus[1][pairs])
    change = fisher(after[pairs]) - fisher(before[pairs])
    np.testing.assert_allclose(z, change / error, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(bar, 0.02 * slope(change, before[pairs], after[pairs]) / error, rtol=1e-6)
