"""Errors of paths are those of draws, and those of products computed again without each block of documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.layered import layered

from glasso_cli.scoring.pathways.best_paths import best_paths
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.errors import jackknife_product_error, path_errors, product_error
from glasso_cli.scoring.pathways.units import Units

BLOCKS = 16


def deviations(of_blocks: np.ndarray) -> np.ndarray:
    """What blocks of one size add to the errors of the means ``(m, B)``."""
    blocks = of_blocks.shape[1]
    return np.asarray((of_blocks - of_blocks.mean(axis=1, keepdims=True)) / np.sqrt(blocks * (blocks - 1)))


def test_the_error_of_a_product_is_that_of_draws() -> None:
    random = np.random.default_rng(0)
    for factors in ([0.5, -0.3], [0.0, 0.0], [0.02, 0.4, -0.2]):
        errors = np.array([0.1, 0.05, 0.2][: len(factors)])
        draws = (np.array(factors) + errors * random.standard_normal((400_000, len(factors)))).prod(axis=1)
        assert product_error(np.array(factors), errors) == pytest.approx(draws.std(), rel=0.02)


def test_it_is_the_product_computed_again_without_each_block() -> None:
    of_blocks = np.random.default_rng(0).standard_normal((3, BLOCKS)) * 0.3 + [[0.5], [-1.0], [2.0]]
    whole = of_blocks.mean(axis=1).prod()
    without = np.array([np.delete(of_blocks, block, axis=1).mean(axis=1).prod() for block in range(BLOCKS)])
    expected = np.sqrt((BLOCKS - 1) / BLOCKS * ((without - whole) ** 2).sum())
    assert jackknife_product_error(of_blocks.mean(axis=1), deviations(of_blocks)) == pytest.approx(expected)


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.9])
def test_factors_that_change_together_have_their_own_error(correlation: float) -> None:
    """The error is that of other documents, where that of independent factors is too small or too large."""
    random = np.random.default_rng(1)
    both = np.array([[1.0, correlation], [correlation, 1.0]])
    products, errors, independent = [], [], []
    for _ in range(400):
        of_blocks = random.multivariate_normal([1.0, 1.0], 0.2 * both, BLOCKS).T
        factors, apart = of_blocks.mean(axis=1), deviations(of_blocks)
        products.append(factors.prod())
        errors.append(jackknife_product_error(factors, apart))
        independent.append(product_error(factors, np.sqrt((apart**2).sum(axis=1))))
    spread = np.std(products)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=0.15)
    if correlation:
        assert abs(np.log(np.mean(independent) / spread)) > 0.25


def graph_with_blocks(seed: int = 0) -> Any:
    graph = layered((4, 5, 4), skip=False, seed=seed)
    apart = np.random.default_rng(seed).standard_normal((len(graph.weights), BLOCKS)) * 0.02
    apart -= apart.mean(axis=1, keepdims=True)
    return replace(graph, deviations=apart, errors=np.sqrt((apart**2).sum(axis=1)))


def test_units_that_move_with_the_edges_count() -> None:
    """Where a neuron spreads more, edges in its standard deviations are larger: both errors cancel, or add up."""
    graph = graph_with_blocks()
    p = graph.n_neurons
    end = End.of_neurons(graph.layers == 2, BLOCKS)
    paths = best_paths(graph, 5, graph.layers == 0, end.slopes)
    alone = path_errors(graph, paths, end, None)
    path = paths[0]
    relative = (graph.deviations[list(path.edges)] / graph.weights[list(path.edges), None]).sum(axis=0)
    # Logarithms of standard deviations that change against the product, block by block.
    without = np.zeros((BLOCKS, p))
    without[:, path.neurons[0]] = relative * np.sqrt(BLOCKS / (BLOCKS - 1))
    units = Units(np.zeros(p), without, np.full(BLOCKS, 1 / BLOCKS), np.arange(BLOCKS))
    cancelled = path_errors(graph, paths[:1], end, units)
    doubled = path_errors(graph, paths[:1], end, replace(units, without=-without))
    assert cancelled[0] < 0.1 * alone[0]
    assert doubled[0] == pytest.approx(2 * alone[0], rel=0.1)


def test_one_silent_side_takes_factors_as_independent() -> None:
    graph = graph_with_blocks()
    end = End.of_neurons(graph.layers == 2, BLOCKS)
    paths = best_paths(graph, 5, graph.layers == 0, end.slopes)
    expected = [product_error(graph.weights[list(path.edges)], graph.errors[list(path.edges)]) for path in paths]
    for one, other in ((replace(graph, deviations=None), end), (graph, replace(end, deviations=None))):
        np.testing.assert_allclose(path_errors(one, paths, other, None), expected)
    assert not np.allclose(path_errors(graph, paths, end, None), expected, rtol=0.01)
