"""The explorer in headless Chromium, opened from disk with no network: what a stranger does with it."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import Page, serious_findings
from support.explorer_views import two_corpora
from support.studies import with_crops

from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.graph import colours
from glasso_cli.report.explorer import write_explorer
from glasso_cli.report.explorer.from_artifacts import view_of
from glasso_cli.report.names import Name
from glasso_cli.report.plots.study import Study

pytestmark = pytest.mark.browser
HOSTILE = ['<img src=x onerror="window.hit=1">', "a,b", 'say "hi"', "two\nlines", "</script><b>", "&lt;", "é🎬", "#x"]


def test_crops_are_drawn_with_their_boxes(make_study: Callable[..., Study], opened: Callable[..., Page]) -> None:
    study = make_study(p=30, edges=40)
    study = replace(study, stats=with_crops(study.stats, 3, room=20))
    crops = study.stats.crops
    assert crops is not None
    page = opened(view_of(study))
    neuron = int(page.run("return glasso.array('order')[0]"))
    page.set(neuron=neuron)
    page.wait("while (!document.querySelector('#card figure')) await new Promise((go) => setTimeout(go, 10));")
    poles = pole_contexts(study.stats, int(study.fit.neurons[neuron]), 8)
    tokens = np.concatenate([pole.tokens[:, 0] for pole in poles])
    figures = page.run("return [...document.querySelectorAll('#card figure')].map((figure) => figure.title)")
    documents = np.concatenate([pole.documents for pole in poles])
    assert figures == [f"document {document}, row {token}, column 3" for document, token in zip(documents, tokens)]
    # In the middle of a pixel outside the box, and on the line of the box.
    pixel = (
        "const canvas = document.querySelector('#card figure canvas'); const context = canvas.getContext('2d');"
        "const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);"
        "const place = (x, y) => 4 * (Math.floor(y * height / 6) * width + Math.floor(x * width / 8));"
        "const at = (x, y) => [...data.slice(place(x, y), place(x, y) + 3)];"
        "return [at(7.5, 5.5), at(0.5, 0.5), at(3.5, 1)];"
    )
    first = crops.picture(crops.of[tokens[0]])
    assert page.run(pixel) == [first[5, 7].tolist(), first[0, 0].tolist(), [230, 159, 0]]
    assert "receptive field (3 x 3 pixels)" in page.text("#card")
    page.set(neuron=None, tab="neurons")
    assert "document" in page.text("#neuron-table")
    assert "score of the name" not in page.text("#neuron-table")
    found = page.run("return glasso.search(arguments[0]).map(({neuron}) => neuron)", f"document {documents[0]}")
    assert neuron in found


def test_the_first_view_says_what_it_is(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    assert f"{study.p} neurons" in page.text("#sentence")
    assert f"{study.n_edges} edges" in page.text("#sentence")
    assert page.counts()["shown"] == study.n_edges
    assert page.run("return document.querySelectorAll('#strongest > li').length") == 15
    strongest = study.labels[study.by_strength[0]]
    assert page.text("#strongest > li").startswith(strongest)
    page.wait("await new Promise((done) => setTimeout(done, 300))")
    assert page.run("return document.querySelectorAll('#strongest .context').length") == 15


def test_the_arrays_in_the_browser_are_those_of_the_fit(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    for k in range(len(study.fit.alphas)):
        in_page = page.run(
            "const p = window.glasso.point('a', arguments[0]); return [[...p.rows], [...p.cols], [...p.rho]]", k
        )
        rows, cols, rho = study.fit.edges(k)
        assert {(i, j): pytest.approx(value, abs=2e-5) for i, j, value in zip(rows, cols, np.clip(rho, -1, 1))} == {
            (i, j): value for i, j, value in zip(*in_page)
        }
        assert np.all(np.diff(np.abs(in_page[2])) <= 1e-9)
    for k, chosen in enumerate(study.fit.alphas):
        page.set(alpha=k, tested=False)
        assert page.counts()["shown"] == study.fit.n_edges[k]
        assert page.text("#alpha-value") == f"{chosen:.3f}"


def test_filters_change_the_counts_as_they_should(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    rho = study.edges.rho
    page.set(signs="+")
    assert page.counts()["shown"] == (rho > 0).sum()
    assert page.counts()["hidden"]["sign"] == (rho <= 0).sum()
    page.set(signs="+-", least=0.05)
    assert page.counts()["shown"] == (np.abs(rho) >= 0.05).sum()
    assert "by size" in page.text("#counts")
    page.set(least=0, frequency=1)
    assert page.counts()["shown"] == 0
    page.set(frequency=0.95)
    assert page.counts()["shown"] == len(rho)
    page.run("document.querySelector('#negative').click()")
    assert page.counts()["shown"] == (rho > 0).sum()


def test_a_word_finds_neurons_and_a_neuron_shows_why(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    page.press("body", "/")
    assert page.run("return document.activeElement.id") == "search"
    results = page.run("return window.glasso.search('FILM').map(({neuron}) => neuron)")
    middle = study.stats.top_tokens.shape[2] // 2
    film = study.stats.vocabulary.tolist().index(" film")
    poles = [study.stats.top_tokens, study.stats.bottom_tokens]
    has = {n for n in range(study.p) if any((pole[study.fit.neurons[n], :, middle] == film).any() for pole in poles)}
    assert set(results) <= has
    assert len(results) == min(12, len(has))
    page.run(
        "const s = document.querySelector('#search'); s.value = 'film'; s.dispatchEvent(new Event('input'));"
        "document.querySelector('#controls').requestSubmit()"
    )
    neuron = page.run("return window.glasso.state().neuron")
    assert neuron == results[0]
    page.wait("await new Promise((done) => setTimeout(done, 200))")
    card = page.text("#card")
    assert study.labels[neuron] in card
    neighbours = study.edges_of(neuron)
    assert f"Positive edges ({(study.edges.rho[neighbours] > 0).sum()})" in card
    assert page.run("return document.querySelectorAll('#card .context mark').length") == 6 + 4  # at both poles
    page.run("document.querySelector('#card button[aria-label^=Why]').click()")
    text = page.text("#card")
    assert "plain correlation" in text
    assert "It passes the tests and is drawn." in text
    assert "95 %" in text


def test_the_address_brings_the_same_page_back(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    page = opened(two_corpora(make_study))
    wanted = {
        "tab": "graph", "corpus": "b", "alpha": 1, "signs": "-", "least": 0.02, "neuron": 4, "budget": 500,
        "pins": [{"neuron": 2, "note": "a & b=c", "group": "g"}],
    }  # fmt: skip
    for name, value in wanted.items():
        page.set(**{name: value})
    link = page.run("return location.hash")
    page = opened(two_corpora(make_study), link)
    state = page.run("return window.glasso.state()")
    assert {name: state[name] for name in wanted} == wanted
    damaged = opened(two_corpora(make_study), "#neuron=999&corpus=z&pins=[&alpha=-1&tab=graph")
    state = damaged.run("return window.glasso.state()")
    assert (state["tab"], state["neuron"], state["corpus"], state["pins"]) == ("graph", None, "a", [])


def test_what_is_exported_is_what_is_shown(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    study = make_study(p=8, ids=HOSTILE, edges=14)
    page = opened(view_of(study))
    rows, cols, rho = study.edges
    ids = study.fit.neuron_ids
    table = list(csv.DictReader(io.StringIO(page.wait("return window.glasso.text('csv')"), newline="")))
    assert [(row["neuron_i"], row["neuron_j"]) for row in table] == [(ids[i], ids[j]) for i, j in zip(rows, cols)]
    np.testing.assert_allclose([float(row["partial_correlation"]) for row in table], rho, atol=2e-5)
    np.testing.assert_allclose([float(row["q_value"]) for row in table], 1e-3, rtol=6e-3)
    import pydot

    (dot,) = pydot.graph_from_dot_data(page.wait("return window.glasso.text('dot')"))
    assert len(dot.get_edges()) == len(rho)
    gexf = ET.fromstring(page.wait("return window.glasso.text('gexf')"))
    space = {"g": "http://gexf.net/1.3"}
    assert {node.get("label") for node in gexf.iterfind(".//g:node", space)} == {str(ids[n]) for n in {*rows, *cols}}
    assert len(gexf.findall(".//g:edge", space)) == len(rho)
    page.set(tab="graph")
    svg = ET.fromstring(page.wait("return window.glasso.text('svg')"))
    assert len(svg.findall("{http://www.w3.org/2000/svg}line")) == len(rho)
    dashed = [line for line in svg.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke-dasharray")]
    assert len(dashed) == (rho < 0).sum()
    assert page.wait("return (await window.glasso.text('png')).size") > 1000
    page.set(signs="+")
    assert page.wait("return window.glasso.text('csv')").count("\n") >= (rho > 0).sum() + 1


def test_other_colours_in_python_are_other_colours_in_the_browser(
    opened: Callable[..., Page], make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colours, "POSITIVE", "#102030")
    monkeypatch.setattr(colours, "NEGATIVE", "#302010")
    monkeypatch.setattr(colours, "COMMUNITY", ("#0A0B0C",))
    page = opened(view_of(make_study(p=40, edges=70)))
    assert page.run("return getComputedStyle(document.querySelector('.sign.plus')).color") == "rgb(16, 32, 48)"
    assert page.run("return getComputedStyle(document.querySelector('.sign.minus')).color") == "rgb(48, 32, 16)"
    dots = "return getComputedStyle(document.querySelector('#communities .dot')).backgroundColor"
    assert page.run(dots) == "rgb(10, 11, 12)"
    for kind in ("dot", "svg"):
        text = page.wait(f"return window.glasso.text('{kind}')")
        assert "#102030" in text
        assert "#302010" in text
    assert "#0A0B0C" in text


def test_texts_are_texts(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    study = make_study(p=8, ids=HOSTILE, edges=14, title="<b onclick=x>T</b>")
    page = opened(view_of(study))
    for neuron in range(8):
        page.set(neuron=neuron)
        page.wait("await new Promise((done) => setTimeout(done, 30))")
    for tab in ("graph", "edges", "neurons"):
        page.set(tab=tab)
    assert page.run("return window.hit") is None
    assert page.run("return document.querySelectorAll('img, b').length") == 0
    assert page.text("#title") == "<b onclick=x>T</b>"


def test_names_are_text_wherever_a_neuron_is_shown(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    view = view_of(make_study(p=40, edges=70))
    names = [HOSTILE[n % len(HOSTILE)] if n % 3 else "" for n in range(view.p)]
    names[1], names[2] = '=HYPERLINK("x")', "lion / after zebra, quagga"
    (corpus,) = view.corpora
    community = Name(("<b>river</b>", "stone"), score=0.8, documents=20)
    shown = replace(corpus, community_names=[community] * (int(corpus.communities.max()) + 1))
    page = opened(replace(view, names=names, name_scores=np.full(view.p, 0.7), corpora=(shown,)), "#community=0")
    assert "<b>river</b>, stone" in page.text("#card")
    assert "0.80" in page.text("#card")
    buttons = page.run(
        "return [...document.querySelectorAll('[data-neuron]')].map((b) => [Number(b.dataset.neuron), b.textContent])"
    )
    assert {neuron for neuron, _ in buttons} & {n for n in range(view.p) if names[n]}
    for neuron, text in buttons:
        assert text == (f"{view.labels[neuron]} {names[neuron]}" if names[neuron] else view.labels[neuron])
    page.set(neuron=1)
    assert names[1] in page.text("#card")
    assert page.run("return window.glasso.search('Zebra').map(({neuron}) => neuron)") == [2]
    table = list(csv.DictReader(io.StringIO(page.wait("return window.glasso.text('csv')"), newline="")))
    ids = view.ids.tolist()
    for row in table:
        for end in "ij":
            name = names[ids.index(row[f"neuron_{end}"])]
            assert row[f"name_{end}"] == (f"'{name}" if name.startswith("=") else name)
    assert page.run("return window.hit") is None


def test_the_graph_by_mouse_and_by_keys(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    page.set(tab="graph")
    assert page.counts()["drawn"] == study.n_edges
    neuron = int(study.by_strength[0])
    x, y = page.run("return window.glasso.screenOf(arguments[0])", neuron)
    assert page.run("return window.glasso.pick(arguments[0], arguments[1])", x, y) == neuron
    canvas = page.driver.find_element("id", "graph")
    size = canvas.size
    page.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
    place = (round(x - size["width"] / 2), round(y - size["height"] / 2))
    ActionChains(page.driver).move_to_element_with_offset(canvas, *place).click().perform()
    assert page.run("return window.glasso.state().neuron") == neuron
    first = study.edges_of(neuron)[0]
    other = int(study.edges.rows[first] + study.edges.cols[first] - neuron)
    page.press("#graph", "n")
    assert page.run("return window.glasso.state().neuron") == other
    page.press("#graph", "Backspace")
    assert page.run("return window.glasso.state().neuron") == neuron
    page.press("#graph", "ArrowRight")
    page.press("#graph", "+")
    moved = page.run("return window.glasso.screenOf(arguments[0])", neuron)
    assert moved != [x, y]
    page.press("#graph", "0")
    assert page.run("return window.glasso.screenOf(arguments[0])", neuron) == pytest.approx([x, y])
    page.press("body", "Escape")
    assert page.run("return window.glasso.state().neuron") is None
    page.press("#tab-graph", "ArrowRight")
    assert page.run("return window.glasso.state().tab") == "edges"


def test_from_a_word_to_an_edge_with_nothing_but_the_keyboard(
    opened: Callable[..., Page], make_study: Callable[..., Study]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def keys(*pressed: str) -> None:
        ActionChains(page.driver).send_keys(*pressed).perform()

    def tab_to(selector: str) -> None:
        for _ in range(200):
            keys(Keys.TAB)
            if page.run("return document.activeElement.matches(arguments[0])", selector):
                assert page.run("return document.activeElement.matches(':focus-visible')")
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    keys("/", "film", Keys.ENTER)
    neuron = page.run("return window.glasso.state().neuron")
    assert neuron is not None
    tab_to("#tab-overview")
    keys(Keys.ARROW_RIGHT)
    assert page.run("return window.glasso.state().tab") == "graph"
    tab_to("#graph")
    keys("n")
    assert page.run("return window.glasso.state().neuron") in study.edges.rows[study.edges_of(neuron)].tolist() + (
        study.edges.cols[study.edges_of(neuron)].tolist()
    )
    tab_to("#card button[aria-label^=Why]")
    keys(Keys.ENTER)
    assert "plain correlation" in page.text("#card")
    page.run("document.querySelector('#alpha').focus()")
    keys(Keys.ARROW_LEFT)
    assert page.run("return window.glasso.state().alpha") == len(study.fit.alphas) - 2
    page.run("document.querySelector('#only-tested').focus()")
    keys(Keys.SPACE)
    assert page.counts()["shown"] == study.fit.n_edges[-2]


def test_what_had_no_room_is_said_on_the_page(driver: Any, make_study: Callable[..., Study], tmp_path: Path) -> None:
    view = view_of(make_study(p=600, edges=700))
    whole = write_explorer(view, tmp_path / "whole.html", 12.0)
    small = write_explorer(view, tmp_path / "page.html", whole.bytes / 1e6 * 0.95)
    assert 0 < small.without_contexts < 600
    page = Page(driver, small.path)
    assert f"Contexts of the {small.without_contexts} weakest neurons had no room" in page.text("#counts")
    page.set(neuron=int(page.run("return window.glasso.array('order')[599]")))
    page.wait("await new Promise((done) => setTimeout(done, 100))")
    assert "The file has no contexts of this neuron." in page.text("#card")


def test_pins_keep_their_notes_and_groups(opened: Callable[..., Page], make_study: Callable[..., Study]) -> None:
    study = make_study(p=40, edges=70)
    page = opened(view_of(study))
    first = study.edges_of(int(study.by_strength[0]))[0]
    for neuron in (int(study.edges.rows[first]), int(study.edges.cols[first])):
        page.set(neuron=neuron)
        page.run("document.querySelector('#pin').click()")
        page.run(
            "const f = document.querySelector('#card input'); f.value = 'pair'; f.dispatchEvent(new Event('input'))"
        )
    assert "pair 2 neurons, 1 edge inside" in page.text("#pinned")
    page.run("document.querySelector('#pin').click()")
    assert page.run("return window.glasso.state().pins.length") == 1


@pytest.mark.parametrize(
    "options", [{"p": 1, "sizes": (0,)}, {"edges": 0, "sizes": (0, 0)}, {"contexts": False}, {"p": 2, "sizes": (1,)}]
)
def test_small_graphs_open(
    opened: Callable[..., Page], make_study: Callable[..., Study], options: dict[str, Any]
) -> None:
    page = opened(view_of(make_study(**options)))
    for tab in ("graph", "edges", "neurons", "overview"):
        page.set(tab=tab)
    page.set(neuron=0)
    page.wait("await new Promise((done) => setTimeout(done, 50))")
    assert "Positive edges" in page.text("#card")


@pytest.mark.parametrize("tab", ["overview", "graph", "edges", "neurons"])
@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_findings_of_axe(
    opened: Callable[..., Page], make_study: Callable[..., Study], tab: str, dark: bool
) -> None:
    page = opened(two_corpora(make_study))
    page.set(tab=tab, neuron=0, pins=[{"neuron": 0, "note": "", "group": ""}])
    assert serious_findings(page, dark=dark) == []
