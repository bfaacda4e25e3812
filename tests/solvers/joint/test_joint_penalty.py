"""Penalties of K numbers against linear programmes, GGLasso's own proximal maps, and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq, linprog
from support.joint_problems import PENALTIES as NAMES
from support.joint_problems import reference_penalty

from glasso_cli.solvers.joint.penalty import PENALTIES

names = st.sampled_from(NAMES)
lambdas = st.sampled_from([0.1, 0.35, 1.0])
# halves and quarters: equal numbers, zeros and ties are what the formulas have to get right
vectors = st.integers(2, 5).flatmap(lambda K: arrays(float, K, elements=st.integers(-8, 8).map(lambda n: n / 4)))
real_vectors = st.integers(2, 5).flatmap(lambda K: arrays(float, K, elements=st.floats(-3, 3)))
either = st.one_of(vectors, real_vectors)


def reference_gauge(u: np.ndarray, lambda1: float, lambda2: float, name: str) -> float:
    """The smallest s for which u is s times what lambda1 allows plus what lambda2 allows."""
    K = len(u)
    if name == "group":

        def room(s: float) -> float:
            return s * lambda2 - float(np.linalg.norm(np.maximum(np.abs(u) - s * lambda1, 0)))

        return 0.0 if not u.any() else brentq(room, 0, 1 + np.abs(u).sum() / lambda1, xtol=1e-13)
    # u_k = a_k + z_{k-1} - z_k with |a| <= s lambda1, |z| <= s lambda2; unknowns a, z, s
    equal = np.hstack([np.eye(K), np.diff(np.eye(K), axis=0).T, np.zeros((K, 1))])
    limits = np.array([lambda1] * K + [lambda2] * (K - 1))
    bounds = np.vstack([np.hstack([sign * np.eye(2 * K - 1), -limits[:, None]]) for sign in (1, -1)])
    cost = np.append(np.zeros(2 * K - 1), 1.0)
    free = [(None, None)] * (2 * K - 1) + [(0, None)]
    return float(linprog(cost, A_ub=bounds, b_ub=np.zeros(4 * K - 2), A_eq=equal, b_eq=u, bounds=free).fun)


@pytest.mark.slow
@given(names, lambdas, lambdas, either)
@settings(max_examples=150, deadline=None)
def test_the_gauge_is_the_smallest_multiple_of_what_the_lambdas_allow(
    name: str, lambda1: float, lambda2: float, u: np.ndarray
) -> None:
    penalty = PENALTIES[name](lambda1, lambda2)
    expected = reference_gauge(u, lambda1, lambda2, name)
    found = penalty.gauge(u[:, None])
    assert found == pytest.approx(expected, abs=2e-6)  # the reference allows 1e-7 beyond a lambda of 0.1
    if abs(expected - 1) > 1e-6:
        assert penalty.outside(u[:, None])[0] == (expected > 1)


@pytest.mark.slow
@given(names, lambdas, lambdas, either)
@settings(max_examples=150, deadline=None)
def test_proximal_maps_are_those_of_gglasso(name: str, lambda1: float, lambda2: float, v: np.ndarray) -> None:
    from gglasso.solver.ggl_helper import prox_phi_fgl, prox_phi_ggl

    theirs = {"group": prox_phi_ggl, "fused": prox_phi_fgl}[name]
    found = PENALTIES[name](lambda1, lambda2).prox(v[:, None])[:, 0]
    np.testing.assert_allclose(found, theirs(v, lambda1, lambda2), atol=1e-12)


@pytest.mark.slow
@given(names, lambdas, lambdas, either, st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_what_the_residual_leaves_is_the_nearest_subgradient(
    name: str, lambda1: float, lambda2: float, x: np.ndarray, seed: int
) -> None:
    random = np.random.default_rng(seed)
    K = len(x)
    penalty = PENALTIES[name](lambda1, lambda2)
    u = 2 * random.standard_normal((K, 1))
    left = penalty.residual(x[:, None], u)
    near = u - left

    def value(point: np.ndarray) -> float:
        return reference_penalty(point, lambda1, lambda2, name)

    for size in (1e-3, 0.1, 10.0):  # a subgradient: a line below the penalty that touches it at x
        for _ in range(20):
            other = x + size * random.standard_normal(K) * random.integers(0, 2, K)
            assert value(other) >= value(x) + near[:, 0] @ (other - x) - 1e-9
    for _ in range(20):  # the nearest: no other subgradient lies further along what is left
        other = 3 * random.standard_normal((K, 1))
        another = other - penalty.residual(x[:, None], other)
        assert float(np.vdot(left, another - near)) <= 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_columns_do_not_mix_and_values_add_up(name: str) -> None:
    random = np.random.default_rng(0)
    penalty = PENALTIES[name](0.3, 0.2)
    v = np.round(random.standard_normal((4, 200)), 1)
    x = penalty.prox(v)
    for j in range(200):
        np.testing.assert_array_equal(penalty.prox(v[:, j : j + 1])[:, 0], x[:, j])
        np.testing.assert_array_equal(
            penalty.residual(x[:, j : j + 1], v[:, j : j + 1])[:, 0], penalty.residual(x, v)[:, j]
        )
    assert penalty.value(x) == pytest.approx(sum(reference_penalty(column, 0.3, 0.2, name) for column in x.T))
    assert penalty.gauge(v) == pytest.approx(max(penalty.gauge(v[:, j : j + 1]) for j in range(200)), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_second_lambda_it_is_the_plain_penalty(name: str) -> None:
    penalty = PENALTIES[name](0.5, 0.0)
    v = np.array([[1.0, 0.2, -0.7], [-2.0, 0.0, 0.5]])
    np.testing.assert_allclose(penalty.prox(v), [[0.5, 0, -0.2], [-1.5, 0, 0]], atol=1e-15)
    np.testing.assert_array_equal(penalty.outside(v), [True, False, True])
    assert penalty.gauge(v) == pytest.approx(4.0)


def test_fused_neighbours_are_exactly_equal() -> None:
    penalty = PENALTIES["fused"](0.1, 0.5)
    x = penalty.prox(np.array([[0.9, 2.0], [1.1, 2.1], [3.7, 2.3]]))
    assert x[0, 0] == x[1, 0] != x[2, 0]
    assert x[0, 1] == x[1, 1] == x[2, 1]
