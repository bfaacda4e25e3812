"""The tab of edges across layers, in headless Chromium: its pairs, its filters, and the card of a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.across import ALONE, BOTH, WIRED, study_across
from support.browser import Page, serious_findings
from support.studies import build_study

from glasso_cli.across.readings import IN_WORDS, READINGS
from glasso_cli.report.explorer import across, write_explorer
from glasso_cli.report.explorer.from_artifacts import view_of


@pytest.fixture
def page(opened: Callable[..., Page], tmp_path: Path) -> Page:
    """The page of planted pairs, with the tab open."""
    page = opened(view_of(study_across(tmp_path, (8, 9, 10), seed=2)))
    page.set(tab="across")
    return page


def rows(page: Page) -> list[list[str]]:
    """The cells of the table."""
    found: list[list[str]] = page.run(
        "return [...document.querySelectorAll('#across-table tbody tr')].map((row) =>"
        " [...row.cells].map((cell) => cell.innerText.trim().replace(/\\s+/g, ' ')))"
    )
    return found


@pytest.mark.browser
@pytest.mark.slow
def test_pairs_have_three_columns_and_are_filtered_by_reading_layers_and_size(page: Page) -> None:
    first = rows(page)[0]
    assert first[:3] == ["L8·0", "L9·0", "both"]
    assert first[3:7] == ["+0.400 ± 0.010", "+0.500 ± 0.010", "+0.450 ± 0.010", "+0.450 ± 0.010"]
    page.set(reading=str(READINGS.index("unused wiring")))
    assert [row[:5] for row in rows(page)] == [["L8·2", "L9·2", "unused wiring", "–", "−0.350 ± 0.010"]]
    page.set(reading="", between="9 10")
    assert [row[:3] for row in rows(page)] == [["L9·3", "L10·1", "both"]]
    page.set(between="", strength=0.3)
    assert {row[2] for row in rows(page)} == {"both", "common cause", "unused wiring"}
    page.set(strength=0)
    page.run("const s = document.querySelector('#reading'); s.value = '1'; s.dispatchEvent(new Event('change'))")
    assert [row[2] for row in rows(page)] == ["common cause"]
    assert page.run("return location.hash") == "#tab=across&reading=1"


@pytest.mark.browser
@pytest.mark.slow
def test_why_shows_the_columns_a_sentence_and_the_contexts_side_by_side(page: Page) -> None:
    effects = {BOTH: "as influence says", ALONE: "", WIRED: "the wiring works"}  # the source of ALONE was not measured
    for pair, reading in ((BOTH, "both"), (ALONE, "common cause"), (WIRED, "unused wiring")):
        page.set(edge="-".join(map(str, pair)))
        page.wait("await new Promise((done) => setTimeout(done, 150))")
        card = page.text("#card")
        assert f"Across layers: {reading}" in card
        assert IN_WORDS[reading] in card
        assert effects[pair] in card
        assert ("A change of the source" in card) is bool(effects[pair])
        assert "plain correlation" in card or "No edge at any" in card
        left, right = page.run(
            "return [...document.querySelectorAll('#card .sides > div')].map((side) =>"
            " [side.getBoundingClientRect().left, side.querySelectorAll('mark').length])"
        )
        assert left[0] < right[0]
        assert left[1] > 0
        assert right[1] > 0
    page.run("document.querySelector('#across-table button[aria-label^=Why]').click()")
    assert "not measured" not in page.text("#card .statements")
    assert page.run("return window.glasso.state().edge") == "0-12"
    page.set(edge=None, neuron=0)
    assert "Across layers (" in page.text("#card")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_findings_of_axe(page: Page, dark: bool) -> None:
    page.set(edge="-".join(map(str, BOTH)))
    assert serious_findings(page, dark=dark) == []


@pytest.mark.browser
@pytest.mark.slow
def test_opposite_signs_are_named(opened: Callable[..., Page], tmp_path: Path) -> None:
    study = study_across(tmp_path)
    assert study.influence is not None
    page = opened(view_of(replace(study, influence=replace(study.influence, mean=-study.influence.mean))))
    page.set(tab="across", edge="-".join(map(str, BOTH)))
    assert "Their signs differ" in page.text("#card")


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_of_one_layer_has_no_such_tab(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(view_of(build_study(tmp_path)), "#tab=across")
    assert page.run("return window.glasso.state().tab") == "overview"
    assert page.run("return document.querySelector('#tab-across')") is None
    assert page.run("return window.glasso.manifest.across === undefined")


def test_pairs_with_a_neuron_that_was_not_fitted_are_counted_and_not_in_the_page(tmp_path: Path) -> None:
    study = study_across(tmp_path, dead=(BOTH[0],))
    assert study.across is not None
    shown = view_of(study).across
    assert shown is not None
    missing = (study.across.sources == BOTH[0]) | (study.across.targets == BOTH[0])
    assert shown.words["not_fitted"] == missing.sum() > 0
    names = study.fit.neuron_ids[shown.sources]
    assert sorted(names.tolist()) == sorted(study.collected.ids[study.across.sources[~missing]].tolist())


def test_what_does_not_fit_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_across(tmp_path)
    whole = view_of(study).across
    assert whole is not None
    assert whole.words["left_out"] == whole.words["not_fitted"] == 0
    monkeypatch.setattr(across, "MOST_PAIRS", 3)
    small = view_of(study).across
    assert small is not None
    assert np.bincount(small.reading, minlength=5).tolist() == [1, 1, 1, 3, 0]
    assert small.words["left_out"] == len(whole.sources) - 6
    written = write_explorer(view_of(study), tmp_path / "page.html", 12.0)
    assert "across.0.value" in written.path.read_text(encoding="utf-8")
    assert (
        "across."
        not in write_explorer(view_of(build_study(tmp_path)), tmp_path / "plain.html", 12.0)
        .path.read_text(encoding="utf-8")
        .partition("data-block")[2]
        .partition("<script>")[0]
    )
