"""The figure of the graphs without and with hidden factors: what it shows, its numbers, and which fits have it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.studies import random_edges

from glasso_cli.artifacts.metrics import to_json
from glasso_cli.artifacts.metrics.fit import Dependence, EstimateUsed, PlainGraph
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.report.plots.figures import factors
from glasso_cli.report.plots.parts import style
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.fit import carried_in_words, fit_summary

MakeStudy = Callable[..., Study]
CARRIED = Dependence(0.75, 4.0, 1.0, 0.9, 0.02, 0.002, 0.03, 0.25)


def latent(study: Study, edges: int = 30, hidden: int = 2, dependence: Dependence = CARRIED, seed: int = 1) -> Study:
    """The study as one of a fit with hidden factors: half of its plain graph is shared, and one edge is not drawn."""
    fit = study.fit
    part = fit.part()
    rows, cols, values = random_edges(study.p, edges, seed) if study.p > 1 else (np.empty(0, int),) * 3
    some = slice(part.start, part.start + fit.n_edges[study.index] // 2)
    pairs = {(int(i), int(j)): float(v) for i, j, v in zip(rows, cols, values)}
    pairs |= {(int(i), int(j)): 2 * float(v) for i, j, v in zip(fit.rows[some], fit.cols[some], fit.values[some])}
    kept = np.ones(len(pairs), bool)
    kept[:1] = False
    ends = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
    drawn = {(int(i), int(j)) for i, j in ends[kept]}
    mine = set(zip(study.edges.rows.tolist(), study.edges.cols.tolist()))
    plain = PlainGraph(
        edges_at_alpha=len(pairs),
        edges=len(drawn),
        shared=len(drawn & mine),
        lost=len(drawn - mine),
        absent=len(drawn - mine),
        gained=len(mine - drawn),
        estimate=EstimateUsed("lasso", 0.1),
        duality_gap=1e-9,
        converged=True,
    )
    metrics = replace(fit.metrics, hidden_factors=hidden, dependence=dependence, plain=plain)
    changed = replace(
        fit,
        meta={**fit.meta, "metrics": to_json(metrics)},
        plain_rows=ends[:, 0],
        plain_cols=ends[:, 1],
        plain_values=np.array([pairs[pair] for pair in sorted(pairs)]),
        plain_kept=kept,
        plain_diagonal=np.ones(study.p),
    )
    return replace(study, fit=changed)


def drawn(study: Study) -> Picture:
    """The figure; a warning is an error."""
    with warnings.catch_warnings(), style.look():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        (picture,) = factors.pictures(study)
        picture.figure.draw_without_rendering()
    return picture


def words_of(picture: Picture) -> str:
    texts = [text.get_text() for axes in picture.figure.axes for text in axes.texts]
    titles = [axes.get_title(loc) for axes in picture.figure.axes for loc in ("left", "center")]
    return " ".join([*texts, *titles, *(text.get_text() for text in picture.figure.texts)])


def test_a_fit_without_hidden_factors_has_no_such_figure(make_study: MakeStudy) -> None:
    assert list(factors.pictures(make_study())) == []


@pytest.mark.slow
def test_pairs_are_shared_lost_or_gained_with_the_values_of_both_graphs(make_study: MakeStudy) -> None:
    study = latent(make_study(30, 40, section={"edges": 1000}))
    table = drawn(study).table
    metrics = study.fit.metrics.plain
    assert metrics is not None
    kinds = np.asarray(table["edge"]).tolist()
    assert [kinds.count(kind) for kind in ("shared", "lost", "gained")] == [
        metrics.shared,
        metrics.lost,
        metrics.gained,
    ]
    assert min(metrics.shared, metrics.lost, metrics.gained) > 0
    ids = study.fit.neuron_ids
    pairs = list(zip(np.asarray(table["neuron_i"]).tolist(), np.asarray(table["neuron_j"]).tolist()))
    for column, (rows, cols, rho) in (
        ("without_factors", study.fit.plain_edges()),
        ("with_factors", study.edges),
    ):
        expected = {(ids[i], ids[j]): value for i, j, value in zip(rows, cols, rho)}
        found = {pair: value for pair, value in zip(pairs, np.asarray(table[column])) if not np.isnan(value)}
        assert found == pytest.approx(expected)


@pytest.mark.slow
def test_the_strongest_edges_of_both_graphs_are_shown_in_both(make_study: MakeStudy) -> None:
    study = latent(make_study(60, 90, section={"edges": 12}), 80)
    picture = drawn(study)
    table = picture.table
    for column, rho in (("without_factors", study.fit.plain_edges()[2]), ("with_factors", study.edges.rho)):
        strongest = np.sort(np.abs(rho))[-12:]
        shown = np.abs(np.asarray(table[column]))
        assert np.isin(strongest, shown[~np.isnan(shown)]).all()
    assert 12 < len(table["edge"]) <= 24
    plain = study.fit.metrics.plain
    assert plain is not None
    said = words_of(picture)
    assert f"Without hidden factors: {plain.edges} edges, " in said
    assert f"With 2 hidden factors: {study.n_edges} edges, " in said
    assert f"{plain.lost} lost, {plain.gained} gained" in said
    assert "2 hidden factors carry 75 % of the dependence (total correlation)" in said
    assert "75 %" in said
    assert "lost" in picture.alt


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "edges"),
    [({"sizes": (0,)}, 0), ({"sizes": (0,)}, 9), ({"p": 1, "sizes": (0,)}, 0), ({"p": 40, "layers": 3}, 30)],
    ids=["no edges", "all lost", "one neuron", "three layers"],
)
def test_every_shape_is_drawn(make_study: MakeStudy, shape: dict[str, Any], edges: int) -> None:
    picture = drawn(latent(make_study(**shape), edges))
    assert {len(column) for column in picture.table.values()} == {len(picture.table["edge"])}


@pytest.mark.slow
def test_signs_are_those_of_the_heavier_poles(make_study: MakeStudy) -> None:
    study = latent(make_study(20, 30, section={"edges": 1000}))
    signs = np.where(np.arange(study.p) % 2, -1, 1).astype(np.int8)
    turned = drawn(replace(study, fit=oriented(replace(study.fit, orientation=signs)))).table
    table = drawn(study).table
    sign = {str(name): int(value) for name, value in zip(study.fit.neuron_ids, signs)}
    both = np.array([sign[str(i)] * sign[str(j)] for i, j in zip(table["neuron_i"], table["neuron_j"])])
    for column in ("without_factors", "with_factors"):
        np.testing.assert_allclose(turned[column], both * np.asarray(table[column]))


# -- in words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "share", "said"),
    [
        (1, 0.5, "1 hidden factor carries 50 % of the dependence (total correlation)"),
        (3, 0.981, "3 hidden factors carry 98 % of the dependence (total correlation)"),
        (0, 0.0, "none at this alpha"),
        (2, None, "2 hidden factors at this alpha; the fitted neurons are independent"),
        (2, -0.25, "edges and factors cancel"),
    ],
)
def test_what_the_factors_carry_is_a_sentence(
    make_study: MakeStudy, hidden: int, share: float | None, said: str
) -> None:
    study = latent(make_study(), hidden=hidden, dependence=replace(CARRIED, share=share))
    metrics = study.fit.metrics
    assert said in carried_in_words(metrics)
    lines = dict(fit_summary(metrics, study.fit.meta["material"]["config"]["fit"]))
    assert lines["hidden factors"] == carried_in_words(metrics)
    assert "0.133 nats per neuron, 0.0333 given the factors" in lines["dependence"]
    assert f"against {metrics.edges:,}: " in lines["without them"]


def test_a_plain_fit_says_nothing_about_hidden_factors(make_study: MakeStudy) -> None:
    fit = make_study().fit
    assert carried_in_words(fit.metrics) == ""
    lines = dict(fit_summary(fit.metrics, fit.meta["material"]["config"]["fit"]))
    assert not {"hidden factors", "dependence", "without them"} & set(lines)
