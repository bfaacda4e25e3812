"""The estimator: scikit-learn's own checks, its own test problems, and the certificate."""

from __future__ import annotations

import doctest
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.covariance import GraphicalLasso as Peer
from sklearn.covariance import empirical_covariance
from sklearn.datasets import load_iris, make_sparse_spd_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import glasso_cli as g
from glasso_cli.api import estimator as module


@pytest.mark.slow
@parametrize_with_checks([g.GraphicalLasso()])  # type: ignore[untyped-decorator]
def test_it_is_a_scikit_learn_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def planted(p: int, n: int, seed: int = 0) -> np.ndarray:
    """Samples ``(n, p)`` of a sparse graph, as scikit-learn's own tests draw them."""
    precision = make_sparse_spd_matrix(p, alpha=0.95, random_state=seed)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(p), np.linalg.inv(precision), size=n)


@pytest.mark.parametrize("alpha", [0.1, 0.01])
@pytest.mark.parametrize("centred", [True, False])
def test_it_agrees_with_scikit_learn_on_sparse_graphs(alpha: float, centred: bool) -> None:
    X = planted(20, 100) + (0 if centred else 3)
    ours = g.GraphicalLasso(alpha, assume_centered=centred, tol=1e-10).fit(X)
    peer = Peer(alpha=alpha, assume_centered=centred, tol=1e-8, enet_tol=1e-9, max_iter=500).fit(X)
    np.testing.assert_allclose(ours.precision_, peer.precision_, atol=1e-4)
    np.testing.assert_allclose(ours.covariance_, peer.covariance_, atol=1e-4)
    np.testing.assert_allclose(ours.location_, peer.location_, atol=1e-12)
    assert ours.score(X) == pytest.approx(peer.score(X), abs=1e-4)


def test_it_agrees_with_r_on_iris() -> None:
    """Values of R's glasso 1.11 at rho = 1 with an unpenalised diagonal, as in scikit-learn's tests (Friedman et al., 2008)."""
    X = load_iris().data
    covariance = np.array(
        [
            [0.68112222, 0.0000000, 0.265820, 0.02464314],
            [0.00000000, 0.1887129, 0.000000, 0.00000000],
            [0.26582000, 0.0000000, 3.095503, 0.28697200],
            [0.02464314, 0.0000000, 0.286972, 0.57713289],
        ]
    )
    fitted = g.GraphicalLasso(1.0, tol=1e-12).fit(X)
    np.testing.assert_allclose(fitted.covariance_, covariance, atol=2e-6)
    np.testing.assert_allclose(fitted.covariance_ @ fitted.precision_, np.eye(4), atol=1e-9)


def test_a_singular_covariance_has_a_solution() -> None:
    """Iris with one sample less than features would need: four samples, as in scikit-learn's tests."""
    X = load_iris().data[np.arange(0, 150, 50)]
    ours = g.GraphicalLasso(0.01, tol=1e-10).fit(X)
    peer = Peer(alpha=0.01, tol=1e-8, enet_tol=1e-9, max_iter=1000).fit(X)
    np.testing.assert_allclose(ours.covariance_, peer.covariance_, atol=1e-3)
    assert ours.converged_


def test_no_penalty_is_the_inverse_and_a_large_one_the_diagonal() -> None:
    X = planted(6, 80)
    S = empirical_covariance(X)
    np.testing.assert_allclose(g.GraphicalLasso(0.0).fit(X).precision_, np.linalg.inv(S), rtol=1e-5, atol=1e-8)
    largest = np.abs(S - np.diag(np.diag(S))).max()
    lonely = g.GraphicalLasso(largest).fit(X)
    np.testing.assert_allclose(lonely.precision_, np.diag(1 / np.diag(S)), rtol=1e-9)


def test_no_penalty_needs_an_inverse() -> None:
    with pytest.raises(ValueError, match="larger alpha"):
        g.GraphicalLasso(0.0).fit(planted(10, 5))


def test_a_covariance_that_is_given() -> None:
    X = planted(8, 60)
    from_data = g.GraphicalLasso(0.05).fit(X)
    from_matrix = g.GraphicalLasso(0.05, covariance="precomputed").fit(empirical_covariance(X))
    np.testing.assert_array_equal(from_matrix.precision_, from_data.precision_)
    assert from_matrix.location_.tolist() == [0.0] * 8


def test_a_penalised_diagonal_is_a_larger_variance() -> None:
    S = empirical_covariance(planted(8, 60))
    wide = g.GraphicalLasso(0.05, covariance="precomputed", penalise_diagonal=True).fit(S)
    same = g.GraphicalLasso(0.05, covariance="precomputed").fit(S + 0.05 * np.eye(8))
    np.testing.assert_allclose(wide.precision_, same.precision_, atol=1e-6)


def test_what_did_not_converge_warns_with_its_gap() -> None:
    S = empirical_covariance(planted(30, 40))
    with pytest.warns(ConvergenceWarning, match="nats per feature, not 1e-12; raise max_iter"):
        rough = g.GraphicalLasso(0.01, covariance="precomputed", max_iter=1, tol=1e-12).fit(S)
    assert rough.dual_gap_ > 1e-12
    assert not rough.converged_


def test_names_clones_and_pickles() -> None:
    X = pd.DataFrame(planted(4, 50), columns=list("abcd"))
    fitted = g.GraphicalLasso(0.1).fit(X)
    assert fitted.feature_names_in_.tolist() == list("abcd")
    assert clone(fitted).get_params() == fitted.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).precision_, fitted.precision_)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1}, "alpha should be at least 0"),
        ({"solver": "newtom"}, "solver should be one of newton"),
        ({"covariance": "given"}, "None or 'precomputed'"),
        ({"covariance": "precomputed"}, "is square"),
    ],
)
def test_wrong_parameters_are_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        g.GraphicalLasso(**options).fit(planted(4, 50))


def test_a_feature_without_variance_is_refused() -> None:
    X = planted(4, 50)
    X[:, 2] = 1.0
    with pytest.raises(ValueError, match="variance"):
        g.GraphicalLasso(0.1).fit(X)


def test_its_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
