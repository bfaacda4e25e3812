"""The figure of an audit: when it is drawn, what it marks, and the numbers beside it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.audits import SCORES, audit
from support.studies import build_study

from glasso_cli.artifacts import Audit
from glasso_cli.report.plots import ACROSS
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.style import Picture

SMALL = {"formats": ("png",), "dpi": 50, "cards": 0}


def drawn(folder: Path, made: Audit | None) -> list[Picture]:
    study = replace(build_study(folder, p=12, edges=10, section=SMALL), audit=made)
    with style.look(), warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures = list(ACROSS["audit"](study))
        for picture in pictures:
            style.save(picture, folder, study)
    return pictures


def written(picture: Picture) -> str:
    return " ".join(text.get_text() for text in picture.figure.texts)


def test_it_is_not_drawn_without_an_audit(tmp_path: Path) -> None:
    assert drawn(tmp_path, None) == []


@pytest.mark.slow
def test_the_scores_that_predict_are_filled_and_all_numbers_are_beside(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, audit())
    assert picture.name == "audit"
    panels = picture.figure.axes
    assert [axes.get_title(loc="left").replace("\n", " ") for axes in panels] == [
        *("mean effect of a step", "root mean square effect of ablation to the mean"),
        *("held-out correlation", "activations"),
    ]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == list(SCORES)[2:]
    filled = [
        line.get_ydata()[0]
        for line in panels[0].lines
        if line.get_marker() not in ("None", "") and line.get_markerfacecolor() != "white"
    ]
    assert filled == [2]
    assert not any(line.get_marker() == "D" and line.get_markerfacecolor() != "white" for line in panels[1].lines)
    assert picture.alt.endswith("Shown to predict effects: influence, mean for the mean effect of a step.")
    assert len(picture.table["score"]) == 2 * len(SCORES)
    assert set(picture.table["rule"].tolist()) == {"strongest"}


@pytest.mark.slow
def test_a_figure_for_each_target_and_without_intervals_or_predictions(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, audit(("layers.9.mlp", "layers.10.mlp"), predicted=False, intervals=False))
    assert [picture.name for picture in pictures] == ["audit-layers.9.mlp", "audit-layers.10.mlp"]
    assert [len(picture.figure.axes) for picture in pictures] == [2, 2]
    assert "no score is judged" not in written(pictures[0])
    (seen,) = drawn(tmp_path, audit(held_out=False))
    assert seen.alt.endswith("none.")
    assert "no score is judged" in written(seen)
    assert np.isfinite(seen.table["precision"]).all()


@pytest.mark.slow
def test_scores_of_other_texts_are_named(tmp_path: Path) -> None:
    made = audit()
    other = replace(made, meta={**made.meta, "metrics": {**made.meta["metrics"], "scores_from": "films"}})
    (seen,) = drawn(tmp_path, other)
    assert "Scores are from the texts of films, and triangles are effects measured there." in written(seen).replace(
        "\n", " "
    )
    (plain,) = drawn(tmp_path, made)
    assert "triangles" not in written(plain)
