"""The best paths are those of a search through all paths."""

from __future__ import annotations

import numpy as np
import pytest
from support.layered import layered, of, paths

from glasso_cli.errors import InputError
from glasso_cli.scoring.pathways.best_paths import best_paths


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 3, 10, 10_000])
def test_paths_are_those_of_a_search_through_all(seed: int, k: int) -> None:
    graph = layered(seed=seed)
    random = np.random.default_rng(seed)
    starts, exits = random.random(graph.n_neurons) < 0.5, random.standard_normal(graph.n_neurons)
    exits[random.random(graph.n_neurons) < 0.3] = 0
    every = [
        (path, effect * exits[path[-1]]) for path, effect in paths(graph) if starts[path[0]] and exits[path[-1]] != 0
    ]
    every.sort(key=lambda item: -abs(item[1]))
    found = best_paths(graph, k, starts, exits)
    assert len(found) == min(k, len(every))
    np.testing.assert_allclose([path.effect for path in found], [effect for _, effect in every[:k]])
    for path, (neurons, _) in zip(found, every):
        assert list(path.neurons) == neurons
        assert [*graph.sources[list(path.edges)], graph.targets[path.edges[-1]]] == neurons


def test_a_flipped_neuron_changes_no_path() -> None:
    graph = layered(seed=9)
    flips = np.random.default_rng(0).choice([-1, 1], graph.n_neurons)
    turned = of(
        graph.layers,
        graph.sources,
        graph.targets,
        graph.weights * flips[graph.sources] * flips[graph.targets],
        graph.errors,
    )
    starts, exits = np.ones(graph.n_neurons, bool), np.ones(graph.n_neurons)
    before, after = best_paths(graph, 20, starts, exits), best_paths(turned, 20, starts, exits * flips)
    assert [path.neurons for path in after] == [path.neurons for path in before]
    for one, other in zip(before, after, strict=True):
        assert other.effect == pytest.approx(one.effect * flips[one.neurons[0]])


def test_the_slope_of_the_scalar_is_a_factor() -> None:
    graph = of([0, 1], [0], [1], [0.5], [0.1])
    (path,) = best_paths(graph, 5, np.array([True, False]), np.array([0.0, -2.0]))
    assert path.effect == -1.0


def test_no_start_and_no_end_are_refused() -> None:
    graph = layered()
    some, none = np.ones(graph.n_neurons), np.zeros(graph.n_neurons)
    for starts, exits in ((none, some), (some, none)):
        with pytest.raises(InputError, match="no path"):
            best_paths(graph, 1, starts.astype(bool), exits)
