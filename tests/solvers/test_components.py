from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from support.glasso_problems import PROBLEMS, neuron_like

from glasso_cli.solvers import path
from glasso_cli.solvers.components import labels, spanning_tree
from glasso_cli.solvers.problem import alpha_max
from glasso_cli.solvers.screening import as_checked_covariance


def thresholded(S: np.ndarray, weights: float | np.ndarray) -> np.ndarray:
    """The components by their definition."""
    linked = np.abs(S) > weights
    np.fill_diagonal(linked, False)
    return np.asarray(connected_components(csr_array(linked), directed=False)[1])


@pytest.mark.parametrize("name", PROBLEMS)
def test_one_tree_has_the_components_of_every_alpha(name: str) -> None:
    S = as_checked_covariance(PROBLEMS[name][0], 0.1)
    tree = spanning_tree(S)
    sizes = np.unique(np.abs(S[np.triu_indices(len(S), 1)]))
    alphas = [*sizes[:: max(1, len(sizes) // 20)], sizes[-1], 0.9 * sizes[-1]]  # ties: a pair at alpha is not linked
    for alpha in alphas:
        expected = thresholded(S, alpha)
        np.testing.assert_array_equal(tree.labels(alpha), expected)
        assert tree.largest(alpha) == np.bincount(expected).max()
    assert tree.strongest == alpha_max(S)


@pytest.mark.parametrize("seed", range(10))
def test_a_matrix_of_weights_has_the_components_of_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    S = np.corrcoef(rng.standard_normal((15, 40)).T)
    weights = rng.choice([0.0, 0.3, 0.6, np.inf], S.shape, p=[0.02, 0.1, 0.3, 0.58])
    weights = np.maximum(weights, weights.T)
    np.testing.assert_array_equal(labels(S, weights), thresholded(S, weights))


def test_neurons_that_nothing_links_and_a_single_one() -> None:
    np.testing.assert_array_equal(spanning_tree(np.eye(4)).labels(0.1), np.arange(4))
    np.testing.assert_array_equal(labels(np.eye(3), np.full((3, 3), np.inf)), np.arange(3))
    alone = spanning_tree(np.eye(1))
    assert (alone.strongest, alone.labels(0.5).tolist(), alone.largest(0.5)) == (0.0, [0], 1)


def test_a_path_looks_at_the_covariance_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(path, name)

        def look(*arguments: Any) -> Any:
            looks.append(name)
            return real(*arguments)

        return look

    for name in ("as_checked_covariance", "spanning_tree"):
        monkeypatch.setattr(path, name, counted(name))
    path.fit_path(neuron_like(), [0.3, 0.2, 0.1])
    assert looks == ["as_checked_covariance", "spanning_tree"]
