"""Which neurons have pairs with association or influence alone."""

from __future__ import annotations

import numpy as np
from support.across import Planted, influence, ordered_graph

from glasso_cli.across.disagreement import disagreements

EACH = 6


def test_pairs_with_one_of_the_two_are_counted_by_source() -> None:
    planted = Planted.of([8, 9, 10], EACH, seed=1)
    graph = ordered_graph(planted, {(0, 6): 0.4, (0, 7): 0.2, (1, 8): 0.3, (7, 13): 0.2})
    moved = influence(planted, {(0, 6): 0.4, (1, 9): 0.2, (1, 10): -0.2, (7, 13): 0.1, (8, 14): 0.3})
    found = disagreements(graph, moved)
    assert set(found) == set(planted.ids[: 2 * EACH].tolist())  # those of the last layer move nothing
    assert {name: counts for name, counts in found.items() if counts != (0, 0)} == {
        "layers.8.mlp[0]": (1, 0),
        "layers.8.mlp[1]": (1, 2),
        "layers.9.mlp[2]": (0, 1),
    }
    order = np.random.default_rng(0).permutation(planted.p)
    place = np.argsort(order)

    def moved_pairs(pairs: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
        return {(int(place[s]), int(place[t])): value for (s, t), value in pairs.items()}

    other = planted.permuted(order)
    again = disagreements(
        ordered_graph(other, moved_pairs({(0, 6): 0.4, (0, 7): 0.2, (1, 8): 0.3, (7, 13): 0.2})),
        influence(other, moved_pairs({(0, 6): 0.4, (1, 9): 0.2, (1, 10): -0.2, (7, 13): 0.1, (8, 14): 0.3})),
    )
    assert again == found


def test_neurons_that_were_not_fitted_are_not_known() -> None:
    planted = Planted.of([8, 9], EACH)
    fewer = Planted(planted.ids[2:], planted.layers[2:], planted.signs[2:])
    found = disagreements(ordered_graph(fewer, {}), influence(planted, {(0, 6): 0.4}))
    assert set(found) == {f"layers.8.mlp[{i}]" for i in range(2, EACH)}
