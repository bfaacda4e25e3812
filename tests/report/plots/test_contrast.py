"""The pictures of a comparison: which there are, and that their numbers are those of the artifact."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.planted_corpora import FIT, corpus, statistics, tokens_of

from glasso_cli.artifacts.comparison import CLASSES, Comparison
from glasso_cli.comparison import pairwise
from glasso_cli.comparison.estimates import common_neurons, estimate_both
from glasso_cli.config import CompareSection, VisualizeSection
from glasso_cli.report.plots import draw
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.figures import scatter
from glasso_cli.report.words.comparison import comparison_summary

P = 24
MOVED = np.zeros(P)  # from before to after
MOVED[[7, P - 1]] = 0.4, -0.6
KINDS = ["activations", "shifted", "maps", "scatter", "rewired"]


@pytest.fixture(scope="module")
def contrast() -> Contrast:
    """A chain against the same with two edges lost, one of the other sign, and two means moved; one id is hostile."""
    base = np.eye(P) * 1.4 + 0.35 * (np.eye(P, k=1) + np.eye(P, k=-1))
    other = base.copy()
    for i, j, value in ((0, 1, 0.0), (4, 5, 0.0), (10, 11, -0.35)):
        other[i, j] = other[j, i] = value
    ids = [f"layers.0.mlp[{n}]" for n in range(P - 1)] + ["<script>$x$\n"]
    before, after = (
        corpus(name, statistics(tokens_of(precision, 160, 20, seed) + seed * MOVED, ids=ids))
        for seed, (name, precision) in enumerate({"$before$": base, "after": other}.items())
    )
    common = common_neurons(before, after)
    found = pairwise.assemble(
        lambda metrics: {"key": "k", "corpus": "a-vs-b", "metrics": metrics},
        before,
        after,
        common,
        estimate_both(before, after, common, FIT),
        CompareSection(),
    )
    return Contrast(
        found,
        before.stats,
        after.stats,
        VisualizeSection(dpi=60, formats=("png", "svg")),
        "toy · before (A) against after (B)",
        2,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_picture_has_its_numbers_and_its_sentence(contrast: Contrast, tmp_path: Path) -> None:
    files = [path for part in draw(replace(contrast, most=3), tmp_path) for path in part]
    names = {path.name for path in files}
    assert names == {f"{name}.{end}" for name in KINDS for end in ("png", "svg", "csv")} | {"figures.txt"}
    comparison = contrast.comparison
    table = rows(tmp_path / "scatter.csv")
    assert [float(row["partial_correlation_a"]) for row in table] == comparison.rho_a.tolist()
    assert [row["difference"] for row in table] == ["" if k < 0 else CLASSES[k] for k in comparison.classes]
    maps = rows(tmp_path / "maps.csv")
    counts = {panel: sum(int(row["entries"]) for row in maps if row["panel"] == panel) for panel in ("A", "B", "B-A")}
    assert counts == {
        "A": comparison.drawn_a.sum(),
        "B": comparison.drawn_b.sum(),
        "B-A": comparison.differential.sum(),
    }
    rewired = rows(tmp_path / "rewired.csv")
    ranked = np.lexsort((-comparison.changes, -comparison.change))[:3]
    assert list(dict.fromkeys(row["neuron"] for row in rewired)) == comparison.neuron_ids[ranked].tolist()
    assert {row["corpus"] for row in rewired} == {"$before$", "after"}
    sentences = (tmp_path / "figures.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in sentences] == KINDS
    shifted = rows(tmp_path / "shifted.csv")
    assert {row["neuron"] for row in shifted} == {
        contrast.comparison.neuron_ids[7],
        contrast.comparison.neuron_ids[-1],
    }
    volcano = rows(tmp_path / "activations.csv")
    assert len(volcano) == P
    found = {row["neuron"]: float(row["shift"]) for row in volcano if float(row["shift_q_value"]) <= 0.05}
    scale = np.sqrt((contrast.first.std**2 + contrast.second.std**2) / 2)
    assert found.keys() == {row["neuron"] for row in shifted}
    np.testing.assert_allclose(sorted(found.values()), sorted((MOVED / scale)[[7, P - 1]]), atol=0.15)
    assert "the means of 1 are higher in after and of 1 higher in $before$" in sentences[0]


@pytest.mark.slow
def test_the_same_comparison_draws_the_same_bytes(contrast: Contrast, tmp_path: Path) -> None:
    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        drawn.append({p.name: p.read_bytes() for part in draw(contrast, folder) for p in part})
    assert drawn[0] == drawn[1]


@pytest.mark.slow
def test_where_nothing_differs_no_neuron_is_shown_and_an_old_picture_goes(contrast: Contrast, tmp_path: Path) -> None:
    list(draw(contrast, tmp_path))
    comparison = contrast.comparison
    none = replace(
        comparison,
        classes=np.full_like(comparison.classes, -1),
        changes=np.zeros_like(comparison.changes),
        change=np.zeros_like(comparison.change),
    )
    files = [path.name for part in draw(replace(contrast, comparison=none), tmp_path) for path in part]
    assert "rewired.png" not in files
    assert not (tmp_path / "rewired.png").exists()
    assert (tmp_path / "maps.png").exists()


@pytest.mark.slow
def test_a_comparison_reads_the_same_from_memory_and_from_disk(contrast: Contrast, tmp_path: Path) -> None:
    fresh = contrast
    fresh.comparison.save(tmp_path / "a-vs-b.npz")
    stored = replace(fresh, comparison=Comparison.load(tmp_path / "a-vs-b.npz"))
    assert comparison_summary(stored.comparison.metrics) == comparison_summary(fresh.comparison.metrics)
    assert stored.doubt == fresh.doubt
    assert [p.alt for p in scatter.pictures(stored)] == [p.alt for p in scatter.pictures(fresh)]
