"""A change of a model's weights that changes none of its outputs changes nothing that a person sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support.symmetries import KINDS, Symmetry, symmetry, transformed
from support.tiny_models import TEXT

import glasso_cli as g
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.config import VisualizeSection
from glasso_cli.fitting.assemble import dot_text
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.report.explorer.from_artifacts import view_of
from glasso_cli.report.plots import draw
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.comparison import comparison_summary
from glasso_cli.report.words.fit import fit_summary

COLLECT: dict[str, Any] = {"max_length": 32, "lags": 4, "blocks": 4}
FIT: dict[str, Any] = {
    "alpha": [0.5, 0.4, 0.3],
    "select": {"rule": "ebic"},
    "fdr": 0.9,
    "min_effect": 0.0,
    "half_samples": 2,
    "tol": 1e-9,
}
TIMES_STD = ("mean", "std")  # columns of tables of neurons that have the unit of the activation
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")]


@dataclass(frozen=True, eq=False)
class Results:
    """What two corpora give with one model."""

    logits: torch.Tensor
    stats: tuple[g.ActivationStats, g.ActivationStats]
    fits: tuple[g.PrecisionPath, g.PrecisionPath]
    comparison: g.Comparison


def studied(model: Any, tokenizer: Any) -> Results:
    texts = sentences(120)
    corpora = (texts, [" ".join(reversed(text.split())) for text in texts])
    stats = [g.collect(model, tokenizer, part, ["mlp.1"], name=name, **COLLECT) for name, part in zip("ab", corpora)]
    fits = [g.fit(part, **FIT) for part in stats]
    with torch.no_grad():
        logits = model(torch.tensor([[5, 9, 11, 20, 7, 31, 8]])).logits
    return Results(logits, (stats[0], stats[1]), (fits[0], fits[1]), g.compare(fits[0], fits[1]))


def sentences(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(TEXT.split(), length)) for length in rng.integers(3, 30, count)]


@pytest.fixture(scope="module")
def untouched(loaded: Callable[[str], LoadedModel]) -> Callable[[str], Results]:
    """What each family's tiny model gives as it is."""
    made: dict[str, Results] = {}

    def of(family: str) -> Results:
        if family not in made:
            model = loaded(family)
            made[family] = studied(model.model, model.tokenizer)
        return made[family]

    return of


@dataclass(frozen=True, eq=False)
class Case:
    """A family's model as it is and after a symmetry, with what both give."""

    before: Results
    after: Results
    change: Symmetry

    def old(self, name: str) -> str:
        """The name that a neuron of the changed model, or its short label, had before."""
        return re.sub(r"(\[|·)(\d+)", lambda found: f"{found[1]}{self.change.order[int(found[2])]}", name)


CASES = [(family, kind) for family, kinds in KINDS.items() for kind in kinds]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(
    request: pytest.FixtureRequest, loaded: Callable[[str], LoadedModel], untouched: Callable[[str], Results]
) -> Case:
    family, kind = request.param
    model = loaded(family)
    (point,) = resolve_hook_points(model.model, ["mlp.1"])
    change = symmetry(kind, point.width)
    return Case(
        untouched(family), studied(transformed(model.model, family, point.module, change), model.tokenizer), change
    )


def test_the_outputs_are_the_same(case: Case) -> None:
    torch.testing.assert_close(case.after.logits, case.before.logits, rtol=1e-4, atol=1e-4)


def test_orientation_turns_with_the_sign_of_a_neuron(case: Case) -> None:
    turned = case.before.stats[0].orientation[case.change.order] * np.sign(case.change.factors)
    np.testing.assert_array_equal(case.after.stats[0].orientation, turned)
    for study in (case.before, case.after):
        np.testing.assert_array_equal(study.stats[1].orientation, study.stats[0].orientation)


def test_the_same_alpha_is_selected(case: Case) -> None:
    for before, after in zip(case.before.fits, case.after.fits):
        assert int(after.selected) == int(before.selected)
        np.testing.assert_allclose(after.criterion, before.criterion, rtol=1e-2)
        np.testing.assert_allclose(after.n_edges, before.n_edges, atol=2)


def test_tables_of_edges_are_the_same(case: Case) -> None:
    for before, after in zip((*case.before.fits, case.before.comparison), (*case.after.fits, case.after.comparison)):
        now, then = by_pair(after.edges_frame(), case.old), by_pair(before.edges_frame(), str)
        assert len(then) > 5
        marginal = then.index.symmetric_difference(now.index)
        assert len(marginal) <= 2  # entries at the edge of the solver's tolerance
        now, then = now.drop(marginal, errors="ignore"), then.drop(marginal, errors="ignore")
        if "frequency" in then:
            differ = (now.pop("frequency") != then.pop("frequency")).mean()
            assert differ <= 0.01  # an edge of a half-sample, at the edge of the solver's tolerance
        assert_same_table(now, then)


def test_tables_of_neurons_are_the_same(case: Case) -> None:
    pairs = zip((*case.before.stats, *case.before.fits), (*case.after.stats, *case.after.fits))
    for before, after in pairs:
        now, then = by_neuron(after.neurons_frame(), case.old), by_neuron(before.neurons_frame(), str)
        place = np.argsort(case.change.order)[[int(name.split("[")[1][:-1]) for name in now.index]]
        for name in TIMES_STD:
            if name in now:
                now[name] = now[name] / np.abs(case.change.factors[place])
        assert_same_table(now, then)


def test_communities_are_the_same(case: Case) -> None:
    for before, after in zip(case.before.fits, case.after.fits):
        then = groups(before, str)
        assert len(then) > 0
        assert groups(after, case.old) == then


def test_the_contexts_of_both_poles_are_the_same(case: Case) -> None:
    before, after = case.before.stats[0], case.after.stats[0]
    for neuron, old in enumerate(case.change.order[:10].tolist()):
        now, then = after.contexts(neuron), before.contexts(old)
        poles = now["group"].str.endswith("pole")
        assert now["group"].tolist() == then["group"].tolist()
        assert now["text"][poles].tolist() == then["text"][poles].tolist()
        scaled = now["value"] / abs(case.change.factors[neuron])
        np.testing.assert_allclose(scaled, then["value"], rtol=1e-3, atol=1e-5)


def test_words_are_the_same(case: Case) -> None:
    for before, after in zip(case.before.fits, case.after.fits):
        settings = before.meta["material"]["config"]["fit"]
        assert said(fit_summary(after.metrics, settings), case.old) == said(fit_summary(before.metrics, settings), str)
    now, then = (comparison_summary(study.comparison.metrics) for study in (case.after, case.before))
    assert said(now, case.old) == said(then, str)


def test_the_explorer_shows_the_same(case: Case, tmp_path: Path) -> None:
    views = [view_of(study_of(part, tmp_path)) for part in (case.before, case.after)]
    names = [lambda name: name, case.old]
    then, now = (
        {
            frozenset((old(view.ids[i]), old(view.ids[j]))): float(rho)
            for i, j, rho in zip(corpus.rows, corpus.cols, corpus.marginal)
        }
        for view, old in zip(views, names)
        for corpus in view.corpora
    )
    assert now.keys() == then.keys()
    assert list(now.values()) == pytest.approx([then[pair] for pair in now], abs=1e-5)
    words = [sorted(name.words for name in view.corpora[0].community_names) for view in views]
    assert words[0] == words[1]
    then_named, now_named = (
        {old(str(view.ids[i])): name for i, name in enumerate(view.names)} for view, old in zip(views, names)
    )
    assert now_named == then_named


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "gemma3"], indirect=True, ids="-".join)
def test_figures_say_the_same(case: Case, tmp_path: Path) -> None:
    texts, tables = [], []
    for name, part, old in (("before", case.before, str), ("after", case.after, case.old)):
        folder = tmp_path / name
        files = [path for group in draw(study_of(part, folder), folder) for path in group]
        texts.append(said([("", line) for line in (folder / "figures.txt").read_text().splitlines()], old))
        tables.append({case_name(path, old): path for path in files if path.suffix == ".csv"})
    if (case.change.order == np.arange(len(case.change.order))).all():
        assert texts[1] == texts[0]  # the numbers of communities of equal size follow the order of neurons
    assert tables[1].keys() == tables[0].keys()
    for name, before in tables[0].items():
        then, now = (pd.read_csv(path) for path in (before, tables[1][name]))
        assert list(now.columns) == list(then.columns)
        assert len(now) == len(then), name
        for column in ("partial_correlation", "expected_influence", "strength", "q_value", "correlation", "top_share"):
            if column in then:
                expected, found = (np.sort(pd.to_numeric(table[column])) for table in (then, now))
                np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6, err_msg=f"{name} {column}")


# -- what is compared -----------------------------------------------------------------------------------


def study_of(part: Results, folder: Path) -> Study:
    fit = part.fits[0]
    folder.mkdir(exist_ok=True)
    dot = folder / "fit.dot"
    dot.write_text(dot_text(fit))
    section = VisualizeSection(cards=3, dpi=50, formats=("png",))
    return Study(stats=oriented(part.stats[0]), fit=oriented(fit), dot=dot, section=section, title="Toy")


def by_pair(table: pd.DataFrame, old: Callable[[str], str]) -> pd.DataFrame:
    pairs = [" ".join(sorted(map(old, pair))) for pair in zip(table["neuron_i"], table["neuron_j"])]
    return table.drop(columns=["neuron_i", "neuron_j", "orientation"]).set_axis(pairs).sort_index()


def by_neuron(table: pd.DataFrame, old: Callable[[str], str]) -> pd.DataFrame:
    """Numbers of communities of equal size follow the order of neurons, so that they are compared elsewhere."""
    names = table["neuron"].map(old)
    return table.drop(columns=["neuron", "orientation", "community"], errors="ignore").set_axis(names).sort_index()


def assert_same_table(now: pd.DataFrame, then: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(now, then, check_names=False, check_dtype=False, rtol=2e-3, atol=1e-5)


def groups(fit: g.PrecisionPath, old: Callable[[str], str]) -> set[frozenset[str]]:
    """The communities as sets of names."""
    table = fit.neurons_frame()
    table = table[table["community"] >= 0]
    return {frozenset(map(old, names)) for _, names in table.groupby("community")["neuron"]}


def said(lines: list[tuple[str, str]], old: Callable[[str], str]) -> list[str]:
    """Sentences without the roundings of the solver: the certificate, and a share of the edges of half-samples."""
    kept = [f"{name} {text}" for name, text in lines if name not in ("certificate", "replication")]
    return [re.sub(r"\S*(\[|·)\d+\]?", lambda found: old(found[0]), line) for line in kept]


def case_name(path: Path, old: Callable[[str], str]) -> str:
    """The name of a table; that of a card has the number of its neuron."""
    return re.sub(r"^card-(\d+)-L1-(\d+)", lambda found: f"card-{old(f'·{found[2]}')}", path.stem)
