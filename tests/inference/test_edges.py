from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import norm, t
from support.planted import autocorrelation, blocks_of, chain, documents

from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import VARIANCES, edge_tests
from glasso_cli.inference.estimates import ENOUGH, Estimate, alpha_for_tests, inverse_estimate, lasso_estimate
from glasso_cli.inference.jackknife import jackknife_variance
from glasso_cli.solvers.path import fit_from

P = 40
PAIRS = np.triu_indices(P, 1)


@pytest.mark.slow
def test_three_neurons_by_hand() -> None:
    """S of a chain of three; Theta a penalised estimate with one edge; no dependence between tokens."""
    a, b, n = 0.5, 0.2, 400
    S = np.array([[1, a, b], [a, 1, 0], [b, 0, 1]])
    theta = csr_array(np.array([[1.2, -0.4, 0], [-0.4, 1.2, 0], [0, 0, 1.0]]))
    tokens = np.random.default_rng(0).standard_normal((40, 10, 3))
    found = edge_tests(
        lasso_estimate(theta, S), S, blocks_of(tokens), np.zeros((3, 2)), *np.triu_indices(3, 1), variance="normal"
    )
    # Theta S Theta at (0, 1): 1.2 (1.2 a - 0.4) - 0.4 (1.2 - 0.4 a), and so on
    t01 = -0.8 - (1.2 * (-0.4 + 1.2 * a) - 0.4 * (-0.4 * a + 1.2))
    t02 = -(1.2 * b)
    t12 = 0.4 * b
    z = -np.sqrt(n) * np.array([t01 / np.sqrt(1.44 + 0.16), t02 / np.sqrt(1.2), t12 / np.sqrt(1.2)])
    np.testing.assert_allclose(found.z, z)
    np.testing.assert_allclose(found.p, 2 * norm.sf(np.abs(z)))
    diagonal = np.array([2.4 - (1.44 + 0.16 - 0.96 * a), 2.4 - (1.44 + 0.16 - 0.96 * a), 1.0])
    rho = -np.array([t01, t02, t12]) / np.sqrt(diagonal[[0, 0, 1]] * diagonal[[1, 2, 2]])
    np.testing.assert_allclose(found.partial_correlation, rho)
    np.testing.assert_allclose(found.standard_error, (1 - rho**2) / np.sqrt(n))
    order = np.sort(found.p) * 3 / np.arange(1, 4)
    np.testing.assert_allclose(np.sort(found.q), np.minimum.accumulate(order[::-1])[::-1])
    assert (found.inflation, found.pairs) == (1.0, 3)


def test_dependent_tokens_are_worth_less() -> None:
    theta = csr_array(np.eye(P))
    S = np.asarray(np.corrcoef(np.random.default_rng(0).standard_normal((P, 200))))
    blocks = blocks_of(np.random.default_rng(1).standard_normal((40, 10, P)))
    R = 0.7 ** np.tile(np.arange(1, 60), (P, 1))
    alone, together = (
        edge_tests(lasso_estimate(theta, S), S, blocks, some, *PAIRS, variance="normal")
        for some in (np.zeros_like(R), R)
    )
    np.testing.assert_allclose(together.z, alone.z / np.sqrt((1 + 0.49) / (1 - 0.49)), rtol=1e-6)


def fitted(ar: float, seed: int, inverse: bool = False) -> tuple[Estimate, np.ndarray, Blocks, np.ndarray]:
    tokens = documents(chain(P), 160, 20, ar=ar, seed=seed)
    blocks = blocks_of(tokens)
    S = blocks.correlation()
    estimate = inverse_estimate(S) if inverse else lasso_estimate(fit_from(S, 0.08, None).precision(), S)
    return estimate, S, blocks, autocorrelation(tokens)


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_planted_chain_is_found_with_the_false_discoveries_asked_for(variance: str, inverse: bool) -> None:
    real = PAIRS[1] - PAIRS[0] == 1
    false = true = 0
    for seed in range(8):
        found = edge_tests(*fitted(0.7, seed, inverse), *PAIRS, variance=variance)
        taken = found.q <= 0.05
        assert found.discoveries == taken.sum()
        false, true = false + int((taken & ~real).sum()), true + int((taken & real).sum())
        assert (np.sign(found.partial_correlation[taken & real]) == -1).all()
    assert true >= 0.95 * 8 * (P - 1)
    assert false / (false + true) <= 0.1


def test_tokens_taken_for_independent_are_believed_too_much() -> None:
    estimate, S, blocks, R = fitted(0.7, 0)
    real = PAIRS[1] - PAIRS[0] == 1
    found = edge_tests(estimate, S, blocks, np.zeros_like(R), *PAIRS, variance="normal")
    assert ((found.q <= 0.05) & ~real).sum() > 0.3 * (found.q <= 0.05).sum()


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
def test_error_bars_cover_the_truth(inverse: bool) -> None:
    truth = -chain(P)[PAIRS]  # the diagonal is 1
    inside = []
    for seed in range(6):
        found = edge_tests(*fitted(0.5, seed, inverse), *PAIRS)
        inside.append(np.abs(found.partial_correlation - truth) <= 1.96 * found.standard_error)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
    assert np.mean(np.array(inside)[:, truth != 0]) == pytest.approx(0.95, abs=0.06)


@pytest.mark.slow
def test_the_pooled_variance_is_one_factor_on_the_formula_and_finds_a_common_scale() -> None:
    estimate, S, blocks, R = fitted(0.0, 0)
    normal, pooled = (edge_tests(estimate, S, blocks, R, *PAIRS, variance=name) for name in ("normal", "pooled"))
    assert 0.75 < pooled.inflation < 1  # the penalty makes Theta_ii smaller than 1 / var(Theta x)_i
    np.testing.assert_allclose(pooled.z * np.sqrt(pooled.inflation), normal.z)
    scale = np.sqrt(5 / np.random.default_rng(3).chisquare(5, 160))
    tokens = documents(chain(P), 160, 20) * scale[:, None, None]
    blocks = blocks_of(tokens)
    S = blocks.correlation()
    heavy = edge_tests(
        lasso_estimate(fit_from(S, 0.08, None).precision(), S), S, blocks, autocorrelation(tokens), *PAIRS
    )
    assert heavy.inflation / pooled.inflation == pytest.approx((scale**4).mean() / (scale**2).mean() ** 2, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
def test_an_inflation_found_before_is_all_that_the_formula_is_multiplied_by(inverse: bool) -> None:
    given = fitted(0.7, 0, inverse)
    pooled = edge_tests(*given, *PAIRS)
    again = edge_tests(*given, *PAIRS, variance="normal", inflation=pooled.inflation)
    np.testing.assert_allclose(again.z, pooled.z)
    assert again.inflation == pooled.inflation


@pytest.mark.slow
@pytest.mark.parametrize("variance", ["pooled", "jackknife"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_blocks_of_the_same_documents_say_nothing_about_errors(variance: str) -> None:
    one = np.random.default_rng(0).standard_normal((1, 60, 6))
    blocks = blocks_of(np.repeat(one, 16, axis=0))
    S, R = blocks.correlation(), np.zeros((6, 3))
    pairs = np.triu_indices(6, 1)
    tests = edge_tests(lasso_estimate(csr_array(np.eye(6)), S), S, blocks, R, *pairs, variance=variance)
    assert tests.inflation == 1.0
    assert np.isfinite(tests.z).all()
    assert (tests.standard_error > 0.01).all()


def test_every_pair_may_have_its_own_jackknife_or_the_formula_where_that_is_larger() -> None:
    estimate, S, blocks, R = fitted(0.5, 1)
    found = edge_tests(estimate, S, blocks, R, *PAIRS, variance="jackknife")
    normal = edge_tests(estimate, S, blocks, R, *PAIRS, variance="normal")
    T = estimate.T[PAIRS]
    own, formula = jackknife_variance(blocks, estimate, S)[PAIRS], (T / normal.z) ** 2
    assert 0.2 < np.mean(own > formula) < 0.8
    np.testing.assert_allclose(found.z, -T / np.sqrt(np.maximum(own, formula)), rtol=1e-6)
    np.testing.assert_allclose(found.p, 2 * t.sf(np.abs(found.z), 15), rtol=1e-6)


# -- neurons that are mostly zero ---------------------------------------------------------------------


def mostly_zero(seed: int, p: int = P) -> np.ndarray:
    """``(200, 40, p)``: neurons of 0.5 to 10 % active tokens, of which 0 and 1, 2 and 3, … of the first half depend on each other."""
    random = np.random.default_rng([seed, 3])
    tokens = random.standard_normal((200, 40, p))
    tokens[:, :, 1 : p // 2 : 2] = 0.8 * tokens[:, :, : p // 2 : 2] + 0.6 * tokens[:, :, 1 : p // 2 : 2]
    rates = np.geomspace(0.005, 0.1, p // 2)[random.permutation(p // 2)].repeat(2)
    return np.asarray(np.maximum(tokens - norm.isf(rates), 0.0))


def given(tokens: np.ndarray) -> tuple[Estimate, np.ndarray, Blocks, np.ndarray]:
    blocks = blocks_of(tokens)
    S = blocks.correlation()
    return inverse_estimate(S), S, blocks, autocorrelation(tokens)


@pytest.mark.slow
def test_neurons_that_are_mostly_zero_are_judged_pair_by_pair() -> None:
    """One factor on the formula makes a third or more of what is found false; the errors of pairs by themselves next to none."""
    real = (PAIRS[1] - PAIRS[0] == 1) & (PAIRS[0] % 2 == 0) & (PAIRS[1] < P // 2)
    false, true = dict.fromkeys(VARIANCES, 0), dict.fromkeys(VARIANCES, 0)
    for seed in range(8):
        inputs = given(mostly_zero(seed))
        for name in VARIANCES:
            found = edge_tests(*inputs, *PAIRS, variance=name)
            taken = found.q <= 0.05
            false[name] += int((taken & ~real).sum())
            true[name] += int((taken & real).sum())
            assert found.variance == ("jackknife" if name == "auto" else name)
        assert found.spread > 2
    assert false["normal"] > 0.3 * (false["normal"] + true["normal"])
    assert false["auto"] == false["jackknife"] <= 0.05 * true["auto"]
    assert true["auto"] >= 0.5 * 8 * P // 4


def test_how_far_pairs_differ_does_not_depend_on_order_units_or_signs() -> None:
    tokens, random = mostly_zero(1), np.random.default_rng(0)
    order = random.permutation(P)
    changed = (tokens * random.uniform(0.1, 9, P) * random.choice([-1, 1], P) + 3.0)[:, :, order]
    one, other = (edge_tests(*given(each), *PAIRS) for each in (tokens, changed))
    assert one.variance == other.variance == "jackknife"
    assert other.spread == pytest.approx(one.spread, rel=1e-3)
    assert other.nonzero == one.nonzero


def test_where_one_factor_will_do_auto_is_pooled() -> None:
    inputs = fitted(0.7, 0)
    auto, pooled = (edge_tests(*inputs, *PAIRS, variance=name) for name in ("auto", "pooled"))
    assert auto.variance == pooled.variance == "pooled"
    assert auto.spread == pooled.spread < 1.5
    assert auto.q.tolist() == pooled.q.tolist()


@pytest.mark.slow
def test_chosen_pairs_are_judged_among_all() -> None:
    given = fitted(0.5, 2)
    every = edge_tests(*given, *PAIRS)
    some = np.array([3, 500, 77])
    found = edge_tests(*given, PAIRS[0][some], PAIRS[1][some])
    for name in ("partial_correlation", "standard_error", "z", "p", "q"):
        assert getattr(found, name).tolist() == getattr(every, name)[some].tolist()
    assert found.discoveries == every.discoveries


def test_one_neuron_has_no_pairs() -> None:
    found = edge_tests(inverse_estimate(np.eye(1)), np.eye(1), blocks_of(np.random.default_rng(0).standard_normal((20, 3, 1))),
                       np.zeros((1, 2)), np.empty(0, int), np.empty(0, int))  # fmt: skip
    assert (found.pairs, found.discoveries, len(found.q)) == (0, 0, 0)


def test_another_variance_is_refused() -> None:
    with pytest.raises(InputError, match="no variance 'sandwich'") as caught:
        edge_tests(*fitted(0.0, 0), *PAIRS, variance="sandwich")
    assert "auto, pooled, normal, jackknife" in caught.value.hint


# -- given all other neurons ------------------------------------------------------------------------


def test_the_inverse_gives_the_partial_correlations_of_regressions() -> None:
    tokens = documents(chain(5), 50, 8)
    blocks = blocks_of(tokens)
    S = blocks.correlation()
    found = edge_tests(inverse_estimate(S), S, blocks, np.zeros((5, 2)), *np.triu_indices(5, 1), variance="normal")
    values = tokens.reshape(-1, 5) - tokens.reshape(-1, 5).mean(axis=0)
    rest = values[:, 2:]
    left = [values[:, k] - rest @ np.linalg.lstsq(rest, values[:, k], rcond=None)[0] for k in (0, 1)]
    rho = np.corrcoef(left)[0, 1]
    assert found.partial_correlation[0] == pytest.approx(rho)
    assert found.standard_error[0] == pytest.approx((1 - rho**2) / np.sqrt(400 - 5))


def test_the_tokens_that_many_neurons_use_up_are_counted() -> None:
    """40 neurons on 120 independent tokens: the variance of z is n / (n - p) = 1.5 without, 1 with."""
    z = []
    for seed in range(12):
        tokens = np.random.default_rng(seed).standard_normal((24, 5, P))
        blocks = blocks_of(tokens, count=8)
        S = blocks.correlation()
        z.append(edge_tests(inverse_estimate(S), S, blocks, np.zeros((P, 1)), *PAIRS, variance="normal").z)
    assert np.var(z) == pytest.approx(1, abs=0.1)


def test_too_few_tokens_for_all_neurons_are_refused() -> None:
    tokens = np.random.default_rng(0).standard_normal((24, 5, P))
    blocks, R = blocks_of(tokens, count=8), np.tile(0.9 ** np.arange(1, 20), (P, 1))
    S = blocks.correlation()
    with pytest.raises(InputError, match="too few for partial correlations given all 40 neurons") as caught:
        edge_tests(inverse_estimate(S), S, blocks, R, *PAIRS, variance="normal")
    assert "fit.estimate: lasso" in caught.value.hint
    tokens[:, :, 0] = tokens[:, :, 1] + tokens[:, :, 2]
    with pytest.raises(InputError, match="singular"):
        inverse_estimate(np.corrcoef(tokens.reshape(-1, P).T[:, :30]))


def test_the_penalty_of_the_tests_falls_with_the_tokens() -> None:
    assert ENOUGH > 1
    assert alpha_for_tests(2048, 10_000) == pytest.approx(np.sqrt(np.log(2048) / 10_000))
