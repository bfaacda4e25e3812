"""The artifact of paths: its tables, its view, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.layered import layered
from support.scored_studies import sloped

from glasso_cli.artifacts import Pathways
from glasso_cli.config import PathwaysSection
from glasso_cli.errors import InputError
from glasso_cli.report.words.pathways import one_line, pathways_summary
from glasso_cli.scoring.pathways.dot import dot_of_view
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.mediation import Effect
from glasso_cli.scoring.pathways.run import pathways
from glasso_cli.scoring.pathways.units import Units

GRAPH = layered((4, 5, 4), skip=False, seed=2)
P = GRAPH.n_neurons
SIGNS = np.random.default_rng(0).choice([-1, 1], P)


def made(graph: LayeredGraph = GRAPH, orientation: np.ndarray = SIGNS, **section: Any) -> Pathways:
    return pathways(graph, orientation, PathwaysSection.model_validate(section), "words")


def test_paths_go_from_the_first_layer_to_the_last() -> None:
    found = made(count=5)
    columns = found.path_columns()
    assert len(columns["path"]) == 5
    for number in range(5):
        path = found.path(number)
        assert GRAPH.layers[path].tolist() == [0, 1, 2]
        assert columns["path"][number] == " > ".join(GRAPH.neuron_ids[path])
        assert columns["effect"][number] == pytest.approx(found.effects[number] * SIGNS[path[0]] * SIGNS[path[-1]])
    assert (np.diff(np.abs(found.effects)) <= 0).all()
    assert "total" not in columns


def test_named_neurons_are_the_ends() -> None:
    first, last = (str(GRAPH.neuron_ids[GRAPH.in_layer(layer)[1]]) for layer in (0, 2))
    found = made(sources=[first], targets=[last], count=50)
    assert {(path.split(" > ")[0], path.split(" > ")[-1]) for path in found.path_columns()["path"]} == {(first, last)}
    assert found.metrics.signed == pytest.approx(found.path_columns()["effect"].sum())
    assert found.metrics.absolute == pytest.approx(np.abs(found.effects).sum())
    assert found.metrics.longest == 2


FLIPS = np.random.default_rng(1).choice([-1, 1], P)
TURNED = replace(GRAPH, weights=GRAPH.weights * FLIPS[GRAPH.sources] * FLIPS[GRAPH.targets])


def test_turned_neurons_have_the_same_tables() -> None:
    before, after = made(), made(TURNED, SIGNS * FLIPS)
    assert after.path_columns()["path"].tolist() == before.path_columns()["path"].tolist()
    np.testing.assert_allclose(after.path_columns()["effect"], before.path_columns()["effect"])
    assert "".join(dot_of_view(after)) == "".join(dot_of_view(before))
    assert after.metrics.signed == pytest.approx(before.metrics.signed)
    np.testing.assert_allclose(after.onto_targets_signed * FLIPS, before.onto_targets_signed)


def test_sums_over_neurons_are_those_of_oriented_effects() -> None:
    every = made(count=10_000)
    oriented = every.path_columns()["effect"]
    assert every.metrics.signed == pytest.approx(oriented.sum())
    assert every.metrics.signed != pytest.approx(every.effects.sum())  # with the signs of the model
    first = every.path(0)[0]
    own = [every.path(number)[0] == first for number in range(len(oriented))]
    assert every.onto_targets_signed[:, first].sum() * SIGNS[first] == pytest.approx(oriented[own].sum())


def test_turned_neurons_have_the_same_paths_to_a_scalar() -> None:
    section = PathwaysSection(to="scalar")
    before = pathways(GRAPH, SIGNS, section, "words", scores=sloped(GRAPH.neuron_ids, GRAPH.layers, SIGNS))
    scores = sloped(GRAPH.neuron_ids, GRAPH.layers, SIGNS * FLIPS)
    after = pathways(TURNED, SIGNS * FLIPS, section, "words", scores=scores)
    for table in ("path_columns", "neuron_columns"):
        one, other = getattr(before, table)(), getattr(after, table)()
        for name in set(one) - {"orientation"}:
            if one[name].dtype.kind == "U":
                assert one[name].tolist() == other[name].tolist()
            else:
                np.testing.assert_allclose(other[name], one[name], err_msg=name)
    assert after.metrics.signed == pytest.approx(before.metrics.signed)
    assert before.metrics.scalar is not None
    assert after.metrics.scalar is not None
    for name in ("slope", "correlation", "direct", "both"):
        found: Any = getattr(after.metrics.scalar, name)
        assert found == pytest.approx(getattr(before.metrics.scalar, name)), name


def test_the_view_has_its_neurons_and_edges() -> None:
    found = made(nodes=0.6, edges=0.9)
    lines = list(dot_of_view(found))
    assert sum(" -> " in line for line in lines) == found.metrics.view_edges == int(found.in_view.sum())
    assert sum("influence=" in line and " -> " not in line for line in lines) == found.metrics.view_neurons
    order = found.neuron_columns()
    assert (np.diff(order["influence"]) <= 0).all()


def test_trials_are_of_paths_of_two_edges() -> None:
    asked: list[tuple[int, int, int]] = []

    def trial(paths: Sequence[tuple[int, int, int]]) -> list[Effect]:
        asked.extend(paths)
        return [Effect((0.5, 0.1), (0.2, 0.1), (0.3, 0.05), 7, 70) for _ in paths]

    section = PathwaysSection(count=10, mediate=4)
    found = pathways(GRAPH, SIGNS, section, "words", trial)
    assert asked == [tuple(found.path(number)) for number in range(4)]
    assert found.metrics.mediated is not None
    assert found.metrics.mediated.slope == pytest.approx(0.3 * found.effects[:4].sum() / (found.effects[:4] ** 2).sum())
    assert found.metrics.mediated.same_sign == np.mean(found.effects[:4] > 0)
    columns = found.path_columns()
    turn = SIGNS[[found.path(0)[0], found.path(0)[-1]]].prod()
    assert columns["through"][0] == pytest.approx(0.3 * turn)
    assert columns["through_standard_error"][0] == 0.05
    assert np.isnan(columns["total"][4:]).all()
    assert "4 paths tried" in one_line(found.metrics)
    assert "70 tokens of 7 documents" in dict(pathways_summary(found.metrics))["tried"]


def test_units_add_to_the_errors() -> None:
    random = np.random.default_rng(0)
    without = 0.05 * random.standard_normal((10, P))
    units = Units(np.zeros(P), without, np.full(10, 0.1), np.arange(10))
    plain = made(count=5)
    found = pathways(GRAPH, SIGNS, PathwaysSection(count=5), "words", units=units)
    np.testing.assert_array_equal(found.paths, plain.paths)
    ends = [(plain.path(number)[0], plain.path(number)[-1]) for number in range(5)]
    extra = plain.effects * [units.relative_error(first, last) for first, last in ends]
    np.testing.assert_allclose(found.effect_errors, np.hypot(plain.effect_errors, extra))
    assert (found.effect_errors > plain.effect_errors).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"pathways\.sources names 'layers\.7'"):
        made(sources=["layers.7"])
    with pytest.raises(InputError, match="has no edges"):
        made(
            replace(
                GRAPH,
                sources=GRAPH.sources[:0],
                targets=GRAPH.targets[:0],
                weights=GRAPH.weights[:0],
                errors=GRAPH.errors[:0],
            )
        )
    first, last = ([str(GRAPH.neuron_ids[GRAPH.in_layer(layer)[0]])] for layer in (0, 2))
    with pytest.raises(InputError, match="No path leads"):
        made(sources=last, targets=first)
