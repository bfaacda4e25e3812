"""The page as a file: arrays come back as they went in, the program is inside, and nothing points outside."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glasso_cli.report.explorer.write
from glasso_cli.artifacts.orientation import poles_of
from glasso_cli.graph import colours
from glasso_cli.report.explorer import write_explorer
from glasso_cli.report.explorer.from_artifacts import corpus_view, view_of
from glasso_cli.report.explorer.write import CHUNK, CONTEXTS, SCRIPTS, program
from glasso_cli.report.plots.figures import communities
from glasso_cli.report.plots.parts.glyphs import drawable
from glasso_cli.report.plots.study import Study


def written(study: Study, folder: Path, most_mb: float = 12.0) -> str:
    return write_explorer(view_of(study), folder / "page.html", most_mb).path.read_text(encoding="utf-8")


def manifest_of(page: str) -> dict[str, Any]:
    element = re.search(r'<script type="application/json" id="manifest">(.*?)</script>', page)
    assert element
    manifest: dict[str, Any] = json.loads(element[1])
    return manifest


def block_of(page: str, name: str) -> Any:
    element = re.search(rf'data-block="{re.escape(name)}">([^<]*)</script>', page)
    assert element, name
    raw = gzip.decompress(base64.b64decode(element[1]))
    entry = manifest_of(page)["blocks"][name]
    if entry["type"] == "json":
        return json.loads(raw)
    kinds = {"u1": "<u1", "u2": "<u2", "u4": "<u4", "i2": "<i2", "i4": "<i4", "f4": "<f4"}
    return np.frombuffer(raw, kinds[entry["type"]]).reshape(entry["shape"])


@pytest.mark.slow
def test_the_arrays_of_the_page_are_those_of_the_fit(make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study(p=40, edges=70)
    page = written(study, tmp_path)
    steps = manifest_of(page)["steps"]
    fit = study.fit
    rows, cols, present, rho = (block_of(page, f"a.{name}") for name in ("rows", "cols", "present", "rho"))
    done = 0
    for k in range(len(fit.alphas)):
        here = np.flatnonzero(present >> k & 1)
        wanted = fit.edges(k)
        order = np.lexsort((wanted[1], wanted[0]))
        np.testing.assert_array_equal(rows[here], wanted[0][order])
        np.testing.assert_array_equal(cols[here], wanted[1][order])
        np.testing.assert_allclose(
            rho[done : done + len(here)] / steps["correlation"], np.clip(wanted[2][order], -1, 1), atol=2e-5
        )
        done += len(here)
    assert done == len(rho)
    wanted = fit.edges()
    order = np.lexsort((wanted[1], wanted[0]))
    tested = block_of(page, "a.tested")
    np.testing.assert_array_equal(np.stack([rows[tested], cols[tested]]), np.stack([wanted[0], wanted[1]])[:, order])
    debiased = block_of(page, "a.debiased") / steps["correlation"]
    np.testing.assert_allclose(debiased, np.clip(fit.debiased[order], -1, 1), atol=2e-5)
    q_values = 10 ** (-block_of(page, "a.q").astype(float) / steps["log_q"])
    np.testing.assert_allclose(q_values, fit.q_values[order], rtol=6e-3)
    np.testing.assert_allclose(block_of(page, "a.frequency") / steps["frequency"], fit.frequencies[order], atol=3e-3)
    assert block_of(page, "ids") == fit.neuron_ids.tolist()


@pytest.mark.slow
def test_the_contexts_of_the_page_are_those_that_were_collected(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study(p=CHUNK + 30, edges=300)
    page = written(study, tmp_path)
    order = block_of(page, "order")
    vocabulary = block_of(page, "a.vocabulary")
    stats = study.stats
    for rank in (0, 1, CHUNK, CHUNK + 29):
        neuron = int(study.fit.neurons[order[rank]])
        rows = block_of(page, f"a.contexts.{rank // CHUNK}")[rank % CHUNK]
        expected = [
            (pole.sign, *context)
            for pole, most in zip(poles_of(stats, neuron), (CONTEXTS, CONTEXTS // 2))
            for context in list(zip(pole.tokens, pole.values, pole.documents))[:most]
        ]
        assert {sign for sign, *_ in expected} == {1, -1}
        assert len(rows) == len(expected)
        for (document, peak, tokens, values, sign), (pole, ids, numbers, number) in zip(rows, expected):
            inside = np.flatnonzero(ids >= 0)
            assert (document, sign) == (number, pole)
            assert [vocabulary[token] for token in tokens] == stats.vocabulary[ids[inside]].tolist()
            assert inside[peak] == stats.top_tokens.shape[2] // 2
            np.testing.assert_allclose(values, numbers[inside], rtol=6e-3)


def test_nothing_in_the_page_points_outside_it(make_study: Callable[..., Study], tmp_path: Path) -> None:
    page = written(
        make_study(title="</script><img src=http://x.test/y>", ids=['"]</script><b>', "&amp;"] * 15), tmp_path
    )
    addresses = set(re.findall(r"https?://[\w./-]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://gexf.net/1.3", "http://x.test/y"}
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")


def test_the_same_study_gives_the_same_bytes(make_study: Callable[..., Study], tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert written(make_study(), tmp_path) == written(make_study(), tmp_path / "again")


@pytest.mark.slow
def test_contexts_of_weak_neurons_go_first_where_there_is_no_room(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = make_study(p=3 * CHUNK, edges=900)
    whole = write_explorer(view_of(study), tmp_path / "whole.html", 12.0)
    assert whole.without_contexts == 0
    most_mb = 0.9 * whole.bytes / 1e6
    small = write_explorer(view_of(study), tmp_path / "small.html", most_mb)
    assert 0 < small.without_contexts < study.p
    assert small.bytes <= most_mb * 1e6
    page = small.path.read_text()
    assert manifest_of(page)["without_contexts"] == small.without_contexts
    assert "a.contexts.0" in manifest_of(page)["blocks"]
    assert "weakest neurons" in small.in_words


def test_a_long_path_shows_the_alphas_around_the_selected_one(make_study: Callable[..., Study]) -> None:
    study = make_study(p=30, sizes=[*range(1, 50), 60])
    corpus = corpus_view(study.stats, study.fit, "x")
    assert len(corpus.alphas) == 32
    assert corpus.alphas[corpus.selected] == study.alpha
    assert corpus.words["left_out"] == 18


@pytest.mark.parametrize(
    "options", [{"p": 1, "sizes": (0,)}, {"edges": 0, "sizes": (0, 0)}, {"contexts": False}, {"rule": "cv"}]
)
def test_small_studies_have_a_page(make_study: Callable[..., Study], tmp_path: Path, options: dict[str, Any]) -> None:
    page = written(make_study(**options), tmp_path)
    assert len(block_of(page, "labels")) == manifest_of(page)["p"]


def test_a_comparison_shows_only_the_neurons_that_both_have(make_study: Callable[..., Study]) -> None:
    study = make_study(p=40, edges=70)
    some = study.fit.neuron_ids[[3, 1, 30, 12, 7, 39, 20, 22]]
    corpus = corpus_view(study.stats, study.fit, "x", some, names=study.community_names)
    rows, cols, rho = study.fit.edges()
    names = study.fit.neuron_ids
    wanted = {
        frozenset((names[i], names[j])): value
        for i, j, value in zip(rows, cols, rho)
        if names[i] in some and names[j] in some
    }
    bit = corpus.present >> corpus.selected & 1
    before = int(sum((corpus.present >> k & 1).sum() for k in range(corpus.selected)))
    rho_here = corpus.rho[before : before + int(bit.sum())]
    here = np.flatnonzero(bit)
    assert {
        frozenset((some[i], some[j])): v for i, j, v in zip(corpus.rows[here], corpus.cols[here], rho_here)
    } == wanted
    assert corpus.community_names == study.community_names


def test_a_community_has_the_name_that_the_figure_gives_it(make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study(p=300, edges=900)
    tokens = np.zeros_like(study.stats.top_tokens)
    tokens[study.fit.neurons] = study.fit.communities[:, None, None] % len(study.stats.vocabulary)
    values = np.ones(tokens.shape, np.float32)
    study = replace(study, stats=replace(study.stats, top_tokens=tokens, top_values=values))
    study = replace(study, stats=replace(study.stats, bottom_tokens=tokens, bottom_values=-values))
    names = [name and name["words"] for name in manifest_of(written(study, tmp_path))["corpora"][0]["names"]]
    (picture,) = communities.pictures(study)
    in_figure = dict(zip(picture.table["community_a"], picture.table["name_a"]))
    assert any(names)
    in_page = {f"C{k}": drawable(", ".join(words or [])) for k, words in enumerate(names, start=1)}
    assert {name: in_page[name] for name in in_figure} == in_figure


# -- the program ----------------------------------------------------------------------------------------


PAGE = Path(glasso_cli.report.explorer.write.__file__).parent / "page"
IMPORTED = re.compile(r"^import \{[^}]*\} from '\./([^']*)';$", re.MULTILINE)


def test_each_script_imports_only_from_those_before_it() -> None:
    assert sorted(SCRIPTS) == sorted(path.name for path in PAGE.glob("*.js"))
    for place, name in enumerate(SCRIPTS):
        assert set(IMPORTED.findall((PAGE / name).read_text(encoding="utf-8"))) <= set(SCRIPTS[:place]), name


def test_the_scripts_are_one_program_without_imports() -> None:
    text = program()
    assert not re.search(r"^\s*(import|export)\b", text, re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:const|let|function) (\w+)", text, re.MULTILINE)
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("path", sorted(PAGE.iterdir()), ids=lambda path: path.name)
def test_files_of_the_page_are_short_and_narrow(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 120
    assert path.suffix != ".js" or lines[0].startswith("// ")


def test_the_page_takes_its_colours_from_python(
    make_study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {colours.POSITIVE, colours.NEGATIVE, colours.NO_COMMUNITY, *colours.COMMUNITY, *colours.OTHER}
    assert {colour.upper() for colour in re.findall("#[0-9a-fA-F]{6}", program())}.isdisjoint(said)
    monkeypatch.setattr(colours, "POSITIVE", "#123456")
    monkeypatch.setattr(colours, "COMMUNITY", ("#000000", "#654321"))
    in_page = manifest_of(written(make_study(), tmp_path))["colours"]
    assert in_page["positive"] == "#123456"
    assert in_page["communities"] == ["#000000", "#654321"]
    assert in_page["communities_on_dark"] == ["#FFFFFF", "#654321"]
