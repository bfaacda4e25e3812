"""What the page has of pathways: neurons, edges and paths with oriented signs, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.across import BOTH, WIRED, study_across
from support.scored_studies import study_scored
from support.studies import build_study

from glasso_cli.report.explorer import pathways, write_explorer
from glasso_cli.report.explorer.from_artifacts import view_of
from glasso_cli.report.explorer.view import PathwayView
from glasso_cli.report.plots.study import Study


def view(study: Study) -> PathwayView:
    found = pathways.pathways_of(study)
    assert found is not None
    return found


def ends(found: PathwayView) -> dict[tuple[str, str], float]:
    sources, targets = ([found.ids[node] for node in side] for side in (found.sources, found.targets))
    return dict(zip(zip(sources, targets), found.weights.tolist()))


def test_a_study_without_paths_and_scores_has_no_such_view(tmp_path: Path) -> None:
    assert pathways.pathways_of(study_across(tmp_path)) is None


@pytest.mark.parametrize("seed", [None, 5])
def test_paths_and_edges_are_those_of_the_tables(tmp_path: Path, seed: int | None) -> None:
    study = study_scored(tmp_path, seed=seed)
    made = study.pathways
    assert made is not None
    found = view(study)
    columns = made.path_columns()
    for number, path in enumerate(found.paths):
        nodes = path[path >= 0].tolist()
        assert " > ".join(found.ids[node] for node in nodes) == columns["path"][number]
        edges = ends(found)
        steps = [edges[found.ids[first], found.ids[second]] for first, second in pairwise(nodes)]
        assert np.prod(steps) == pytest.approx(found.effects[number]) == pytest.approx(columns["effect"][number])
    np.testing.assert_array_equal(found.through[:2], columns["through"][:2])
    assert np.isnan(found.through[2:]).all()
    assert found.words["tried"] == 2
    in_page = [(name, neuron) for name, neuron in zip(found.ids, found.neurons.tolist()) if neuron >= 0]
    assert all(study.fit.neuron_ids[neuron] == name for name, neuron in in_page)
    assert [name for name, neuron in zip(found.ids, found.neurons) if neuron < 0] == [
        "layers.20.mlp[1]",
        "layers.20.mlp[0]",
    ]


@pytest.mark.parametrize("seed", [None, 5])
def test_paths_to_a_scalar_end_in_it(tmp_path: Path, seed: int | None) -> None:
    study = study_scored(tmp_path, seed=seed, to="scalar")
    made = study.pathways
    assert made is not None
    found = view(study)
    end = found.words["scalar"]
    assert found.ids[end] == found.labels[end] == "loss"
    assert (found.layers[:end] < found.layers[end]).all()
    columns, edges = made.path_columns(), ends(found)
    for number, path in enumerate(found.paths):
        nodes = path[path >= 0].tolist()
        assert " > ".join(found.ids[node] for node in nodes) == columns["path"][number]
        steps = [edges[found.ids[first], found.ids[second]] for first, second in pairwise(nodes)]
        assert np.prod(steps) == pytest.approx(found.effects[number]) == pytest.approx(columns["effect"][number])
    table = made.neuron_columns()
    slopes = dict(zip(table["neuron"], zip(table["direct"], table["direct_standard_error"])))
    to_end = np.flatnonzero(found.targets == end)
    last = {str(name).split(" > ")[-2] for name in columns["path"]}
    assert {found.ids[node] for node in found.sources[to_end]} == last
    for edge in to_end:
        assert slopes[found.ids[found.sources[edge]]] == (found.weights[edge], found.errors[edge])
    words = " ".join(found.words["sentences"])
    assert "product of its edges and of the slope of the loss at its last neuron" in words
    assert found.words["unit"] == "change of the loss per token and standard deviation of the first neuron"
    assert view(study_scored(tmp_path, seed=seed)).words["unit"] == ""


def test_neurons_have_the_ranks_of_the_scores(tmp_path: Path) -> None:
    study = study_scored(tmp_path)
    scores = study.scores
    assert scores is not None
    found = view(study)
    order = scores.neuron_ids[scores.order()].tolist()
    ranks = {name: rank for name, rank in zip(found.ids, found.ranks.tolist()) if rank}
    assert ranks == {name: rank for rank, name in enumerate(order, 1)}
    assert view(replace(study, scores=None)).ranks.max() == 0


def test_without_paths_the_edges_are_influence_then_association_then_those_of_the_fit(tmp_path: Path) -> None:
    study = study_scored(tmp_path, without=("pathways",))
    names = study.collected.ids
    assert ends(view(study))[names[WIRED[0]], names[WIRED[1]]] == pytest.approx(-0.35)
    assert "influence" in view(study).words["sentences"][0]
    less = replace(study, influence=None, interventions=None)
    assert (names[WIRED[0]], names[WIRED[1]]) not in ends(view(less))
    assert ends(view(less))[names[BOTH[0]], names[BOTH[1]]] == pytest.approx(0.4)
    least = replace(less, ordered=None)
    layers = study.fit.layers
    rows, cols, _ = study.edges
    assert len(view(least).weights) == (layers[rows] != layers[cols]).sum() > 0
    sides = view(least)
    assert (sides.layers[sides.sources] < sides.layers[sides.targets]).all()
    assert not view(least).paths.size


def test_weak_edges_and_paths_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_scored(tmp_path)
    assert study.pathways is not None
    monkeypatch.setattr(pathways, "MOST_EDGES", 2)
    monkeypatch.setattr(pathways, "MOST_PATHS", 3)
    monkeypatch.setattr(pathways, "MOST_TOP", 1)
    found = view(study)
    assert len(found.paths) == 3
    on_paths = {pair for path in found.paths for pair in pairwise(path.tolist())}
    kept = set(zip(found.sources.tolist(), found.targets.tolist()))
    assert on_paths <= kept
    assert len(kept) <= len(on_paths) + 2
    words = " ".join(found.words["sentences"])
    assert "The other 9 paths are in paths.csv" in words
    assert f"The {len(study.pathways.weights) - len(kept)} weakest edges had no room" in words
    assert "layers.20.mlp[1]" in found.ids
    assert "layers.20.mlp[0]" not in found.ids


def test_a_page_without_the_stages_has_nothing_of_them(tmp_path: Path) -> None:
    pages = {}
    for name, study in (("plain", study_across(tmp_path, (8, 9, 10))), ("scored", study_scored(tmp_path))):
        page = write_explorer(view_of(study), tmp_path / f"{name}.html", 12.0).path
        pages[name] = page.read_text("utf-8").partition("<script>")[0]
    words = ('"columns": [{"name": "structure"', '"pathways": {', "columns.structure.0.value", "pathways.paths")
    assert [word for word in words if word in pages["plain"]] == []
    assert [word for word in words if word in pages["scored"]] == list(words)


def test_one_layer_of_scored_neurons_is_a_view_without_edges(tmp_path: Path) -> None:
    study = build_study(tmp_path)
    plain = study_scored(tmp_path, without=("pathways", "structure"))
    found = view(replace(study, scores=plain.scores))
    assert not len(found.weights)
    assert "No edges across layers" in found.words["sentences"][0]
    assert len(found.ids) == 37
