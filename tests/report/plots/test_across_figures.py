"""The figures of edges across layers: when they are drawn, and that they show the planted pairs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.across import ALONE, BOTH, EACH, WIRED, layers_of, study_across
from support.studies import build_study

from glasso_cli.graph import colours
from glasso_cli.report.plots import ACROSS, draw
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.plots.study import Study

KINDS = ("layers", "influence", "effects")
SMALL = {"formats": ("png",), "dpi": 50, "cards": 0}


def drawn(study: Study) -> dict[str, Picture]:
    with style.look():
        return {picture.name: picture for kind in KINDS for picture in ACROSS[kind](study)}


def rows_of(picture: Picture) -> dict[tuple[str, str], dict[str, Any]]:
    rows = [dict(zip(picture.table, values)) for values in zip(*picture.table.values(), strict=True)]
    return {(row["source"], row["target"]): row for row in rows}


def ids(pair: tuple[int, int]) -> tuple[str, str]:
    return f"layers.8.mlp[{pair[0]}]", f"layers.9.mlp[{pair[1] - EACH}]"


@pytest.mark.slow
def test_the_planted_pairs_are_drawn_with_their_numbers(tmp_path: Path) -> None:
    pictures = drawn(study_across(tmp_path, section=SMALL))
    assert list(pictures) == list(KINDS)
    shown = rows_of(pictures["layers"])
    assert {pair: row["reading"] for pair, row in shown.items()} == {
        ids(BOTH): "both",
        ids(ALONE): "common cause",
        ids(WIRED): "unused wiring",
    }
    assert shown[ids(BOTH)]["association"] == pytest.approx(0.4)
    every = rows_of(pictures["influence"])
    assert every[ids(WIRED)]["influence"] == pytest.approx(-0.35)
    assert np.isnan(every[ids(WIRED)]["association"])
    measured = rows_of(pictures["effects"])
    assert set(measured) == {ids(BOTH), ids(WIRED)}  # with influence on record, from measured sources
    halves = [measured[ids(BOTH)][f"effect_step_{half}_half"] for half in ("first", "second")]
    assert np.mean(halves) == pytest.approx(0.45, abs=0.2)


@pytest.mark.slow
def test_the_numbers_under_the_effects_are_those_of_the_table(tmp_path: Path) -> None:
    study = study_across(tmp_path, section=SMALL)
    picture = drawn(study)["effects"]
    influence, effect = (np.array(picture.table[name]) for name in ("influence", "effect_step"))
    summary = dict(zip(picture.tables["summary"]["quantity"], picture.tables["summary"]["value"]))
    assert study.interventions is not None
    made = study.interventions
    step = made.changes.tolist().index("step")
    mean = made.of_blocks(np.arange(len(made.counts)))[0][step]
    of_pair = [
        mean[made.source_of(s), made.target_of(t)] for s, t in zip(*(picture.table[n] for n in ("source", "target")))
    ]
    assert summary["slope"] == pytest.approx(influence @ np.array(of_pair) / (influence @ influence), rel=1e-5)
    assert summary["correlation_with_influence"] == pytest.approx(np.corrcoef(influence, effect)[0, 1])
    even = made.of_blocks(np.arange(0, 4, 2))[0][step], made.of_blocks(np.arange(1, 4, 2))[0][step]
    first, second = (
        [half[made.source_of(s), made.target_of(t)] for s, t in zip(picture.table["source"], picture.table["target"])]
        for half in even
    )
    assert picture.table["effect_step_first_half"] == pytest.approx(first, rel=1e-5)
    assert summary["correlation_between_halves"] == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert f"slope {summary['slope']:.2f}" in picture.alt


@pytest.mark.parametrize(
    ("without", "kinds"),
    [
        (("ordered", "influence", "interventions"), []),
        (("influence", "interventions"), ["layers"]),
        (("interventions",), ["layers", "influence"]),
        (("ordered", "influence"), ["layers"]),
        (("influence",), ["layers"]),
        (("ordered",), ["layers", "influence", "effects"]),
    ],
)
@pytest.mark.slow
def test_a_figure_is_drawn_where_its_artifacts_are_there(
    tmp_path: Path, without: tuple[str, ...], kinds: list[str]
) -> None:
    assert list(drawn(study_across(tmp_path, without=without, section=SMALL))) == kinds


def test_a_study_of_one_layer_has_none(tmp_path: Path) -> None:
    study = build_study(tmp_path)
    assert study.across is None
    assert drawn(study) == {}


@pytest.mark.slow
def test_signs_of_the_model_change_nothing_that_is_drawn(tmp_path: Path) -> None:
    plain, turned = (drawn(study_across(tmp_path, (8, 9, 10), seed=seed, section=SMALL)) for seed in (None, 5))
    for name in ("layers", "influence"):
        for column, values in plain[name].table.items():
            if not column.startswith("orientation") and not column.startswith("name"):
                np.testing.assert_array_equal(np.asarray(turned[name].table[column]), np.asarray(values))


@pytest.mark.slow
def test_the_network_is_capped_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    study = study_across(tmp_path, section={**SMALL, "edges": 2})
    picture = drawn(study)["layers"]
    assert [row["reading"] for row in rows_of(picture).values()] == ["both", "unused wiring"]
    words = " ".join(text.get_text() for text in picture.figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert "Showing 2 edges of 3 that were found" in words.replace("\n", " ")


@pytest.mark.slow
def test_the_files_stand_beside_the_figures_and_go_with_the_artifacts(tmp_path: Path) -> None:
    study, folder = study_across(tmp_path, section={**SMALL, "edges": 3}), tmp_path / "figures"
    files = {path.name for group in draw(layers_of(study), folder) for path in group}
    assert {"edges_across_layers.csv", "layers.png", "influence.csv", "effects.csv", "effects-summary.csv"} <= files
    with open(folder / "edges_across_layers.csv", encoding="utf-8", newline="") as file:
        rows = {(row["source"], row["target"]): row for row in csv.DictReader(file)}
    assert rows[ids(BOTH)]["reading"] == "both"
    assert (rows[ids(WIRED)]["association"], rows[ids(WIRED)]["association_found"]) == ("", "no")
    assert float(rows[ids(WIRED)]["effect_step"]) == pytest.approx(-0.3)
    plain = replace(study, ordered=None, influence=None, interventions=None)
    again = {path.name for group in draw(layers_of(plain), folder) for path in group}
    assert again == {path.name for path in folder.iterdir()}
    assert not again & {"edges_across_layers.csv", "layers.png", "effects-summary.csv"}


def test_every_reading_has_its_colour_line_and_shape() -> None:
    from glasso_cli.across.readings import READINGS
    from glasso_cli.report.plots.parts.pairs import LINES, SHAPES
    from glasso_cli.report.words.across import SHORT

    assert set(colours.READINGS) == set(LINES) == set(SHAPES) == set(SHORT) == {*READINGS, ""}
    assert len(set(colours.READINGS.values())) == len(colours.READINGS)
    assert {colours.POSITIVE, colours.NEGATIVE}.isdisjoint(colours.READINGS.values())
