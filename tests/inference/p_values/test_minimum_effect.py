"""Tests against a minimum effect, checked against SciPy, at their limits and on planted pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm, t
from support.planted import blocks_of

from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import edge_tests
from glasso_cli.inference.estimates import inverse_estimate
from glasso_cli.inference.p_values.minimum_effect import Tail, beyond
from glasso_cli.inference.p_values.tails import two_sided

RHO = (0.03, 0.3)  # of pairs of neurons, in turn


def linked_pairs(pairs: int, tokens: int, seed: int, factors: np.ndarray | None = None) -> Blocks:
    """Independent tokens of pairs of neurons, each correlated with its partner alone, times ``factors (2 * pairs,)``."""
    rng = np.random.default_rng(seed)
    first, noise = rng.standard_normal((2, tokens, pairs))
    rho = np.resize(RHO, pairs)
    values = np.stack([first, rho * first + np.sqrt(1 - rho**2) * noise], axis=2).reshape(tokens, 2 * pairs)
    return blocks_of((values if factors is None else values * factors).reshape(-1, 20, 2 * pairs))


SIZES = np.array([0.0, 0.5, 2.0, 4.0, 9.0])


@pytest.mark.parametrize("freedom", [np.inf, 15.0, 3.5])
def test_without_a_minimum_effect_the_p_value_is_two_sided(freedom: float) -> None:
    np.testing.assert_allclose(beyond(SIZES, 0.0, freedom), two_sided(SIZES, freedom), rtol=1e-12)


@given(st.floats(0, 30), st.floats(0, 20), st.floats(0, 5), st.sampled_from([np.inf, 12.0]))
def test_a_larger_minimum_effect_never_makes_a_pair_more_significant(
    size: float, delta: float, more: float, freedom: float
) -> None:
    near, far = (float(beyond(np.array([size]), each, freedom)[0]) for each in (delta, delta + more))
    assert near <= far * (1 + 1e-12)
    assert 0 <= near <= 1


@pytest.mark.parametrize("freedom", [np.inf, 15.0])
@pytest.mark.parametrize("delta", [0.0, 0.3, 5.0])
def test_a_table_gives_the_same_p_values(freedom: float, delta: float) -> None:
    sizes = np.linspace(0, 25, 1001)
    expected = np.log(beyond(sizes, delta, freedom))
    found = Tail(freedom, 25.0).log_beyond(sizes, np.full(1001, delta))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("distribution", [norm(), t(15)], ids=["normal", "t"])
def test_effects_at_the_boundary_have_uniform_p_values_and_smaller_ones_larger(distribution: object) -> None:
    errors = distribution.rvs(size=20_000, random_state=np.random.default_rng(0))  # type: ignore[attr-defined]
    freedom = 15.0 if distribution.args else np.inf  # type: ignore[attr-defined]
    assert kstest(beyond(np.abs(4.0 + errors), 4.0, freedom), "uniform").pvalue > 0.01
    inside = beyond(np.abs(2.0 + errors), 4.0, freedom)
    for rate in (0.001, 0.01, 0.1):
        assert (inside <= rate).mean() <= rate


@pytest.mark.slow
def test_pairs_below_the_minimum_effect_are_seldom_found_and_those_above_are() -> None:
    blocks = linked_pairs(60, 40_000, 0)
    S, autocorrelation = blocks.correlation(), np.zeros((120, 1))
    every = np.triu_indices(len(S), 1)
    tests = edge_tests(inverse_estimate(S), S, blocks, autocorrelation, *every, min_effect=0.1)
    at_zero = edge_tests(inverse_estimate(S), S, blocks, autocorrelation, *every)
    linked = (every[0] % 2 == 0) & (every[1] == every[0] + 1)
    large = linked & (every[0] % 4 == 2)
    assert (tests.q[large] <= 0.05).all()
    assert not (tests.q[~large] <= 0.05).any()
    assert (at_zero.q[linked] <= 0.05).mean() > 0.9
    assert tests.discoveries == large.sum() < tests.nonzero == at_zero.nonzero == at_zero.discoveries
    np.testing.assert_array_equal(tests.q_zero, at_zero.q)


@pytest.mark.slow
def test_the_sign_and_the_scale_of_neurons_change_no_p_value() -> None:
    every, autocorrelation = np.triu_indices(40, 1), np.zeros((40, 1))
    rng = np.random.default_rng(0)
    factors = rng.choice([-1.0, 1.0], 40) * rng.uniform(0.1, 10, 40)
    one, other = (
        edge_tests(inverse_estimate(b.correlation()), b.correlation(), b, autocorrelation, *every, min_effect=0.05)
        for b in (linked_pairs(20, 4_000, 1), linked_pairs(20, 4_000, 1, factors))
    )
    np.testing.assert_allclose(other.q, one.q, rtol=1e-3)
    assert other.discoveries == one.discoveries
