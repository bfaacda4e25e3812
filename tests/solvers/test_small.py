"""Compiled descent for a few neurons has the answers of the other solvers, and their certificate."""

from __future__ import annotations

import numpy as np
import pytest
from support.glasso_problems import band, chain, hub, reference_kkt, sample_correlation

from glasso_cli.solvers import solve
from glasso_cli.solvers.small import solve_small

PROBLEMS = {
    "band": sample_correlation(band(12), 300, 1),
    "hub": sample_correlation(hub(20), 300, 2),
    "chain": sample_correlation(chain(40), 100, 3),
    "few samples": sample_correlation(band(30), 12, 4),
    "pair": np.array([[1.0, -0.6], [-0.6, 1.0]]),
    "in other units": sample_correlation(band(12), 300, 1) * np.multiply.outer(*2 * [np.linspace(0.5, 3, 12)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize("name", PROBLEMS)
def test_it_finds_the_optimum(name: str, alpha: float) -> None:
    S = PROBLEMS[name]
    found, expected = solve_small(S, alpha, 1e-9), solve(S, alpha, tol=1e-10)
    assert found is not None
    assert found.duality_gap <= 1e-9
    assert reference_kkt(found.precision, S, alpha) <= 1e-4
    np.testing.assert_allclose(found.precision, expected.precision, atol=2e-4)
    assert (found.precision == found.precision.T).all()


def test_a_pair_in_closed_form() -> None:
    found = solve_small(PROBLEMS["pair"], 0.1, 1e-12)
    assert found is not None
    np.testing.assert_allclose(found.precision, np.linalg.inv([[1, -0.5], [-0.5, 1]]), rtol=1e-10)


def test_components_within_stay_apart() -> None:
    S = np.eye(5)
    S[0, 1] = S[1, 0] = 0.5
    S[3, 4] = S[4, 3] = -0.4
    S[1, 3] = S[3, 1] = 0.05
    found = solve_small(S, 0.1, 1e-9)
    assert found is not None
    np.testing.assert_array_equal(found.precision != 0, (np.abs(S) > 0.1))


def test_what_is_not_solved_is_none() -> None:
    nearly_equal = np.full((6, 6), 1 - 1e-9) + 1e-9 * np.eye(6)
    assert solve_small(nearly_equal, 1e-9, 1e-14) is None
