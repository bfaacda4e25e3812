"""All pictures of studies of every shape: complete, repeatable, and telling what they show."""

from __future__ import annotations

import csv
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from support.peak_memory import needs_linux, peak_memory
from support.studies import build_study

import glasso_cli
from glasso_cli.report.plots import PLOTS, draw
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.plots.study import Study

HOSTILE = ['say "hi", $x$', "a\nb", "<b>&", "ユニット🎬", "$\\frac{", "x" * 90, "[1]", "", "#", "é"]
EVERY_KIND = ("heatmap", "communities", "network", "path", "accuracy", "degrees", "diagnostics")

# Each drawing takes seconds, so shapes that do not touch each other share one.
SHAPES: dict[str, dict[str, Any]] = {
    "no edges on the whole path": {"sizes": (0, 0, 0)},
    "one neuron": {"p": 1, "sizes": (0,)},
    "two neurons": {"p": 2, "sizes": (1,)},
    "hostile ids and title, stars": {
        "p": len(HOSTILE),
        "ids": HOSTILE,
        "edges": 14,
        "title": "$\\frac{ \n <b>映",
        "rule": "stars",
    },
    "one alpha, no cards": {"sizes": (40,), "rule": "fixed", "section": {"cards": 0}},
    "not converged, no contexts, ebic": {"converged": False, "contexts": False, "rule": "ebic"},
    "dead neurons, cv": {"dead": (0, 7, 12), "rule": "cv"},
    "above the exact heat map": {"p": 520, "edges": 900},
    "three layers": {"p": 60, "edges": 90, "layers": 3},
}


def drawn(study: Study, folder: Path) -> list[Path]:
    """Every file of the study's pictures; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a missing glyph, a layout that collapsed
        warnings.simplefilter("error", RuntimeWarning)  # a division by nothing
        return [path for files in draw(study, folder) for path in files]


SMALL: dict[str, Any] = {"p": 24, "edges": 30, "section": {"formats": ("png", "svg"), "cards": 1}}


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of a small study, in both formats."""
    folder = tmp_path_factory.mktemp("drawing")
    return drawn(build_study(folder, **SMALL), folder / "figures")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_study_is_drawn(make_study: Callable[..., Study], tmp_path: Path, name: str) -> None:
    study = make_study(**SHAPES[name])
    files = drawn(study, tmp_path / "figures")
    assert {path.name for path in files} == {path.name for path in (tmp_path / "figures").iterdir()}
    pictures = [path.stem for path in files if path.suffix == ".png"]
    cards = [stem for stem in pictures if stem.startswith("card-")]
    assert pictures == [*EVERY_KIND, *cards]
    assert len(cards) == min(study.section.cards, study.p)
    for path in files:
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.slow
@needs_linux
def test_a_large_sparse_graph_is_never_made_dense(make_study: Callable[..., Study], tmp_path: Path) -> None:
    section = {"cards": 0, "edges": 50, "dpi": 60, "formats": ("png",)}
    drawn(make_study(30, 20, section=section), tmp_path / "figures")  # imports and fonts do not count
    p = 8000
    study = make_study(p, p, sizes=(p,), section=section, contexts=False)
    with peak_memory() as peak:
        drawn(study, tmp_path / "figures")
    assert peak.bytes < p * p * 8 / 2


@pytest.mark.slow
def test_the_same_study_gives_the_same_bytes_under_any_settings_of_matplotlib(
    make_study: Callable[..., Study], tmp_path: Path, drawing: list[Path]
) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "image.interpolation": "bicubic"}):
        again = drawn(make_study(**SMALL), tmp_path / "figures")
        assert mpl.rcParams["font.size"] == 30
    assert [path.name for path in again] == [path.name for path in drawing]
    for first, second in zip(drawing, again):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.mark.slow
def test_files_say_what_they_show_and_what_made_them(drawing: list[Path]) -> None:
    from PIL import Image

    folder = drawing[0].parent
    sentences = dict(line.split("\t") for line in (folder / "figures.txt").read_text().splitlines())
    assert set(sentences) == {path.stem for path in drawing if path.suffix == ".png"}
    for name, sentence in sentences.items():
        assert "Toy model" in sentence
        with Image.open(folder / f"{name}.png") as image:
            assert image.text["Description"] == sentence
            assert image.text["Source"] == "glasso:abc123"
            assert image.text["Software"] == f"glasso {glasso_cli.__version__}"
        svg = ET.parse(folder / f"{name}.svg").getroot()
        words = " ".join(svg.itertext())
        assert sentence in words
        assert "glasso:abc123" in words


@pytest.fixture
def few_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of figures instead of all."""
    monkeypatch.setattr("glasso_cli.report.plots.PLOTS", {kind: PLOTS[kind] for kind in ("network", "card")})


@pytest.mark.slow
@pytest.mark.usefixtures("few_plots")
def test_formats_are_those_asked_for(make_study: Callable[..., Study], tmp_path: Path) -> None:
    files = drawn(make_study(section={"formats": ("svg",), "cards": 0}), tmp_path)
    assert {path.suffix for path in files} == {".svg", ".csv", ".dot", ".txt"}


@pytest.mark.slow
@pytest.mark.usefixtures("few_plots")
def test_pictures_of_an_earlier_call_are_deleted_and_nothing_else(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    drawn(make_study(section={"cards": 3, "formats": ("png", "svg")}), folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "my heatmap.png").write_text("mine")
    files = drawn(make_study(section={"cards": 1}), folder)
    left = {path.name for path in folder.iterdir()} - {path.name for path in files}
    assert left == {"notes.txt", "my heatmap.png"}


@pytest.mark.slow
def test_importing_the_plots_imports_no_plotting() -> None:
    code = (
        "import sys, glasso_cli.report.plots\n"
        "found = {'matplotlib', 'seaborn', 'pydot', 'networkx', 'pandas'} & set(sys.modules)\n"
        "sys.exit(' '.join(found) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- what single pictures say -----------------------------------------------------------------------------


def picture_of(study: Study, name: str) -> Picture:
    with style.look():
        (picture,) = PLOTS[name](study)
    return picture


def texts_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_picture_says_what_a_stranger_must_know(make_study: Callable[..., Study], name: str) -> None:
    study = make_study()
    words = texts_of(picture_of(study, name).figure)
    for part in ("Toy model · toy corpus", "30 neurons", f"α = {study.alpha:.4g}", "40 edges"):
        assert part in words


def test_the_heat_map_prints_its_limit_and_what_lies_beyond(make_study: Callable[..., Study]) -> None:
    study = make_study(60, 300, sizes=(300,))
    words = texts_of(picture_of(study, "heatmap").figure)
    limit = np.quantile(np.abs(study.edges.rho), 0.995)
    assert f"±{limit:.3f}" in words
    assert f"{study.edges.rho[0]:+.3f}".replace("-", "−") in words


def test_the_heat_map_leaves_out_isolated_neurons_that_are_the_most(make_study: Callable[..., Study]) -> None:
    """A graph of latents: few have an edge. The cells of the others would be all that one sees."""
    few, some = make_study(300, 20, sizes=(20,)), make_study(60, 300, sizes=(300,))
    connected = len(np.unique([few.edges.rows, few.edges.cols]))
    picture = picture_of(few, "heatmap")
    words = texts_of(picture.figure).replace("\n", " ")
    assert f"between {connected} of 300 neurons" in words
    assert f"{300 - connected} isolated neurons are left out" in words
    shown = picture.table["partial_correlation"]
    assert sorted(shown[shown != 0]) == pytest.approx(sorted(few.edges.rho))
    assert max(picture.table["column_last"]) == connected - 1
    words = texts_of(picture_of(some, "heatmap").figure).replace("\n", " ")
    assert "between 60 neurons" in words
    assert "isolated neurons come last" in words


def test_the_path_marks_the_chosen_alpha_and_the_tolerance(make_study: Callable[..., Study]) -> None:
    study = make_study(rule="degree")
    figure = picture_of(study, "path").figure
    for axes in figure.axes:
        assert any(np.allclose(line.get_xdata(), study.alpha) for line in axes.lines)
        left, right = axes.get_xlim()
        assert left > right  # sparse to dense
    assert "target 4" in texts_of(figure)
    assert "1e-07" in texts_of(figure)


def test_the_network_counts_what_it_leaves_out(make_study: Callable[..., Study]) -> None:
    study = make_study(p=40, edges=60, section={"edges": 10})
    picture = picture_of(study, "network")
    assert f"Showing 10 of {study.n_edges:,} edges" in texts_of(picture.figure).replace("\n", " ")
    assert len(picture.table["neuron_i"]) == 10


def test_the_diagnostics_table_holds_the_recorded_counts(make_study: Callable[..., Study]) -> None:
    table = picture_of(make_study(dead=(2,)), "diagnostics").table
    rows = {(q, of): value for q, of, value in zip(table["quantity"], table["of"], table["value"])}
    assert rows["tokens special", ""] == "20"
    assert rows["neurons", "dead"] == "1.0"
    assert rows["effective tokens median", ""] == "200.0"


@pytest.mark.parametrize("decades", [1, 4, 9])
def test_labels_below_a_distribution_stand_apart(make_study: Callable[..., Study], decades: int) -> None:
    study = make_study()
    wide = 10.0 ** np.linspace(-decades, 0, study.stats.n_neurons)
    stats = replace(study.stats, std=wide, kurtosis=1 / wide - 2)
    figure = picture_of(replace(study, stats=stats), "diagnostics").figure
    figure.canvas.draw()
    panels = {axes.get_title(loc="left") or axes.get_title(): axes for axes in figure.axes}
    for title in ("Excess kurtosis", "Standard deviation"):
        boxes = [label.get_window_extent() for label in panels[title].get_xticklabels() if label.get_text()]
        assert boxes
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
