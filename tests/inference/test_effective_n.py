from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.inference import effective_n as module
from glasso_cli.inference.effective_n import TAU_FLOOR, effective_n, tau


def ar1(coefficients: np.ndarray, lags: int) -> np.ndarray:
    return coefficients[:, None] ** np.arange(1, lags + 1)


@pytest.mark.parametrize(("p", "block"), [(2, 512), (5, 2), (37, 8), (64, 16)])
def test_quantiles_equal_those_of_every_pair_written_out(p: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    R = np.random.default_rng(p).uniform(-0.4, 0.9, size=(p, 6))
    pairs = []
    for i in range(p):
        for j in range(i + 1, p):
            inflation = 1 + 2 * sum(R[i, k] * R[j, k] for k in range(6))
            pairs.append(1000 / max(inflation, TAU_FLOOR))
    found = effective_n(R, 1000)
    assert found.n_tokens == 1000
    np.testing.assert_allclose([found.median, found.q05], np.quantile(pairs, [0.5, 0.05]))


def test_independent_tokens_count_in_full() -> None:
    found = effective_n(np.zeros((10, 8)), 5000)
    assert (found.median, found.q05) == (5000, 5000)


def test_equal_first_order_dependence_has_its_closed_form() -> None:
    rho = 0.7
    found = effective_n(ar1(np.full(6, rho), 200), 10_000)
    assert found.median == pytest.approx(10_000 * (1 - rho**2) / (1 + rho**2))


def test_the_variance_of_a_correlation_is_tau_over_n() -> None:
    """Simulated: two independent first-order series, 4,000 correlations of 200 tokens each."""
    rng = np.random.default_rng(0)
    repeats, n, rho = 4000, 200, 0.7
    series = np.empty((n, repeats, 2))
    series[0] = rng.standard_normal((repeats, 2))
    for step in range(1, n):
        noise = rng.standard_normal((repeats, 2))
        series[step] = rho * series[step - 1] + np.sqrt(1 - rho**2) * noise
    series -= series.mean(axis=0)
    correlations = (series[..., 0] * series[..., 1]).sum(axis=0) / np.sqrt((series**2).sum(axis=0).prod(axis=1))
    R = ar1(np.array([rho]), 100)
    assert correlations.var() == pytest.approx(float(tau(R, R)[0, 0]) / n, rel=0.1)


def test_tau_has_a_floor() -> None:
    alternating = np.array([[0.9, 0.9], [-0.9, -0.9]])
    assert tau(alternating[:1], alternating[1:]).item() == TAU_FLOOR
    assert effective_n(alternating, 100).median == pytest.approx(100 / TAU_FLOOR)


def test_many_neurons_are_thinned_evenly_and_the_same_way_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXACT", 50)
    R = np.random.default_rng(1).uniform(0, 0.5, size=(101, 4))
    assert effective_n(R, 100) == effective_n(R, 100)
    assert effective_n(R, 100) == effective_n(R[np.random.default_rng(2).permutation(101)], 100)
    assert effective_n(R, 100) != effective_n(R[:50], 100)


@pytest.mark.parametrize("p", [0, 1])
def test_without_a_pair_the_tokens_are_taken_as_they_are(p: int) -> None:
    found = effective_n(np.zeros((p, 3)), 10)
    assert (found.median, found.q05) == (10, 10)


@pytest.mark.parametrize("bad", [np.zeros(3), np.full((2, 2), np.nan)])
def test_bad_autocorrelations_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="autocorrelations"):
        effective_n(bad, 10)
