"""The tab of pathways and the columns of structure and importance, in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.across import study_across
from support.browser import Page, serious_findings
from support.scored_studies import MISSING, study_scored

from glasso_cli.report.explorer.from_artifacts import view_of
from glasso_cli.report.plots.study import Study

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_scored(tmp_path)


@pytest.fixture
def page(opened: Callable[..., Page], study: Study) -> Page:
    page = opened(view_of(study))
    page.set(tab="pathways")
    return page


def count(page: Page, selector: str) -> int:
    return int(page.run("return document.querySelectorAll(arguments[0]).length", selector))


def cells(page: Page, table: str) -> list[list[str]]:
    found: list[list[str]] = page.run(
        "return [...document.querySelectorAll(`${arguments[0]} tbody tr`)].map((row) =>"
        " [...row.cells].map((cell) => cell.innerText.trim().replace(/\\s+/g, ' ')))",
        table,
    )
    return found


def focused(page: Page) -> Any:
    return page.run("return document.activeElement.getAttribute('data-node')")


def key(page: Page, name: str) -> None:
    page.run(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", name
    )


def test_paths_are_listed_with_their_products_and_what_was_measured(page: Page, study: Study) -> None:
    assert study.pathways is not None
    effects = study.pathways.path_columns()["effect"]
    rows = cells(page, "#pathways-table")
    assert len(rows) == 12
    assert rows[0][0] == "Path 1"
    assert rows[0][1].startswith("L8·")
    assert rows[0][2].replace("−", "-").startswith(f"{effects[0]:+.3f} ± 0.")
    assert [row[3][1:] for row in rows[:3]] == ["0.300 ± 0.010", "0.300 ± 0.010", ""]
    page.set(routes=5)
    assert len(cells(page, "#pathways-table")) == 5
    page.set(routes=20, weight=0.4)
    assert len(cells(page, "#pathways-table")) == (abs(effects) >= 0.4).sum() > 0


def test_controls_say_how_much_is_drawn(page: Page) -> None:
    page.set(routes=0, links=4, tops=0)
    assert count(page, "#pathways .edge") == 4
    assert count(page, "#pathways .ring") == 0
    page.set(links=0, tops=7)
    assert count(page, "#pathways .edge") == 0
    assert count(page, "#pathways .ring") == count(page, "#pathways .node") == 7
    assert "7 neurons in 2 layers, 0 edges" in page.text("#pathways-shown")
    page.set(tops=0)
    assert "Nothing is as strong" in page.text("#pathways")
    assert page.run("return location.hash") == "#tab=pathways&routes=0&links=0&tops=0"


def test_a_path_is_highlighted_and_has_a_card(page: Page) -> None:
    page.run("document.querySelector('#pathways-table [data-path=\"1\"]').click()")
    assert count(page, "#pathways .edge.on") == 2
    assert count(page, "#pathways .node.on") == 3
    assert page.run("return document.querySelector('[data-path=\"1\"]').getAttribute('aria-pressed')") == "true"
    card = page.text("#card")
    assert "Path 2" in card
    assert "Measured through the middle: " in card
    assert card.count("(edge ") == 2
    page.set(path=11, routes=0, links=0, tops=0)  # it is drawn, although the controls leave it out
    assert count(page, "#pathways .edge") == 2
    page.press("body", "Escape")
    assert page.run("return window.glasso.state().path") is None
    assert count(page, "#pathways .edge.on") == 0
    page.set(links=60)
    page.run("[...document.querySelectorAll('#pathways .edge')].at(-1).dispatchEvent(new MouseEvent('click'))")
    assert page.run("return window.glasso.state().path") is not None


def test_paths_to_a_scalar_show_it(opened: Callable[..., Page], tmp_path: Path) -> None:
    study = study_scored(tmp_path, to="scalar")
    assert study.pathways is not None
    page = opened(view_of(study), "#tab=pathways&links=5&tops=0")
    effects, names = (study.pathways.path_columns()[name] for name in ("effect", "path"))
    rows = cells(page, "#pathways-table")
    assert all(row[1].endswith(" → loss") for row in rows)
    assert rows[0][2].replace("−", "-").startswith(f"{effects[0]:+.4f}"[:6])
    assert "change of the loss per token" in page.text("#pathways-table caption")
    last = {name.split(" > ")[-2] for name in names}
    slopes = "return [...document.querySelectorAll('#pathways .edge title')].filter((e) => e.textContent.includes('→ loss')).length"
    assert page.run(slopes) == len(last)
    assert "and loss, " in page.text("#pathways-shown")
    assert count(page, "#pathways rect") == 1
    page.run("document.querySelector('#pathways-table [data-path=\"0\"]').click()")
    assert count(page, "#pathways .edge.on") == len(names[0].split(" > ")) - 1
    assert "Product of its edges and of the slope of the loss at its last neuron: " in page.text("#card")
    assert page.text("#card").count("(slope ") == 1
    page.run("document.querySelector('#pathways [tabindex=\"0\"]').focus()")
    assert "scalar" not in page.run("return document.activeElement.getAttribute('aria-label')")
    page.set(weight=0.5)  # in the unit of edges between neurons, whatever the size of the slopes
    assert 0 < len(cells(page, "#pathways-table")) < len(rows)
    assert serious_findings(page, dark=False) == []


def test_a_neuron_opens_its_card_by_pointer_and_by_keys(page: Page) -> None:
    assert count(page, '#pathways [tabindex="0"]') == 1  # one stop of the Tab key
    page.run("document.querySelector('#pathways [tabindex=\"0\"]').focus()")
    first = focused(page)
    key(page, "ArrowRight")
    assert focused(page) != first
    key(page, "ArrowLeft")
    assert focused(page) == first
    key(page, "ArrowDown")
    assert page.run("return document.activeElement.getAttribute('aria-label')").count("layer 10") == 1
    key(page, "Enter")
    neuron = page.run("return window.glasso.state().neuron")
    assert page.run("return document.activeElement.classList.contains('chosen')")
    assert page.text("#card").splitlines()[0] == page.run("return window.glasso.array('labels')[arguments[0]]", neuron)
    assert "Strongest paths (" in page.text("#card")
    page.run(
        "document.querySelector('#pathways [aria-label*=\"not in the fitted graph\"]').dispatchEvent(new Event('click'))"
    )
    assert page.run("return window.glasso.state().neuron") == neuron


def test_the_columns_of_a_stage_can_be_chosen_and_sorted(page: Page, study: Study) -> None:
    page.set(tab="neurons")
    assert page.text("#neuron-table th:nth-child(4)").startswith("edges")
    page.run(
        "const s = document.querySelector('#columns'); s.value = 'importance'; s.dispatchEvent(new Event('change'))"
    )
    assert page.run("return location.hash") == "#tab=neurons&columns=importance"
    page.run("document.querySelector('#neuron-table th:nth-child(2) button').click()")
    ranks = [row[1] for row in cells(page, "#neuron-table")]
    assert ranks == [str(rank) for rank in range(3, 38)] + ["–"]
    assert cells(page, "#neuron-table")[-1][0] == study.labels[MISSING]
    assert "that gradients expect" in page.run(
        "return document.querySelector('#neuron-table th:nth-child(3) button').title"
    )
    page.set(columns="structure")
    page.run("document.querySelector('#neuron-table th:nth-child(2) button').click()")
    assert cells(page, "#neuron-table")[0][1].endswith("± 0.020")
    assert "by ridge regression" in page.run("return document.querySelector('#columns-help').textContent")
    page.set(neuron=0)
    assert "held-out R²" in page.text("#card")
    page.set(neuron=MISSING)
    assert "This neuron was not scored." in page.text("#card")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("state", [{"path": 1}, {"neuron": 5}, {"tab": "neurons", "columns": "structure", "neuron": 5}])
def test_no_serious_findings_of_axe(page: Page, dark: bool, state: dict[str, Any]) -> None:
    page.set(**state)
    assert serious_findings(page, dark=dark) == []


def test_tables_do_not_scroll_sideways(page: Page) -> None:
    wide = "return [...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).length"
    for width in (1440, 800):
        page.driver.set_window_size(width, 1000)
        for state in (
            {"tab": "pathways"},
            {"tab": "neurons", "columns": "structure", "neuron": 5},
            {"tab": "neurons", "columns": "importance"},
            {"tab": "across", "neuron": None, "edge": "0-12"},
        ):
            page.set(**state)
            assert page.run(wide) == 0, (width, state)
            assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_a_page_without_scores_has_neither_tab_nor_choice(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(view_of(study_across(tmp_path)), "#tab=pathways&columns=structure&path=3")
    assert page.run("return window.glasso.state().tab") == "overview"
    assert page.run("return document.querySelector('#tab-pathways')") is None
    page.set(tab="neurons")
    assert page.run("return document.querySelector('#columns-field').hidden")


def test_a_page_with_scores_alone_hides_the_controls_of_paths(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(view_of(study_scored(tmp_path, without=("pathways", "structure"))), "#tab=pathways")
    hidden = (
        "return ['routes', 'links', 'tops', 'weight'].filter((id) => document.getElementById(id).parentElement.hidden)"
    )
    assert page.run(hidden) == ["routes"]
    assert count(page, "#pathways .edge") > 0
    assert not count(page, "#pathways-table table")


def test_numbers_have_as_many_digits_as_their_errors_allow(opened: Callable[..., Page], study: Study) -> None:
    view = view_of(study)
    group = view.columns[1]
    value = np.full(study.p, np.nan)
    value[:6] = [1493, 0.0123456, -5.4321, 12.345, 0.5, 0]
    error = np.full(study.p, np.nan)
    error[1:5] = [0.00034, 0.02, 3, 1e-17]
    columns = (replace(group.columns[0], value=value), replace(group.columns[1], value=value, error=error))
    page = opened(replace(view, columns=(replace(group, columns=columns),)), "#tab=neurons&columns=importance")
    rows = {row[0].split(" ")[0]: row[1:] for row in cells(page, "#neuron-table")}
    shown = [rows[study.labels[neuron]] for neuron in range(7)]
    assert [row[0] for row in shown] == ["1,493", "0.0123", "−5.43", "12.3", "0.5", "0", "–"]
    assert [row[1] for row in shown] == [
        *("1,493", "+0.01235 ± 0.00034", "−5.432 ± 0.020", "+12.3 ± 3.0", "+0.5", "0", "–"),
    ]
