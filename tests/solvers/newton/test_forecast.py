"""The forecast of the duality gap against the certificate."""

from __future__ import annotations

import numpy as np
import pytest
from support.glasso_problems import PROBLEMS

from glasso_cli.linalg.cholesky import invert
from glasso_cli.solvers import solve
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.newton.forecast import likely_gap
from glasso_cli.solvers.newton.free_set import free_set


@pytest.mark.parametrize("name", ["band", "hub", "cluster"])
@pytest.mark.parametrize("size", [3e-3, 1e-3])
def test_the_forecast_is_the_gap_by_the_first_dual_point_near_the_answer(name: str, size: float) -> None:
    S, alpha = PROBLEMS[name]
    p = len(S)
    Theta = solve(S, alpha, tol=1e-10).precision
    moved = size * np.random.default_rng(0).standard_normal((p, p)) * (Theta != 0)
    Theta = Theta + moved + moved.T
    inverse = invert(Theta)
    assert inverse is not None
    free, _ = free_set(S, inverse.matrix, Theta, np.full((p, p), alpha), 1.0, 0.9)
    proved = p * certificate(Theta, S, alpha, inverse, enough=np.inf).duality_gap  # by the first dual point
    assert proved > 1e-6
    assert likely_gap(free) == pytest.approx(proved, rel=0.1)
