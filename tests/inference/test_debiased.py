from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from glasso_cli.engine import threads
from glasso_cli.inference.debiased import debiased, sandwich


def problem(p: int, seed: int = 0) -> tuple[csr_array, np.ndarray]:
    random = np.random.default_rng(seed)
    upper = random_array((p, p), density=0.1, rng=random)
    theta = csr_array(upper + upper.T + csr_array(np.diag(np.full(p, 3.0))))
    return theta, np.asarray(np.corrcoef(random.standard_normal((p, 4 * p))))


@pytest.mark.parametrize("p", [1, 2, 17, 128, 131, 300])
def test_it_is_the_formula_with_dense_matrices(p: int) -> None:
    theta, S = problem(p) if p > 1 else (csr_array([[2.0]]), np.eye(1))
    dense = theta.toarray()
    found = debiased(theta, S)
    np.testing.assert_allclose(found, 2 * dense - dense @ S @ dense, atol=1e-12)
    assert (found == found.T).all()


def test_rows_of_theta_give_their_part_of_the_product() -> None:
    theta, S = problem(90)
    rows = np.array([3, 50, 89])
    np.testing.assert_allclose(sandwich(theta[rows], S), (theta @ S @ theta)[np.ix_(rows, rows)], atol=1e-12)


def test_the_inverse_is_its_own_debiased_estimate() -> None:
    _, S = problem(20)
    theta = np.linalg.inv(S)
    np.testing.assert_allclose(debiased(csr_array(theta), S), theta, atol=1e-9)


def test_the_number_of_threads_does_not_change_the_bytes() -> None:
    theta, S = problem(300)
    whole = debiased(theta, S).tobytes()
    with threads.limited(1):
        assert debiased(theta, S).tobytes() == whole
