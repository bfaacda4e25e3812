"""A fit without a matrix of all pairs is that of the dense route, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.sparse_fits import collected, dense
from support.sparse_values import latents

from glasso_cli.config import FitSection
from glasso_cli.config.sections.fit import SelectSection
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting.sparse import problem, tested
from glasso_cli.fitting.sparse.run import fit_sparse_corpus
from glasso_cli.inference.sparse.tails import COUNTED

P = 48
SECTION = FitSection(
    alpha=(0.3, 0.15, 0.08), select=SelectSection(rule="fixed", alpha=0.08), estimate="lasso", half_samples=4
)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.03, 0.3])  # every pair has its own error, and one factor does for all
@pytest.mark.parametrize("documents", [64, 4096])  # the alpha of the tests is above, and below, that of the graph
def test_the_fit_is_that_of_the_dense_route(rate: float, documents: int) -> None:
    tokens = latents(P, documents, 10, rate)
    section = SECTION.model_copy(update={"tol": 1e-11})
    expected, found = dense(tokens, section), fit_sparse_corpus(collected(tokens), section)
    exact = (
        "neuron_ids",
        "neurons",
        "layers",
        "orientation",
        "alphas",
        "offsets",
        "rows",
        "cols",
        "n_components",
        "kept",
        "communities",
        "entry_alphas",
        "tested_rows",
        "tested_cols",
    )
    near = ("values", "diagonals", "marginals", "objective", "log_likelihood", "tested_alpha", "tested_values")
    tests = ("debiased", "standard_error", "z", "p_zero", "p_values")
    for name in exact:
        assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in near:
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-5, err_msg=name)
    for name in tests:
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-3, atol=1e-5, err_msg=name)
    for name in ("q_zero", "q_values"):
        small = getattr(expected, name) < COUNTED
        assert_allclose(
            getattr(found, name)[small], getattr(expected, name)[small], rtol=5e-3, atol=1e-290, err_msg=name
        )
    ours, theirs = found.metrics, expected.metrics
    assert (ours.variance, ours.pairs) == (theirs.variance, theirs.pairs)
    # halves are solved to a gap of 1e-6, at which an entry near zero may be an edge or not
    assert (found.frequencies != expected.frequencies).mean() < 0.04
    assert ours.half_samples.replication == pytest.approx(theirs.half_samples.replication, abs=0.02)
    assert ours.edges >= (16 if documents > 64 else 1)
    assert found.converged.all()


def test_where_components_of_the_small_alpha_are_large_the_tests_stay_within_those_of_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tested, "_LARGEST", 1)
    tokens = latents(P, 2048, 10)
    section = SECTION.model_copy(update={"half_samples": 0})
    fit = fit_sparse_corpus(collected(tokens), section)
    assert float(fit.tested_alpha[0]) < 0.08
    precision = fit.tested_precision()
    assert precision is not None
    apart = np.ones((P, P), bool)
    for first in range(0, P // 2, 3):
        apart[first : first + 3, first : first + 3] = False
    np.fill_diagonal(apart, False)
    assert not precision.toarray()[apart].any()
    assert fit.metrics.edges >= 16


def test_a_test_that_would_take_too_long_is_of_a_larger_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = latents(P, 2048, 10)
    section = SECTION.model_copy(update={"half_samples": 0})
    small = fit_sparse_corpus(collected(tokens), section).tested_alpha[0]
    values = collected(tokens).values
    monkeypatch.setattr(tested, "_PRODUCTS", 6.0 * (np.diff(values.matrix.indptr) ** 2).sum() / 2)
    larger = fit_sparse_corpus(collected(tokens), section).tested_alpha[0]
    assert small < larger <= 0.08
    monkeypatch.setattr(tested, "_PRODUCTS", 1.0)
    with pytest.raises(InputError, match="too many edges for a test of all pairs"):
        fit_sparse_corpus(collected(tokens), section)


def test_permuted_neurons_give_the_same_fit() -> None:
    tokens = latents(P, 96, 20)
    order = np.random.default_rng(1).permutation(P)
    section = SECTION.model_copy(update={"half_samples": 0})
    one, other = (fit_sparse_corpus(collected(each), section) for each in (tokens, tokens[..., order]))
    edges = []
    for fit, name in ((one, np.arange(P)), (other, order)):
        rows, cols, rho = fit.edges()
        pairs = np.sort(np.stack([name[rows], name[cols]]), axis=0)
        edges.append({tuple(pair): value for pair, value in zip(pairs.T.tolist(), rho.tolist())})
    assert edges[0].keys() == edges[1].keys()
    assert_allclose([edges[1][pair] for pair in edges[0]], list(edges[0].values()), atol=1e-5)
    assert one.metrics.edges == other.metrics.edges


def test_an_alpha_that_connects_too_many_neurons_is_refused_with_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = latents(P, 96, 20)
    monkeypatch.setattr(problem, "LARGEST", 3)
    section = SECTION.model_copy(update={"alpha": (0.01,), "select": SelectSection(), "half_samples": 0})
    with pytest.raises(InputError, match="are in one component, more than the 3") as refused:
        fit_sparse_corpus(collected(tokens), section)
    enough = float(refused.value.hint.split()[-3])
    fit_sparse_corpus(collected(tokens), section.model_copy(update={"alpha": (enough,)}))
    monkeypatch.setattr(problem, "PAIRS", 10)
    with pytest.raises(InputError, match="More than 10 pairs"):
        fit_sparse_corpus(collected(tokens), section)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"method": "latent"}, "fit.method: latent needs the matrix"),
        ({"remove_factors": 2}, "fit.remove_factors needs"),
        ({"order": "layers"}, "fit.order: layers needs"),
        ({"estimate": "inverse"}, "fit.estimate: inverse needs"),
        ({"null": True}, "fit.null needs"),
    ],
)
def test_what_needs_a_dense_matrix_is_refused(changed: dict[str, object], words: str) -> None:
    section = SECTION.model_copy(update=changed)
    with pytest.raises(InputError, match=words):
        fit_sparse_corpus(collected(latents(12)), section)


def test_the_fitted_neurons_are_those_that_are_asked_for() -> None:
    tokens = latents(P, 64, 10)
    tokens[1:, :, 5] = 0
    tokens[0, 0, 5] = 1  # in one block alone
    section = SECTION.model_copy(update={"half_samples": 0})
    every = fit_sparse_corpus(collected(tokens), section)
    assert_array_equal(every.neurons, np.setdiff1d(np.arange(P), [5]))
    four = fit_sparse_corpus(collected(tokens), section.model_copy(update={"neurons": 4}))
    assert_array_equal(four.neurons, np.sort(np.argsort(-tokens.reshape(-1, P).std(axis=0))[:4]))
    with pytest.raises(InputError, match="Fewer than two neurons"):
        fit_sparse_corpus(collected(tokens), section.model_copy(update={"neurons": ("layers.0.mlp[5]",)}))


def test_what_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = collected(latents(P, 64, 10))
    section = SECTION.model_copy(update={"half_samples": 0})
    for bytes_left, words in (
        (1e8, "The tests of all pairs of 48 neurons need 0.2 GB"),
        (1e3, "The solver newton needs"),
    ):
        monkeypatch.setattr(machine, "available_memory", lambda left=bytes_left: int(left))
        with pytest.raises(InputError, match=words):
            fit_sparse_corpus(fit, section)
