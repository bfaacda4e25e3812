from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from support.glasso_problems import (
    PROBLEMS,
    rank_deficient,
    reference_bound,
    reference_kkt,
    reference_objective,
)

from glasso_cli.errors import InputError
from glasso_cli.linalg.cholesky import factorise, invert, log_det
from glasso_cli.solvers import SOLVERS
from glasso_cli.solvers.base import certified
from glasso_cli.solvers.certificate import certificate, kkt_residual, objective
from glasso_cli.solvers.problem import alpha_max, check_problem

CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module", params=["random", "neuron-like", "rank-deficient"])
def solved(request: pytest.FixtureRequest) -> tuple[np.ndarray, float, np.ndarray]:
    """A problem with its optimum to rounding."""
    S, alpha = PROBLEMS[request.param]
    return S, alpha, SOLVERS["gglasso"](S, alpha, tol=1e-13).precision


def poor_precision(p: int, seed: int) -> np.ndarray:
    """A sparse positive definite matrix that has nothing to do with the problem."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((p, p)) * (rng.random((p, p)) < 0.2)
    symmetric = noise + noise.T
    return np.asarray(symmetric + (rng.uniform(0.01, 3) - np.linalg.eigvalsh(symmetric)[0]) * np.eye(p))


def random_weights(p: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.uniform(0.05, 0.5, size=(p, p)), 1)
    weights[0, 1], weights[0, 2] = 0.0, np.inf
    return np.asarray(weights + weights.T + np.diag(rng.uniform(0, 0.2, size=p)))


def one_entry_off(p: int) -> np.ndarray:
    """The identity but for one entry far from the diagonal: it takes several blocks of rows to find it."""
    matrix = np.eye(p)
    matrix[p - 2, 1] = 0.1
    return matrix


# -- factorisation --------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2, 7, 530])
def test_inverse_and_log_determinant_are_those_of_numpy(p: int) -> None:
    rng = np.random.default_rng(p)
    factor = rng.standard_normal((p, p + 5))
    matrix = factor @ factor.T / p + np.eye(p)
    before = matrix.copy()
    inverse = invert(matrix)
    assert inverse is not None
    np.testing.assert_allclose(inverse.matrix, np.linalg.inv(matrix), rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(inverse.matrix, inverse.matrix.T)
    np.testing.assert_allclose(np.array([inverse.log_det, log_det(matrix)]), np.linalg.slogdet(matrix)[1], rtol=1e-10)
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_given_away_is_factorised_where_it_is(order: Literal["C", "F"]) -> None:
    matrix = np.array(poor_precision(40, 0), order=order)
    expected = log_det(matrix)
    factor = factorise(np.array(matrix), overwrite=True)
    assert factor is not None
    assert factor.log_det == log_det(np.array(matrix), overwrite=True) == expected
    own = np.array(matrix, order="C")
    factor = factorise(own, overwrite=True)
    assert factor is not None
    assert np.shares_memory(factor.lower, own)
    np.testing.assert_array_equal(matrix, poor_precision(40, 0))


@pytest.mark.parametrize("matrix", [np.diag([1.0, -1.0]), np.ones((2, 2)), np.full((2, 2), np.nan)])
def test_what_is_not_positive_definite_has_no_inverse(matrix: np.ndarray) -> None:
    assert invert(matrix) is None
    assert log_det(matrix) == -np.inf


# -- the certificate ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_and_kkt_equal_the_sums_written_out(seed: int, weighted: bool) -> None:
    S, alpha = PROBLEMS["random"]
    p = len(S)
    precision, penalty = poor_precision(p, seed), random_weights(p, seed) if weighted else alpha
    precision[0, 2] = precision[2, 0] = 0.0
    np.testing.assert_allclose(objective(precision, S, penalty), reference_objective(precision, S, penalty), **CLOSE)
    np.testing.assert_allclose(kkt_residual(precision, S, penalty), reference_kkt(precision, S, penalty), **CLOSE)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_units_of_a_certificate_are_those_before_the_scaling(weighted: bool) -> None:
    S, alpha = PROBLEMS["random"]
    p = len(S)
    s = np.random.default_rng(0).uniform(0.01, 100, p)
    units = np.outer(s, s)
    weights = (random_weights(p, 0) if weighted else np.full(S.shape, alpha)) * ~np.eye(p, dtype=bool)
    precision = poor_precision(p, 0)
    given = certificate(precision / units, S * units, weights * units)
    scaled = certificate(precision, S, weights, units=s)
    assert scaled.duality_gap == pytest.approx(given.duality_gap, rel=1e-6)
    assert scaled.kkt_residual == pytest.approx(given.kkt_residual, rel=1e-9)
    assert scaled.objective + 2 * np.log(s).sum() == pytest.approx(given.objective, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.01])
def test_dual_points_in_a_triangle_of_the_inverse_are_those_in_a_copy(
    monkeypatch: pytest.MonkeyPatch, share: float, weighted: bool
) -> None:
    monkeypatch.setattr("glasso_cli.solvers.rows._CACHED", 200)  # several blocks of rows
    S, _ = PROBLEMS["neuron-like"]
    weights = share * (random_weights(len(S), 0) if weighted else 0.9)
    proofs = []
    near, poor = np.linalg.inv(S + 0.1 * np.eye(len(S))), poor_precision(len(S), 0)
    for Theta in (near, poor, np.eye(len(S)) - 0.99 / len(S)):  # the last one needs the segment point
        inverse = invert((Theta + Theta.T) / 2)
        assert inverse is not None
        before = inverse.matrix.copy()
        for copied in (1000, 0):
            monkeypatch.setattr("glasso_cli.solvers.certificate._COPIED", copied)
            proofs.append(certificate((Theta + Theta.T) / 2, S, weights, inverse))
            np.testing.assert_array_equal(inverse.matrix, before)
    assert proofs[::2] == proofs[1::2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_gap_bounds_the_distance_to_the_optimum_of_any_precision(
    solved: tuple[np.ndarray, float, np.ndarray], seed: int
) -> None:
    S, alpha, optimum = solved
    best = reference_objective(optimum, S, alpha)
    precision = poor_precision(len(S), seed)
    proof = certificate(precision, S, alpha)
    distance = reference_objective(precision, S, alpha) - best
    assert 0 < distance <= len(S) * proof.duality_gap + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.003])
@pytest.mark.parametrize("problem", ["neuron-like", "rank-deficient", "two components"])
def test_the_bound_of_every_precision_is_below_the_objective_of_every_other(problem: str, alpha: float) -> None:
    """Weak duality, without knowing the optimum."""
    S, _ = PROBLEMS[problem]
    p = len(S)
    rough = [SOLVERS["gglasso"](S, alpha, tol=1e-12, max_iter=n).precision for n in (1, 10, 30)]
    tried = rough + [poor_precision(p, seed) for seed in range(6)] + [np.eye(p), np.diag(np.arange(1.0, p + 1))]
    proofs = [certificate(precision, S, alpha) for precision in tried]
    bounds = [proof.objective - p * proof.duality_gap for proof in proofs]
    assert np.isfinite(bounds).all()
    assert max(bounds) <= min(proof.objective for proof in proofs) + 1e-9


def test_the_optimum_lies_between_independent_bounds(solved: tuple[np.ndarray, float, np.ndarray]) -> None:
    S, alpha, optimum = solved
    proof = certificate(optimum, S, alpha)
    assert proof.duality_gap <= 1e-12
    assert proof.kkt_residual <= 1e-5
    assert reference_bound(optimum, S, alpha) <= proof.objective + 1e-9
    np.testing.assert_allclose(proof.objective, reference_bound(optimum, S, alpha), atol=1e-3)


def test_the_gap_shrinks_with_the_square_of_the_error(solved: tuple[np.ndarray, float, np.ndarray]) -> None:
    S, alpha, optimum = solved
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(S.shape) * (optimum != 0)
    gaps = [certificate(optimum + size * (noise + noise.T), S, alpha).duality_gap for size in (1e-4, 1e-5, 1e-6)]
    # the smallest off-diagonal entries may change sign under the larger errors
    assert gaps[0] > 20 * gaps[1] > 400 * gaps[2] > 0


def test_a_precision_that_is_not_positive_definite_has_an_infinite_gap() -> None:
    proof = certificate(np.array([[1.0, 2.0], [2.0, 1.0]]), np.eye(2), 0.1)
    assert proof.duality_gap == proof.objective == proof.kkt_residual == np.inf


def test_a_broken_forced_zero_has_an_infinite_objective() -> None:
    weights = np.array([[0.0, np.inf], [np.inf, 0.0]])
    S = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert certificate(np.linalg.inv(S), S, weights).duality_gap == np.inf
    assert certificate(np.eye(2), S, weights).duality_gap == 0


def test_the_gap_far_from_the_optimum_of_a_singular_covariance_is_finite() -> None:
    S = rank_deficient(p=30, n=3)
    assert np.isfinite(certificate(poor_precision(30, 1), S, 1e-3).duality_gap)


def test_equal_weights_are_the_number_and_a_penalised_diagonal_is_a_shifted_covariance(
    solved: tuple[np.ndarray, float, np.ndarray],
) -> None:
    S, alpha, _ = solved
    precision = poor_precision(len(S), 3)
    number = certificate(precision, S, alpha)
    off = alpha * (1 - np.eye(len(S)))
    matrix = certificate(precision, S, off)
    assert (number.objective, number.duality_gap) == (matrix.objective, matrix.duality_gap)
    penalised = certificate(precision, S, np.full(S.shape, alpha))
    shifted = certificate(precision, S + alpha * np.eye(len(S)), alpha)
    np.testing.assert_allclose(
        [penalised.objective, penalised.duality_gap, penalised.kkt_residual],
        [shifted.objective, shifted.duality_gap, shifted.kkt_residual],
        rtol=1e-10,
    )


@pytest.mark.parametrize("seed", range(5))
def test_an_indefinite_precision_becomes_a_definite_result_with_its_support(seed: int) -> None:
    S, alpha = PROBLEMS["hub"]
    indefinite = poor_precision(len(S), seed)
    indefinite -= 2 * np.diag(indefinite.diagonal())
    result = certified(indefinite, S, alpha, tol=1e-7, n_iter=1)
    assert np.linalg.eigvalsh(result.precision)[0] > 0
    np.testing.assert_array_equal(result.precision, result.precision.T)
    off = ~np.eye(len(S), dtype=bool)
    np.testing.assert_array_equal((result.precision != 0)[off], (indefinite != 0)[off])
    assert np.isfinite(result.duality_gap)
    assert not result.converged


# -- the problem ----------------------------------------------------------------------------------


def test_alpha_max_is_the_largest_off_diagonal_entry() -> None:
    S = np.array([[4.0, -3.0, 1.0], [-3.0, 9.0, 0.5], [1.0, 0.5, 2.0]])
    assert alpha_max(S) == 3.0
    assert alpha_max(np.eye(1)) == 0.0
    np.testing.assert_array_equal(S.diagonal(), [4.0, 9.0, 2.0])


@pytest.mark.parametrize(
    ("covariance", "alpha", "message"),
    [
        (np.ones(3), 0.1, r"shape \(3,\)"),
        (np.ones((2, 3)), 0.1, r"shape \(2, 3\)"),
        (np.zeros((0, 0)), 0.1, r"shape \(0, 0\)"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), 0.1, "NaN"),
        (np.diag([1.0, 2.0, np.inf]), 0.1, "infinity"),
        (np.array([[1.0, 0.2], [0.3, 1.0]]), 0.1, "not symmetric"),
        (one_entry_off(700), 0.1, "not symmetric"),
        (np.diag([1.0, 0.0]), 0.1, "Neuron 1 has variance 0"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), 0.1, "negative eigenvalue"),
        (np.eye(2), 0.0, "alpha is 0.0"),
        (np.eye(2), -1, "alpha is -1"),
        (np.eye(2), np.nan, "alpha is nan"),
        (np.eye(2), np.inf, "alpha is inf"),
        (np.eye(2), np.ones((3, 3)), r"weights have shape \(3, 3\)"),
        (np.eye(2), -np.ones((2, 2)), "negative number"),
        (np.eye(2), np.array([[0, np.nan], [np.nan, 0]]), "NaN"),
        (np.eye(2), np.array([[0, 1.0], [2.0, 0]]), "weights are not symmetric"),
        (np.eye(2), np.full((2, 2), np.inf), "diagonal entry"),
    ],
)
def test_what_is_no_problem_is_refused_in_one_sentence(
    covariance: np.ndarray, alpha: float | np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_problem(covariance, alpha)
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_of_the_table_is_accepted_in_float32_too(name: str) -> None:
    S, alpha = PROBLEMS[name]
    check_problem(S.astype(np.float32), alpha)
    check_problem(S, random_weights(len(S), 0))
