"""Total effects are those of all paths written out."""

from __future__ import annotations

import numpy as np
import pytest
from support.layered import layered, of, paths

from glasso_cli.scoring.pathways.total_effects import effects_of, effects_on

GRAPH = layered()
P = GRAPH.n_neurons


@pytest.mark.parametrize("absolute", [False, True])
def test_effects_are_sums_over_paths_by_length(absolute: bool) -> None:
    random = np.random.default_rng(1)
    pushes, exits = random.standard_normal((2, P))
    onto, back = np.zeros((2, 3, P))
    for path, effect in paths(GRAPH):
        first, last = pushes[path[0]] * effect, effect * exits[path[-1]]
        onto[len(path) - 2, path[-1]] += abs(first) if absolute else first
        back[len(path) - 2, path[0]] += abs(last) if absolute else last
    field = "absolute" if absolute else "signed"
    np.testing.assert_allclose(getattr(effects_of(GRAPH, pushes), field), onto, atol=1e-12)
    np.testing.assert_allclose(getattr(effects_on(GRAPH, exits), field), back, atol=1e-12)


def test_both_directions_agree() -> None:
    random = np.random.default_rng(2)
    pushes, exits = random.standard_normal((2, P))
    assert exits @ effects_of(GRAPH, pushes).total == pytest.approx(pushes @ effects_on(GRAPH, exits).total)


def test_paths_of_opposite_sign_cancel_only_in_the_signed_sum() -> None:
    # 0 → 1 → 3 with 0.5, and 0 → 2 → 3 with -0.5
    graph = of([0, 1, 1, 2], [0, 0, 1, 2], [1, 2, 3, 3], [1.0, 1.0, 0.5, -0.5], [0.0] * 4)
    found = effects_of(graph, np.eye(4)[0])
    assert found.total[3] == 0
    assert found.total_absolute[3] == 1


def test_a_flipped_neuron_changes_no_absolute_effect() -> None:
    flips = np.random.default_rng(3).choice([-1, 1], P)
    turned = of(
        GRAPH.layers,
        GRAPH.sources,
        GRAPH.targets,
        GRAPH.weights * flips[GRAPH.sources] * flips[GRAPH.targets],
        GRAPH.errors,
    )
    one, other = (effects_of(graph, np.ones(P)) for graph in (GRAPH, turned))
    np.testing.assert_allclose(other.absolute, one.absolute, atol=1e-12)
    push = np.eye(P)[int(np.argmin(GRAPH.layers))]
    one, other = (effects_of(graph, push) for graph in (GRAPH, turned))
    np.testing.assert_allclose(other.total * flips * (flips @ push), one.total, atol=1e-12)


def test_without_edges_nothing_is_reached() -> None:
    none = np.zeros(0, np.int64)
    graph = of([0, 1], none, none, np.zeros(0), np.zeros(0))
    assert effects_of(graph, np.ones(2)).total.tolist() == [0, 0]
