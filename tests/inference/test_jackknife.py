from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import blocks_of, chain, documents, rows_of

from glasso_cli.errors import InputError
from glasso_cli.inference import jackknife
from glasso_cli.inference.estimates import Estimate, inverse_estimate, lasso_estimate
from glasso_cli.inference.factors import leading_factors
from glasso_cli.inference.jackknife import Typical, jackknife_variance, some_neurons, spread_of, typical_errors

TOKENS = documents(chain(6), 61, 9, ar=0.6) * np.arange(1, 7) - 2.0  # 61 documents: blocks of 27 and 36 tokens
PRECISION = chain(6, 0.25)
THETA = Estimate(np.zeros((6, 6)), csr_array(PRECISION), 0)


def written_out(standard: list[np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Busing, Meijer and van der Leeden's equations, one block after the other."""
    counts = np.array([len(part) for part in standard])
    n, B = counts.sum(), len(counts)
    whole = theta @ np.cov(np.concatenate(standard).T, bias=True) @ theta
    left = [theta @ np.cov(np.concatenate(standard[:b] + standard[b + 1 :]).T, bias=True) @ theta for b in range(B)]
    h = n / counts
    centre = B * whole - sum((1 - 1 / h[b]) * left[b] for b in range(B))
    pseudo = [h[b] * whole - (h[b] - 1) * left[b] for b in range(B)]
    return np.asarray(sum((pseudo[b] - centre) ** 2 / (h[b] - 1) for b in range(B)) / B)


@pytest.mark.parametrize("factors", [0, 1])
def test_it_is_the_delete_one_block_jackknife_for_unequal_blocks(factors: int) -> None:
    blocks, project = blocks_of(TOKENS), np.eye(6)
    if factors:
        removed = leading_factors(blocks.correlation(), factors)
        blocks, project = blocks.without(removed), project - removed.vectors @ removed.vectors.T
    every = rows_of(TOKENS, list(range(16)))
    rest = ((every - every.mean(0)) / every.std(0) @ project).std(0)
    standard = [(rows_of(TOKENS, [b]) - every.mean(0)) / every.std(0) @ project / rest for b in range(16)]
    found = jackknife_variance(blocks, THETA, blocks.correlation())
    np.testing.assert_allclose(found, written_out(standard, PRECISION), rtol=1e-5)


@pytest.mark.parametrize("neurons", [None, np.array([1, 4])])
def test_the_inverse_is_taken_anew_without_each_block(neurons: np.ndarray | None) -> None:
    blocks = blocks_of(TOKENS)
    every = rows_of(TOKENS, list(range(16)))
    standard = [(rows_of(TOKENS, [b]) - every.mean(0)) / every.std(0) for b in range(16)]
    estimate = inverse_estimate(blocks.correlation())
    found = jackknife_variance(blocks, estimate, blocks.correlation(), neurons)
    counts = np.array([len(part) for part in standard])
    n = counts.sum()
    left = [np.linalg.inv(np.cov(np.concatenate(standard[:b] + standard[b + 1 :]).T, bias=True)) for b in range(16)]
    errors = np.array([(n / counts[b] - 1) * (estimate.T - left[b]) for b in range(16)])
    centre = np.einsum("b,bij->ij", counts / n, errors)
    expected = np.einsum("b,bij->ij", counts / (n - counts), (errors - centre) ** 2) / 16
    chosen = np.arange(6) if neurons is None else neurons
    np.testing.assert_allclose(found, expected[np.ix_(chosen, chosen)], rtol=1e-6)


@pytest.mark.parametrize("order", [0, 1])
def test_many_neurons_in_float32_have_the_same_errors(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(documents(chain(300), 64, 20, ar=0.5) * np.geomspace(1e-3, 1e3, 300)[:: 1 - 2 * order])
    S = blocks.correlation()
    estimate, some = inverse_estimate(S), np.arange(3, 300, 7)
    rough = jackknife_variance(blocks, estimate, S, some)
    monkeypatch.setattr(jackknife, "_STEEP", 0.0)
    exact = jackknife_variance(blocks, estimate, S, some)
    assert (rough != exact).any()
    np.testing.assert_allclose(rough, exact, rtol=1e-3)


def test_chosen_neurons_have_their_part_of_it() -> None:
    blocks, some = blocks_of(TOKENS), np.array([0, 2, 5])
    whole = jackknife_variance(blocks, THETA, blocks.correlation())
    part = jackknife_variance(blocks, THETA, blocks.correlation(), some)
    np.testing.assert_allclose(part, whole[np.ix_(some, some)], rtol=1e-10)


def test_empty_blocks_do_not_count() -> None:
    few = blocks_of(TOKENS[:9])
    assert len(few.filled) == 9
    assert np.isfinite(jackknife_variance(few, THETA, few.correlation())).all()
    with pytest.raises(InputError, match="needs 4"):
        jackknife_variance(blocks_of(TOKENS[:3]), THETA, few.correlation())


def formula(precision: np.ndarray, n: int) -> np.ndarray:
    """Of independent Gaussian tokens."""
    diagonal = precision.diagonal()
    return np.asarray((np.outer(diagonal, diagonal) + precision**2) / n)


def typical(tokens: np.ndarray) -> Typical:
    p = tokens.shape[2]
    covariance = np.linalg.inv(chain(p))
    scale = np.sqrt(covariance.diagonal())
    precision = chain(p) * np.outer(scale, scale)  # of the correlation
    blocks, every = blocks_of(tokens), np.arange(p)
    S = blocks.correlation()
    return typical_errors(
        blocks, lasso_estimate(csr_array(precision), S), S, every, formula(precision, blocks.n_tokens)
    )


def test_gaussian_tokens_have_the_errors_of_the_formula() -> None:
    found = typical(documents(chain(60), 320, 20))
    assert found.inflation == pytest.approx(1, abs=0.04)
    assert found.freedom > 500


def test_documents_of_unequal_scale_have_larger_errors_with_longer_tails() -> None:
    tokens = documents(chain(60), 320, 20)
    scale = np.sqrt(5 / np.random.default_rng(3).chisquare(5, 320))[:, None, None]
    found = typical(tokens * scale / np.sqrt((scale**2).mean()))
    assert found.inflation == pytest.approx((scale**4).mean() / (scale**2).mean() ** 2, rel=0.15)
    one = np.ones((320, 1, 1))
    one[7] = 12.0  # a single document that outweighs all others
    heavy = typical(tokens * one / np.sqrt((one**2).mean()))
    assert 4 < heavy.freedom < 60


@pytest.mark.parametrize("p", [2, 128, 300, 5000])
def test_some_neurons_are_evenly_spaced(p: int) -> None:
    some = some_neurons(np.linspace(0, 0.5, p)[:, None] * np.array([1, -1]))
    assert len(some) == min(p, 128)
    assert (some[0], some[-1]) == (0, p - 1)
    assert np.ptp(np.diff(some)) <= 1


def test_the_numbers_of_neurons_do_not_decide_which_are_taken() -> None:
    rng = np.random.default_rng(0)
    R, order = rng.uniform(-0.5, 0.5, (500, 3)), rng.permutation(500)
    assert sorted(order[some_neurons(R[order])]) == some_neurons(R).tolist()


@pytest.mark.parametrize("freedom", [3, 15, 63])
@pytest.mark.parametrize("spread", [1.0, 1.5, 2.0, 5.0])
def test_the_spread_is_that_of_the_true_ratios(freedom: int, spread: float) -> None:
    random = np.random.default_rng(0)
    true = np.exp(np.log(spread) * random.standard_normal(40_000))
    found = spread_of(7.0 * true * random.chisquare(freedom, 40_000) / freedom, freedom)
    assert found == pytest.approx(spread, rel=0.06 if spread > 1 else 0.2)
