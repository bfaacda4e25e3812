"""The joint graphical lasso against closed forms, the plain one, a dual solved apart, and GGLasso's own examples."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.joint_problems import PENALTIES, PenaltyName, corpora, reference_objective, reference_optimum
from threadpoolctl import threadpool_limits

from glasso_cli.solvers import screening
from glasso_cli.solvers.joint import admm, fit
from glasso_cli.solvers.joint.certificate import JointProblem, judged
from glasso_cli.solvers.joint.fit import fit_joint
from glasso_cli.solvers.joint.penalty import PENALTIES as CLASSES
from glasso_cli.solvers.joint.screening import joint_labels

every_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def pair(*correlations: float) -> np.ndarray:
    return np.array([[[1, r], [r, 1]] for r in correlations])


def shrunk(result: fit.JointResult) -> np.ndarray:
    """The covariances of two neurons that the precisions stand for."""
    return np.array([np.linalg.inv(Theta)[0, 1] for Theta in result.precisions])


def off_diagonal(stack: np.ndarray) -> np.ndarray:
    return stack[:, ~np.eye(stack.shape[1], dtype=bool)]


# -- closed forms ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("penalty", "correlations", "weights", "expected"),
    [
        ("fused", (0.8, 0.5), None, (0.8 - 0.1 - 0.05, 0.5 - 0.1 + 0.05)),  # different
        ("fused", (0.6, 0.52), None, (0.46, 0.46)),  # fused
        ("fused", (0.52, 0.6), (1.5, 0.5), ((0.78 + 0.3 - 0.2) / 2,) * 2),
        ("fused", (0.8, 0.5), (2.0, 0.5), (0.8 - 0.15 / 2, 0.5 - 0.05 / 0.5)),
        ("fused", (0.7, -0.6), None, (0.7 - 0.15, -0.6 + 0.15)),  # a sign flip
        ("fused", (0.5, 0.02), None, (0.5 - 0.15, 0.0)),  # gained
        ("fused", (0.14, 0.05), None, (0.0, 0.0)),
        ("fused", (0.7, 0.7, 0.3), None, (0.7 - 0.1 - 0.025,) * 2 + (0.3 - 0.1 + 0.05,)),  # neighbours only
        ("group", (0.6, 0.6), None, (0.5 - 0.05 / np.sqrt(2),) * 2),
        ("group", (0.6, -0.6), None, (0.5 - 0.05 / np.sqrt(2), -0.5 + 0.05 / np.sqrt(2))),
        ("group", (0.6, 0.1), None, (0.6 - 0.15, 0.0)),
        ("group", (0.6, 0.03), (2.0, 1.0), (0.6 - 0.15 / 2, 0.0)),
        ("group", (0.13, 0.13), None, (0.0, 0.0)),
    ],
)
def test_two_neurons(
    penalty: PenaltyName,
    correlations: tuple[float, ...],
    weights: tuple[float, ...] | None,
    expected: tuple[float, ...],
) -> None:
    result = fit_joint(pair(*correlations), 0.1, 0.05, penalty=penalty, weights=weights, tol=1e-13)
    assert result.converged
    np.testing.assert_allclose(shrunk(result), expected, atol=2e-6)
    if expected[0] == expected[1]:
        assert penalty == "group" or result.precisions[0, 0, 1] == result.precisions[1, 0, 1]


@every_penalty
def test_without_the_second_lambda_the_corpora_are_fitted_apart(penalty: PenaltyName) -> None:
    S, weights = corpora(25, 100), np.array([0.7, 1.3])
    apart = fit_joint(S, 0.1, 0.0, penalty=penalty, weights=weights, tol=1e-9)
    nearly = fit_joint(S, 0.1, 1e-8, penalty=penalty, weights=weights, tol=1e-9)
    plain = [screening.solve(S[k], 0.1 / weights[k], tol=1e-11) for k in range(2)]
    for result in (apart, nearly):
        assert result.converged
        assert result.objective == pytest.approx(sum(w * each.objective for w, each in zip(weights, plain)), abs=1e-5)
        np.testing.assert_allclose(result.precisions, [each.precision for each in plain], atol=2e-3)
    problem = JointProblem(S, weights, CLASSES[penalty](0.1, 0.0))
    point = judged(apart.precisions, problem)
    assert apart.objective == pytest.approx(point.objective)
    assert apart.duality_gap == pytest.approx(point.duality_gap, abs=1e-12)
    assert apart.kkt_residual == pytest.approx(point.kkt_residual, abs=1e-12)


@pytest.mark.parametrize("K", [2, 3])
def test_fused_without_end_is_the_fit_of_the_mean(K: int) -> None:
    S, weights = corpora(20, 80, K), np.linspace(0.5, 2.0, K)
    result = fit_joint(S, 0.1, 50.0, penalty="fused", weights=weights, tol=1e-10)
    mean = np.einsum("k,kij->ij", weights, S) / weights.sum()
    plain = screening.solve(mean, 0.1 * K / weights.sum(), tol=1e-12)
    off = off_diagonal(result.precisions)
    assert (off == off[0]).all()
    np.testing.assert_allclose(result.precisions, [plain.precision] * K, atol=1e-3)
    assert result.objective == pytest.approx(weights.sum() * plain.objective, abs=1e-6)


def test_the_group_penalty_of_equal_corpora_is_the_plain_one() -> None:
    S = corpora(20, 80, 1)[0]
    result = fit_joint([S, S, S], 0.06, 0.08, penalty="group", tol=1e-10)
    plain = screening.solve(S, 0.06 + 0.08 / np.sqrt(3), tol=1e-12)
    np.testing.assert_allclose(result.precisions, [plain.precision] * 3, atol=1e-3)
    assert result.objective == pytest.approx(3 * plain.objective, abs=1e-6)


def test_the_group_penalty_alone_is_enough() -> None:
    S = corpora(10, 60)
    result = fit_joint(S, 0.0, 0.2, penalty="group", tol=1e-10)
    edges = off_diagonal(result.precisions) != 0
    np.testing.assert_array_equal(edges[0], edges[1])
    assert 0 < edges.sum() < edges.size
    assert result.objective == pytest.approx(reference_optimum(S, 0.0, 0.2, "group", [1, 1]), abs=1e-6)


# -- the certificate ------------------------------------------------------------------------------


@given(
    st.sampled_from(PENALTIES),
    st.integers(2, 3),
    st.integers(3, 7),
    st.sampled_from([0.03, 0.1, 0.25]),
    st.sampled_from([0.02, 0.1]),
    st.integers(0, 10_000),
)
@settings(max_examples=15, deadline=None)
def test_the_optimum_is_that_of_the_dual_solved_apart(
    penalty: PenaltyName, K: int, p: int, lambda1: float, lambda2: float, seed: int
) -> None:
    S, weights = corpora(p, 4 * p, K, seed), np.random.default_rng(seed).uniform(0.5, 2, K)
    result = fit_joint(S, lambda1, lambda2, penalty=penalty, weights=weights, tol=1e-9)
    assert result.converged
    value = reference_objective(result.precisions, S, lambda1, lambda2, penalty, weights)
    assert result.objective == pytest.approx(value, abs=1e-9)
    assert -1e-8 <= value - reference_optimum(S, lambda1, lambda2, penalty, weights) <= 1e-6


@pytest.mark.slow
@given(st.sampled_from(PENALTIES), st.integers(2, 3), st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_gap_bounds_the_distance_from_the_optimum(penalty: PenaltyName, K: int, share: float, seed: int) -> None:
    p, lambda1, lambda2 = 6, 0.08, 0.05
    S, weights = corpora(p, 24, K, seed), np.random.default_rng(seed).uniform(0.5, 2, K)
    problem = JointProblem(S, weights, CLASSES[penalty](lambda1, lambda2))
    inverse = np.linalg.inv(S)
    start = share * (inverse + inverse.transpose(0, 2, 1)) / 2 + (1 - share) * problem.isolated()
    start[np.abs(start) < 0.3] = 0.0
    point = judged(start, problem)
    distance = point.objective - reference_optimum(S, lambda1, lambda2, penalty, weights)
    assert -1e-7 <= distance <= problem.total * point.duality_gap + 1e-7
    assert np.isfinite(point.duality_gap)


@every_penalty
def test_no_step_from_the_answer_is_better_by_more_than_the_residual(penalty: PenaltyName) -> None:
    S, weights = corpora(12, 40, 3), [1.0, 0.5, 1.5]
    result = fit_joint(S, 0.1, 0.05, penalty=penalty, weights=weights, tol=1e-6)
    random = np.random.default_rng(0)
    for size in (1e-7, 1e-6):  # so small that the likelihood is linear
        for _ in range(40):
            step = random.standard_normal((3, 12, 12)) * random.integers(0, 2, (3, 12, 12))
            step = size * (step + step.transpose(0, 2, 1))
            value = reference_objective(result.precisions + step, S, 0.1, 0.05, penalty, weights)
            assert value >= result.objective - result.kkt_residual * np.abs(step).sum() - 1e-10


@every_penalty
def test_the_residual_is_zero_at_the_answer_and_large_elsewhere(penalty: PenaltyName) -> None:
    S = corpora(15, 60)
    good = fit_joint(S, 0.1, 0.05, penalty=penalty, tol=1e-12)
    assert good.kkt_residual < 1e-5
    problem = JointProblem(S, np.ones(2), CLASSES[penalty](0.1, 0.05))
    moved = good.precisions.copy()
    moved[0, 3, 4] = moved[0, 4, 3] = moved[0, 3, 4] + 0.05
    assert judged(moved, problem).kkt_residual > 0.01
    heavier = good.precisions.copy()
    heavier[1, 2, 2] += 0.1
    assert judged(heavier, problem).kkt_residual > 0.02


def test_precisions_that_are_not_definite_are_moved_until_they_are() -> None:
    S = corpora(8, 50)
    problem = JointProblem(S, np.ones(2), CLASSES["fused"](0.1, 0.05))
    wild = np.stack([np.eye(8), np.ones((8, 8))])
    point = judged(wild, problem)
    assert min(np.linalg.eigvalsh(Theta)[0] for Theta in point.precisions) > 0
    assert 0 < point.duality_gap < np.inf


# -- components -----------------------------------------------------------------------------------


def blocks(K: int, seed: int, n: int = 40) -> np.ndarray:
    """Three components of five neurons or fewer in shuffled order, noise too small to link them, and a loner."""
    random = np.random.default_rng(seed)
    sizes, S = (5, 4, 3, 1), np.stack([np.eye(13)] * K)
    first = 0
    for size in sizes:
        inside = slice(first, first + size)
        if size > 1:
            S[:, inside, inside] = corpora(size, n, K, seed)
        first += size
    S = 0.9 * S + 0.1 * np.corrcoef(random.standard_normal((200, 13)).T)
    order = random.permutation(13)
    return np.asarray((S + S.transpose(0, 2, 1))[:, order[:, None], order] / 2)


@pytest.mark.slow
@given(
    st.sampled_from(PENALTIES),
    st.integers(2, 4),
    st.sampled_from([0.05, 0.1, 0.2]),
    st.sampled_from([0.03, 0.1]),
    st.integers(0, 10_000),
)
@settings(max_examples=15, deadline=None)
def test_components_are_exactly_those_of_the_whole_solved_at_once(
    penalty: PenaltyName, K: int, lambda1: float, lambda2: float, seed: int
) -> None:
    S, weights = blocks(K, seed), np.random.default_rng(seed).uniform(0.5, 2, K)
    problem = JointProblem(S, weights, CLASSES[penalty](lambda1, lambda2))
    whole, _ = admm.solve(problem, tol=1e-12, max_iter=3000)
    result = fit_joint(S, lambda1, lambda2, penalty=penalty, weights=weights, tol=1e-12)
    np.testing.assert_allclose(result.precisions, whole.precisions, atol=1e-4)
    assert result.objective == pytest.approx(whole.objective, abs=1e-9)
    linked = (whole.precisions != 0).any(axis=0)
    reachable = np.linalg.matrix_power(linked.astype(float), 13) > 0
    component = joint_labels(S, weights, problem.penalty)
    np.testing.assert_array_equal(component[:, None] == component, reachable)
    proof = judged(result.precisions, problem)
    assert result.objective == pytest.approx(proof.objective)
    assert result.kkt_residual == pytest.approx(proof.kkt_residual, abs=1e-11)
    assert result.duality_gap == pytest.approx(proof.duality_gap, abs=1e-12)


def test_components_are_of_all_sizes_and_the_largest_is_told() -> None:
    sizes = np.bincount(joint_labels(blocks(2, 3), np.ones(2), CLASSES["group"](0.1, 0.1)))
    assert len(set(sizes.tolist())) > 2
    assert fit.largest_component(blocks(2, 3), 0.1, 0.1, penalty="group") == sizes.max()
    assert fit.largest_component(blocks(2, 3), 1.0, 0.1, penalty="fused") == 1


@pytest.mark.parametrize(
    ("values", "penalty", "linked"),
    [
        ((0.151, 0.0), "fused", True),
        ((0.149, 0.0), "fused", False),
        ((0.11, 0.1), "fused", True),
        ((0.1, 0.099), "fused", False),
        ((-0.14, 0.14), "fused", False),
        ((0.0, 0.201, 0.0), "fused", True),  # two neighbours to leave behind
        ((0.0, 0.199, 0.0), "fused", False),
        ((0.13, 0.13, 0.0), "fused", True),
        ((0.12, 0.12, 0.0), "fused", False),
        ((0.151, 0.0), "group", True),
        ((0.149, 0.1), "group", False),
        ((0.136, -0.136), "group", True),
        ((0.135, -0.135), "group", False),
    ],
)
def test_the_rules_of_screening(values: tuple[float, ...], penalty: PenaltyName, linked: bool) -> None:
    label = joint_labels(pair(*values), np.ones(len(values)), CLASSES[penalty](0.1, 0.05))
    assert (label[0] == label[1]) == linked


@every_penalty
def test_isolated_neurons_need_no_solver(penalty: PenaltyName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admm, "solve", None)
    variance = np.array([[0.5, 1.0, 4.0], [1.0, 2.0, 3.0]])
    result = fit_joint([np.diag(each) for each in variance], 0.1, 0.1, penalty=penalty, weights=[1, 2])
    np.testing.assert_array_equal(result.precisions, [np.diag(1 / each) for each in variance])
    assert result.objective == pytest.approx(float((np.array([1, 2]) * (np.log(variance) + 1).sum(axis=1)).sum()))
    assert (result.duality_gap, result.kkt_residual, result.n_iter, result.converged) == (0, 0, 0, True)


# -- hard and foreign problems --------------------------------------------------------------------


@given(st.sampled_from(PENALTIES), st.integers(2, 3), st.integers(4, 9), st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_fewer_samples_than_neurons(penalty: PenaltyName, K: int, n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    S = [np.corrcoef(random.standard_normal((n, 12)).T) for _ in range(K)]
    result = fit_joint(S, 0.1, 0.05, penalty=penalty, tol=1e-6)
    assert result.converged
    assert min(np.linalg.eigvalsh(Theta)[0] for Theta in result.precisions) > 0
    np.testing.assert_array_equal(result.precisions, result.precisions.transpose(0, 2, 1))
    value = reference_objective(result.precisions, S, 0.1, 0.05, penalty, np.ones(K))
    assert result.objective == pytest.approx(value, rel=1e-9)


@pytest.mark.slow
@every_penalty
@pytest.mark.parametrize("K", [2, 3])
def test_the_examples_of_gglasso(penalty: PenaltyName, K: int) -> None:
    from gglasso.helper.data_generation import (
        group_power_network,
        sample_covariance_matrix,
        time_varying_power_network,
    )
    from gglasso.solver.admm_solver import ADMM_MGL

    network = {"group": group_power_network, "fused": time_varying_power_network}[penalty]
    with contextlib.redirect_stdout(io.StringIO()):
        Sigma, _ = network(50, K, 5, seed=56789)
        S, _ = sample_covariance_matrix(Sigma, 1000, seed=56789)
        name = {"group": "GGL", "fused": "FGL"}[penalty]
        start = np.stack([np.eye(50)] * K)
        with threadpool_limits(1, user_api="blas"):
            theirs, _ = ADMM_MGL(S, 0.05, 0.01, name, start, tol=1e-12, rtol=1e-9, max_iter=1000)
    ours = fit_joint(S, 0.05, 0.01, penalty=penalty, tol=1e-9)
    assert ours.converged
    np.testing.assert_allclose(ours.precisions, theirs["Theta"], atol=1e-3)
    value = reference_objective(theirs["Theta"], S, 0.05, 0.01, penalty, np.ones(K))
    assert ours.objective == pytest.approx(value, abs=1e-6)


@every_penalty
def test_neurons_and_signs_can_be_exchanged(penalty: PenaltyName) -> None:
    S = corpora(12, 50)
    order, signs = np.random.default_rng(0).permutation(12), np.random.default_rng(1).choice([-1.0, 1.0], 12)
    exchanged = (S * np.outer(signs, signs))[:, order[:, None], order]
    first = fit_joint(S, 0.1, 0.05, penalty=penalty, tol=1e-11).precisions
    second = fit_joint(exchanged, 0.1, 0.05, penalty=penalty, tol=1e-11).precisions
    np.testing.assert_allclose((first * np.outer(signs, signs))[:, order[:, None], order], second, atol=1e-4)


def test_weights_of_another_unit_are_another_unit_of_the_objective() -> None:
    S = corpora(10, 50)
    one = fit_joint(S, 0.1, 0.05, penalty="fused", weights=[1, 2], tol=1e-10)
    thousand = fit_joint(S, 100.0, 50.0, penalty="fused", weights=[1000, 2000], tol=1e-10)
    np.testing.assert_allclose(one.precisions, thousand.precisions, atol=1e-5)
    assert thousand.objective == pytest.approx(1000 * one.objective)
    assert thousand.converged


def test_not_a_word_is_said_and_nothing_is_changed(capfd: pytest.CaptureFixture[str]) -> None:
    S = corpora(10, 30)
    before = S.copy()
    fit_joint(S, 0.05, 0.05, penalty="fused", max_iter=30)
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(S, before)


def test_too_few_iterations_are_not_called_converged() -> None:
    result = fit_joint(corpora(20, 40), 0.05, 0.02, penalty="fused", max_iter=3)
    assert not result.converged
    assert result.n_iter == 3
    assert result.duality_gap > 1e-7
