"""What the Newton solver is made of, against plain dense arithmetic, and the weights only it and ADMM take."""

from __future__ import annotations

from collections import Counter

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from support.glasso_problems import PROBLEMS, neuron_like, reference_kkt
from support.matrices import every_size, random_definite, random_symmetric, upper_entries

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.linalg.lanes import TOGETHER
from glasso_cli.solvers import SOLVERS, solve
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.newton import sweep as sweeps
from glasso_cli.solvers.newton.face import Accuracy, without_small
from glasso_cli.solvers.newton.free_set import FreeSet, free_set, scan, symmetric
from glasso_cli.solvers.newton.products import (
    Panels,
    add_low_rank,
    multiply,
    panels_of,
    sample,
    split,
)
from glasso_cli.solvers.newton.sandwich import sandwich
from glasso_cli.solvers.newton.step import Model
from glasso_cli.solvers.newton.sweep import sweep


def in_panels(matrix: np.ndarray) -> np.ndarray:
    panels = panels_of(len(matrix))
    split(matrix.astype(np.float32), panels)
    return panels


def from_panels(panels: np.ndarray) -> np.ndarray:
    n, p, width = panels.shape
    return np.asarray(panels.transpose(1, 0, 2).reshape(p, n * width)[:, :p])


# -- products ---------------------------------------------------------------------------------------------


@every_size
def test_a_low_rank_part_added_to_panels(p: int) -> None:
    left, right = np.random.default_rng(2).standard_normal((2, p, 3)).astype(np.float32)
    W = random_definite(p)
    panels = in_panels(W)
    add_low_rank(panels, left, right)
    np.testing.assert_allclose(from_panels(panels), W + left @ right.T, atol=1e-5)


@every_size
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_entries_of_a_product_with_two_dense_sides(p: int, threads: int) -> None:
    W, D = random_definite(p), random_symmetric(p)
    rows, cols = upper_entries(D)
    pattern = symmetric(rows, cols, p)
    panels = in_panels(W)
    product = panels_of(p, len(panels))
    data = D[rows, cols].astype(np.float32)[pattern.entry]
    multiply(pattern.indptr, pattern.indices, data, panels, product, threads)
    dense = product.transpose(1, 0, 2).reshape(2 * [64 * len(panels)])
    np.testing.assert_allclose(dense[:p, :p].T, D @ W, rtol=1e-4, atol=1e-4)
    assert not dense[:, p:].any()
    more = -len(rows) % TOGETHER
    out = np.empty(len(rows) + more, dtype=np.float32)
    sample(np.pad(rows, (0, more)), np.pad(cols, (0, more)), product, panels, out, threads)
    np.testing.assert_allclose(
        out[: len(rows)], (W @ D @ W)[rows, cols], rtol=1e-4, atol=1e-4 * np.abs(W @ D @ W).max()
    )


@pytest.mark.parametrize("p", [512, 513, 700])
def test_a_share_of_the_columns_at_a_time_gives_the_same_bytes_as_all_at_once(p: int) -> None:
    W, D = random_definite(p), random_symmetric(p, density=0.02)
    rows, cols = upper_entries(D)
    pattern, panels = symmetric(rows, cols, p), in_panels(W)
    more = -len(rows) % TOGETHER
    product, expected = panels_of(p, len(panels)), np.empty(len(rows) + more, dtype=np.float32)
    multiply(pattern.indptr, pattern.indices, D[rows, cols].astype(np.float32)[pattern.entry], panels, product, 1)
    sample(np.pad(rows, (0, more)), np.pad(cols, (0, more)), product, panels, expected, 1)
    products = Panels(p)
    products.load(Inverse(W.astype(np.float32), 0.0))
    np.testing.assert_array_equal(products.product(pattern, rows, cols, D[rows, cols]), expected[: len(rows)])


@every_size
@pytest.mark.parametrize("threads", [1, 3])
def test_w_times_vectors(p: int, threads: int) -> None:
    W, V = random_definite(p), np.random.default_rng(5).standard_normal((p, 5)).astype(np.float32)
    products = Panels(p)
    products._threads = threads
    products.load(Inverse(W, 0.0))
    np.testing.assert_allclose(products.times(V), W @ V, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@every_size
def test_a_sparse_sandwich(p: int) -> None:
    A, X = random_symmetric(p, 1), random_symmetric(p, 2)
    rows, cols = upper_entries(X)
    found = sandwich(csr_array(A.astype(np.float32)), symmetric(rows, cols, p), rows, cols, X[rows, cols])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, (A @ X @ A)[rows, cols], rtol=1e-3, atol=1e-3)


@every_size
def test_a_symmetric_pattern_holds_every_entry_twice_and_in_order(p: int) -> None:
    matrix = random_symmetric(p)
    rows, cols = upper_entries(matrix)
    pattern = symmetric(rows, cols, p)
    dense = np.zeros((p, p))
    for i in range(p):
        part = slice(pattern.indptr[i], pattern.indptr[i + 1])
        assert (np.diff(pattern.indices[part]) > 0).all()
        dense[i, pattern.indices[part]] = matrix[rows, cols][pattern.entry[part]]
    np.testing.assert_array_equal(dense, matrix)


# -- free entries and signs ---------------------------------------------------------------------------------


def a_free_set(p: int, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, FreeSet]:
    S, Theta = np.corrcoef(random_definite(p)), random_symmetric(p, 3, 0.05) + 4 * np.eye(p)
    W = np.linalg.inv(Theta)
    weights = np.full((p, p), 0.1)
    counts, _ = scan(S, W, Theta, weights, factor)
    return S, W, Theta, weights, free_set(S, W, Theta, weights, factor, counts)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_free_are_the_support_the_violations_and_the_diagonal(factor: float) -> None:
    p = 40
    S, W, Theta, weights, free = a_free_set(p, factor)
    gradient = S - W
    expected = (Theta != 0) | (np.abs(gradient) > factor * weights) | np.eye(p, dtype=bool)
    rows, cols = np.nonzero(np.triu(expected))
    np.testing.assert_array_equal(free.rows, rows)
    np.testing.assert_array_equal(free.cols, cols)
    np.testing.assert_array_equal(free.gradient, gradient[rows, cols])
    np.testing.assert_array_equal(free.values, Theta[rows, cols])
    np.testing.assert_array_equal(free.weights, np.where(rows == cols, 0, factor * 0.1))
    _, worst = scan(S, W, Theta, weights, factor)
    assert worst.max() == pytest.approx(reference_kkt(Theta, S, factor * 0.1), rel=1e-9)


@pytest.mark.slow
def test_without_small_entries_theta_stays_positive_definite() -> None:
    p = 40
    rng = np.random.default_rng(0)
    signs = np.sign(rng.standard_normal((p, p)))
    Theta = np.eye(p) + 0.009 * (np.triu(signs, 1) + np.triu(signs, 1).T)
    Theta[0, 1] = Theta[1, 0] = 0.9
    weights = np.full((p, p), 0.1)
    W = np.linalg.inv(Theta)
    free = free_set(np.eye(p), W, Theta, weights, 1.0, scan(np.eye(p), W, Theta, weights, 1.0)[0])
    less = without_small(free).toarray()
    off = less - np.diag(less.diagonal())
    assert np.argwhere(off).tolist() == [[0, 1], [1, 0]]
    assert np.linalg.eigvalsh(less - Theta)[0] > -1e-6


@pytest.mark.parametrize("many", [0, 10**9])
@pytest.mark.parametrize("size", [0.0, 0.1])
@pytest.mark.parametrize("p", [2, 30, 64, 65])
def test_a_sweep_minimises_over_one_coordinate_after_the_other(
    monkeypatch: pytest.MonkeyPatch, p: int, size: float, many: int
) -> None:
    monkeypatch.setattr(sweeps, "_MANY", many)
    _, W, Theta, _, free = a_free_set(p)
    start = np.random.default_rng(4).standard_normal(len(free.rows)) * size
    found = sweep(W.astype(np.float32), free, start)
    D = np.zeros((p, p))
    D[free.rows, free.cols] = D[free.cols, free.rows] = start
    for e, (i, j) in enumerate(zip(free.rows, free.cols)):
        slope = free.gradient[e] + W[i] @ (D @ W[j])
        if i == j:
            D[i, i] -= slope / W[i, i] ** 2
            continue
        curvature = W[i, j] ** 2 + W[i, i] * W[j, j]
        target = Theta[i, j] + D[i, j] - slope / curvature
        value = np.sign(target) * max(abs(target) - free.weights[e] / curvature, 0.0)
        D[i, j] = D[j, i] = value - Theta[i, j]
    np.testing.assert_allclose(found, D[free.rows, free.cols], rtol=1e-3, atol=1e-4)
    at_zero = np.abs(found + free.values) < 1e-9
    assert p == 2 or at_zero.any()
    np.testing.assert_array_equal(found[at_zero], -free.values[at_zero])


@pytest.mark.parametrize("many", [0, 10**9])
def test_a_sweep_is_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(sweeps, "_MANY", many)
    _, W, _, _, free = a_free_set(70)
    before, found = numba.get_num_threads(), []
    try:
        for threads in range(1, before + 1):
            numba.set_num_threads(threads)
            found.append(sweep(W.astype(np.float32), free, np.zeros(len(free.rows))).tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(set(found)) == 1


@pytest.fixture
def a_model() -> Model:
    _, W, _, _, free = a_free_set(40)
    rows = W.astype(np.float32)
    products = Panels(40)
    products.load(Inverse(rows, 0.0))
    return Model(products, free, rows, None, Accuracy(1e-6, 200), Counter())


def test_the_residual_of_a_model_falls_to_zero_as_its_rounds_go_on(a_model: Model) -> None:
    step = np.zeros(len(a_model.free.rows))
    residuals = [a_model.state(None).residual]
    assert residuals[0] == pytest.approx(a_model.state(step).residual, rel=1e-6)
    for _ in range(5):
        step, _ = a_model.solve_given_signs(a_model.swept(step), False, False)
        residuals.append(a_model.state(step).residual)
    assert residuals[-1] < 1e-4 * residuals[0]


@pytest.mark.parametrize("careful", [True, False])
def test_the_value_of_a_model_is_that_of_dense_arithmetic(a_model: Model, careful: bool) -> None:
    free, W = a_model.free, a_model.W.astype(np.float64)
    times = np.where(free.rows == free.cols, 1, 2)
    step, before = np.zeros(len(free.rows)), 0.0
    for _ in range(3):
        step, _ = a_model.solve_given_signs(a_model.swept(step), False, careful)
        D = np.zeros(W.shape)
        D[free.rows, free.cols] = D[free.cols, free.rows] = step
        linear = free.gradient * step + free.weights * (np.abs(free.values + step) - np.abs(free.values))
        value = float((times * linear).sum() + np.trace(W @ D @ W @ D) / 2)
        assert a_model.state(step).value == pytest.approx(value, rel=1e-4, abs=1e-5)
        assert not careful or value <= before + 1e-5
        before = value


def test_a_coordinate_alone_has_the_residual_of_its_own_minimum(a_model: Model) -> None:
    free, W = a_model.free, a_model.W.astype(np.float64)
    total = 0.0
    for i, j, slope, value, weight in zip(free.rows, free.cols, free.gradient, free.values, free.weights):
        curvature = W[i, i] * W[j, j] + (W[i, j] ** 2 if i != j else 0.0)
        target = value - slope / curvature
        end = np.sign(target) * max(abs(target) - weight / curvature, 0.0)
        total += (2 if i != j else 1) * curvature * (end - value) ** 2
    assert a_model.state(None).residual == pytest.approx(np.sqrt(total), rel=1e-5)


# -- the whole ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_neurons_that_one_factor_drives_take_few_steps() -> None:
    rng = np.random.default_rng(0)
    S = np.asarray(np.corrcoef(1.5 * rng.standard_normal(3000) + rng.standard_normal((160, 3000))))
    result = SOLVERS["newton"](S, 0.05)
    assert result.converged
    assert reference_kkt(result.precision, S, 0.05) <= 0.01 * 0.05
    assert result.n_iter - result.cost.get("n_eigh", 0) <= 25


@pytest.mark.slow
def test_groups_of_nearly_equal_neurons_converge() -> None:
    rng = np.random.default_rng(0)
    draws = np.repeat(rng.standard_normal((18, 2000)), 16, axis=0) + 0.3 * rng.standard_normal((288, 2000))
    S = np.asarray(np.corrcoef(draws))
    result = SOLVERS["newton"](S, 0.01)
    assert result.converged
    assert reference_kkt(result.precision, S, 0.01) <= 0.02 * 0.01


@pytest.mark.slow
def test_the_same_problem_gives_the_same_bytes() -> None:
    S = neuron_like(70)
    first, second = (SOLVERS["newton"](S, 0.05, tol=1e-9) for _ in range(2))
    assert first.precision.tobytes() == second.precision.tobytes()
    assert first.cost == second.cost


@pytest.mark.slow
def test_weights_may_free_an_entry_or_force_it_to_zero() -> None:
    S, alpha = PROBLEMS["neuron-like"]
    p = len(S)
    rng = np.random.default_rng(0)
    weights = np.triu(rng.uniform(0.5, 2, (p, p)) * alpha, 1)
    weights[0, 1:4], weights[5, 6:9] = 0.0, np.inf
    weights += weights.T
    result = SOLVERS["newton"](S, weights, tol=1e-11)
    other = SOLVERS["gglasso"](S, weights, tol=1e-11)
    assert result.converged
    assert (result.precision[5, 6:9] == 0).all()
    assert (result.precision[0, 1:4] != 0).all()
    np.testing.assert_allclose((S - result.covariance)[0, 1:4], 0, atol=1e-5)
    np.testing.assert_allclose(result.precision, other.precision, atol=1e-4)


def test_a_start_with_entries_that_are_forced_to_zero_is_used_without_them() -> None:
    S, alpha = PROBLEMS["band"]
    weights = np.full(S.shape, alpha)
    np.fill_diagonal(weights, 0.0)
    weights[0, 1] = weights[1, 0] = np.inf
    start = SOLVERS["newton"](S, alpha).precision
    assert start[0, 1] != 0
    result = SOLVERS["newton"](S, weights, init=start)
    assert result.converged
    assert result.precision[0, 1] == 0


@st.composite
def covariances(draw: st.DrawFn) -> np.ndarray:
    """Covariances as they should not be: of few samples, with equal rows, in blocks, of any scale."""
    p, n = draw(st.integers(2, 12)), draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) * 10.0 ** draw(st.integers(-3, 3))
    kind = draw(st.sampled_from(["plain", "equal", "blocks", "scaled", "nearly equal"]))
    if kind == "equal":
        X[:, -1] = X[:, 0]
    elif kind == "nearly equal":
        X[:, -1] = X[:, 0] * (1 + 1e-4 * rng.standard_normal(n))
    elif kind == "scaled":
        X *= np.geomspace(1e-3, 1e3, p)
    S = np.cov(X.T, bias=True)
    if kind == "blocks" and p > 3:
        S[: p // 2, p // 2 :] = S[p // 2 :, : p // 2] = 0.0
    return S


@pytest.mark.slow
@given(covariances(), st.floats(0.02, 0.95))
@settings(max_examples=80)
def test_any_covariance_is_solved_to_its_certificate(S: np.ndarray, share: float) -> None:
    deviation = np.sqrt(S.diagonal())
    assume((deviation > 1e-9 * deviation.max()).all())
    scale = np.outer(deviation, deviation)
    weights = share * scale
    np.fill_diagonal(weights, 0.0)
    result = solve(S, weights, solver="newton", tol=1e-8)
    assert result.converged
    proof = certificate(result.precision, S, weights)
    assert proof.duality_gap <= 1.1e-8
    assert reference_kkt(result.precision * scale, S / scale, np.where(np.eye(len(S)), 0, share)) <= 2e-2


def test_an_alpha_matrix_of_one_number_is_that_number() -> None:
    S, alpha = PROBLEMS["cluster"]
    weights = np.full(S.shape, alpha)
    np.fill_diagonal(weights, 0.0)
    one, other = SOLVERS["newton"](S, alpha, tol=1e-10), SOLVERS["newton"](S, weights, tol=1e-10)
    np.testing.assert_allclose(one.precision, other.precision, atol=1e-5)
