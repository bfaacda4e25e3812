"""The figures of paths and of the structure: when they are drawn, and that their numbers are right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from support.across import layers_of
from support.scored_studies import SCORES, pathways_of, structure_of, study_scored

from glasso_cli.artifacts import Pathways
from glasso_cli.artifacts.orientation import pair_signs
from glasso_cli.artifacts.score.pathways import LENGTH_SUMS
from glasso_cli.config import VisualizeSection
from glasso_cli.report.plots import ACROSS, PLOTS, draw
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.rows import places_in_rows
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.plots.study import Study

KINDS = ("rankings", "pathways", "pathway_lengths", "trials", "slopes")
OF_NEURONS, OF_SCALAR = KINDS[:4], (*KINDS[:3], "slopes")
SMALL = {"formats": ("png",), "dpi": 50, "cards": 0}


def drawn(study: Study) -> dict[str, Picture]:
    with style.look():
        return {picture.name: picture for kind in KINDS for picture in {**PLOTS, **ACROSS}[kind](study)}


def paths_of(study: Study) -> Pathways:
    assert study.pathways is not None
    return study.pathways


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "kinds"),
    [
        ((), OF_NEURONS),
        (("structure",), OF_NEURONS[1:]),
        (("pathways",), OF_NEURONS[:1]),
        (("pathways", "structure"), ()),
        (("pathways", "structure", "scores"), ()),
    ],
)
def test_a_figure_is_drawn_where_its_artifact_is_there(
    tmp_path: Path, without: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    assert tuple(drawn(study_scored(tmp_path, without=without, section=SMALL))) == kinds


@pytest.mark.slow
def test_the_files_stand_beside_the_figures_and_go_with_the_artifacts(tmp_path: Path) -> None:
    study, folder = study_scored(tmp_path, section=SMALL), tmp_path / "figures"
    files = {path.name for group in draw(study, folder) for path in group}
    assert {"rankings.png", "rankings-stability.csv"} <= files
    wanted = {"pathways.csv", "pathway_lengths.csv", "trials.csv"}
    assert wanted <= {path.name for group in draw(layers_of(study), folder / "layers") for path in group}
    plain = layers_of(replace(study, pathways=None))
    again = {path.name for group in draw(plain, folder / "layers") for path in group}
    assert again == {path.name for path in (folder / "layers").iterdir()}
    assert not again & wanted


# -- the pruned view ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_edges_of_the_pruned_view_are_drawn_with_oriented_weights(tmp_path: Path) -> None:
    study = study_scored(tmp_path, seed=2, section=SMALL)
    made = paths_of(study)
    table = drawn(study)["pathways"].table
    number = {name: place for place, name in enumerate(made.neuron_ids.tolist())}
    pairs = [(number[s], number[t]) for s, t in zip(table["source"], table["target"])]
    inside = {(int(made.sources[edge]), int(made.targets[edge])): edge for edge in np.flatnonzero(made.in_view)}
    assert set(pairs) == set(inside)
    signs = pair_signs(made.orientation, made.sources, made.targets)
    edges = [inside[pair] for pair in pairs]
    np.testing.assert_allclose(table["weight"], (made.weights * signs)[edges])
    assert (signs[edges] < 0).any()
    assert (np.diff(np.abs(table["weight"])) <= 0).all()


@pytest.mark.slow
def test_the_pruned_view_is_capped_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    study = study_scored(tmp_path, section={**SMALL, "edges": 2})
    picture = drawn(study)["pathways"]
    assert len(picture.table["source"]) == 2
    words = " ".join(text.get_text() for text in picture.figure.findobj(lambda artist: hasattr(artist, "get_text")))
    total = paths_of(study).metrics.view_edges
    assert f"the 2 strongest edges of the {total} of the pruned view" in words.replace("\n", " ")


def test_neurons_stand_near_their_neighbours() -> None:
    rows = np.array([0, 0, 0, 1, 1, 1])
    crossed = places_in_rows(rows, np.array([[0, 5], [1, 4], [2, 3]]))
    lengths = np.abs(crossed[[0, 1, 2]] - crossed[[5, 4, 3]])
    np.testing.assert_allclose(lengths, 0, atol=1e-12)
    assert sorted(crossed[:3]) == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    assert np.isfinite(places_in_rows(np.array([0, 1, 1]), np.array([[0, 1]]))).all()  # one neuron has no edge


# -- effects by length --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("to", ["neurons", "scalar"])
def test_sums_by_length_have_intervals_where_errors_are_known(tmp_path: Path, to: str) -> None:
    study = study_scored(tmp_path, seed=5, to=to, section=SMALL)
    made, picture = paths_of(study), drawn(study)["pathway_lengths"]
    for name, values in made.length_columns().items():
        np.testing.assert_array_equal(picture.table[name], values)
    assert "95 % intervals over documents" in words_of(picture)
    assert f"± {made.length_errors[-1, 0]:.2g}" in picture.alt
    heights = sorted(
        end - start for lines in picture.figure.findobj(LineCollection) for (_, start), (_, end) in lines.get_segments()
    )
    drawn_errors = made.length_errors[[LENGTH_SUMS.index(name) for name in ("signed", "net", "absolute")]]
    np.testing.assert_allclose(heights, sorted(2 * 1.96 * drawn_errors.ravel()))


@pytest.mark.slow
def test_sums_by_length_without_errors_say_so(tmp_path: Path) -> None:
    study = study_scored(tmp_path, seed=5, section=SMALL)
    picture = drawn(replace(study, pathways=pathways_of(study, blocks=0)))["pathway_lengths"]
    assert np.isnan(picture.table["absolute_standard_error"]).all()
    assert "The sums have no intervals" in words_of(picture)
    assert "±" not in picture.alt
    assert not picture.figure.findobj(LineCollection)


# -- paths to a scalar --------------------------------------------------------------------------------


@pytest.fixture
def to_loss(tmp_path: Path) -> Study:
    return study_scored(tmp_path, seed=4, to="scalar", section=SMALL)


def words_of(picture: Picture) -> str:
    texts = picture.figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " ".join(text.get_text() for text in texts).replace("\n", " ")


@pytest.mark.slow
def test_figures_of_paths_to_a_scalar_name_it(to_loss: Study) -> None:
    pictures = drawn(to_loss)
    assert tuple(pictures) == OF_SCALAR
    for name in OF_SCALAR[1:]:
        assert "the loss" in words_of(pictures[name])
        assert "the loss" in pictures[name].alt
        assert "targets" not in words_of(pictures[name])
    assert "loss per token and SD" in words_of(pictures["pathway_lengths"])


@pytest.mark.slow
def test_the_pruned_view_has_the_edges_to_the_scalar(to_loss: Study) -> None:
    made, table = paths_of(to_loss), drawn(to_loss)["pathways"].table
    to_end = table["target"] == "loss"
    wanted = {made.neuron_ids[leaf]: made.exits[leaf] * made.orientation[leaf] for leaf in np.flatnonzero(made.leaves)}
    assert dict(zip(table["source"][to_end], table["weight"][to_end])) == pytest.approx(wanted)
    assert (np.diff(np.abs(table["weight"][to_end])) <= 0).all()
    assert (~to_end).sum() == made.in_view.sum()
    few = drawn(replace(to_loss, section=replace_edges(to_loss, 2)))["pathways"]
    assert (few.table["target"] == "loss").sum() == (few.table["target"] != "loss").sum() == 2
    assert f"2 of the {made.leaves.sum()} edges to the loss" in words_of(few)
    alone = replace(made, in_view=np.zeros(len(made.in_view), bool))
    assert set(drawn(replace(to_loss, pathways=alone))["pathways"].table["target"]) == {"loss"}


def replace_edges(study: Study, edges: int) -> VisualizeSection:
    return study.section.model_copy(update={"edges": edges})


@pytest.mark.slow
def test_slopes_are_those_of_the_sources(to_loss: Study) -> None:
    made = paths_of(to_loss)
    table = drawn(to_loss)["slopes"].table
    place = {name: number for number, name in enumerate(made.neuron_ids.tolist())}
    rows = [place[name] for name in table["neuron"].tolist()]
    assert sorted(rows) == np.flatnonzero(made.is_source).tolist()
    assert (np.diff(np.abs(table["slope"])) <= 0).all()
    signs = made.orientation[rows]
    np.testing.assert_array_equal(table["slope"], made.slopes[rows] * signs)
    np.testing.assert_array_equal(table["direct"], made.exits[rows] * signs)
    np.testing.assert_allclose(table["through"], made.onto_targets_signed.sum(axis=0)[rows] * signs)
    np.testing.assert_array_equal(table["slope_standard_error"], made.slope_errors[rows])


# -- trials and rankings ------------------------------------------------------------------------------


@pytest.mark.slow
def test_trials_are_those_of_the_table_of_paths(tmp_path: Path) -> None:
    study = study_scored(tmp_path, seed=5, section=SMALL)
    made = paths_of(study)
    picture = drawn(study)["trials"]
    columns = made.path_columns()
    for name in ("path", "effect", "through", "through_standard_error", "total"):
        np.testing.assert_array_equal(picture.table[name], np.asarray(columns[name])[made.tried])
    assert made.metrics.mediated is not None
    assert f"a slope of {made.metrics.mediated.slope:.2f}" in picture.alt
    assert "trials" not in drawn(replace(study, pathways=pathways_of(study, tried=0)))


@pytest.mark.slow
def test_rankings_list_the_largest_scores_with_errors_and_coefficients(tmp_path: Path) -> None:
    study = study_scored(tmp_path, section=SMALL)
    made = study.structure
    assert made is not None
    picture = drawn(study)["rankings"]
    table = picture.table
    for row, name in enumerate(SCORES):
        listed = table["score"] == name
        order = np.argsort(-made.values[row])[:12]
        assert table["neuron"][listed].tolist() == made.neuron_ids[order].tolist()
        np.testing.assert_array_equal(table["value"][listed], made.values[row, order])
        np.testing.assert_array_equal(table["standard_error"][listed], made.errors[row, order])
    stability = picture.tables["stability"]
    assert len(stability["score"]) == len(SCORES) * len(made.dropped)
    assert set(stability["coefficient"]) == {0.75}
    words = [text.get_text() for text in picture.figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert words.count("CS 0.75") == len(SCORES)
    without = drawn(replace(study, structure=structure_of(study, subsets=0)))["rankings"]
    assert without.tables == {}


@pytest.mark.slow
def test_scores_of_zero_are_not_ranked(tmp_path: Path) -> None:
    study = study_scored(tmp_path, section=SMALL)
    made = study.structure
    assert made is not None
    values = made.values.copy()
    strength, between = SCORES.index("strength"), SCORES.index("between_layers")
    values[strength, 2:], values[between] = 0.0, 0.0
    table = drawn(replace(study, structure=replace(made, values=values)))["rankings"].table
    assert (table["score"] == "strength").sum() == 2
    assert "between_layers" not in table["score"]
