"""The explorer over two corpora in headless Chromium: what differs, and which neurons are more active."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.browser import Page
from support.explorer_views import two_corpora

from glasso_cli.report.explorer.from_artifacts import view_of
from glasso_cli.report.plots.study import Study

pytestmark = pytest.mark.browser


def test_corpora_and_what_differs(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    page = opened(two_corpora(make_study))
    assert [label.strip() for label in page.run("return [...document.querySelectorAll('#corpora label')].map((l) => l.innerText)")] == [
        "A: rivers", "B: courts", "what differs, B − A",
    ]  # fmt: skip
    page.run("document.querySelector('#corpora input[value=change]').click()")
    assert page.counts()["shown"] == 3
    page.run("const k = document.querySelector('#kind'); k.value = '4'; k.dispatchEvent(new Event('change'))")
    assert page.counts()["shown"] == 1
    page.set(tab="edges", kind="")
    assert "sign flip" in page.text("#edge-table")
    page.set(edge="0-7")
    assert "Between the corpora: sign flip" in page.text("#card")
    page.set(neuron=0)
    assert "Strongest contexts in rivers" in page.text("#card")
    assert "Strongest contexts in courts" in page.text("#card")


def test_neurons_that_are_more_active_in_one_corpus(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    view = two_corpora(make_study)
    page = opened(view)
    page.run("window.glasso.set({ tab: 'activity' })")
    rows = page.run("return [...document.querySelectorAll('#activity-table tbody tr')].map((row) => row.innerText)")
    assert len(rows) == len(view.ids)
    assert rows[0].startswith(view.labels[7])
    assert rows[1].startswith(view.labels[3])
    assert "−0.400" in rows[0]
    assert "at most 0.02 standard deviations" in page.text("#activity-words")
    page.run("window.glasso.set({ neuron: 7 })")
    assert "−0.400 ± 0.030 SD (q 1e−6)" in page.text("#card")
    assert "Strongest contexts in rivers" in page.text("#card")
    assert "Strongest contexts in courts" in page.text("#card")


def test_without_a_comparison_there_is_no_tab_of_activity(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    page = opened(view_of(make_study(p=40, edges=70)))
    assert page.run("return document.querySelector('#tab-activity') === null")
    assert page.run("return window.glasso.state().tab") == "overview"
