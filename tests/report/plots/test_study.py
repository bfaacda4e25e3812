"""The numbers a study derives, against the precision matrix; its names and words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.artifacts.tables import write_table
from glasso_cli.report.plots.figures.path import apart
from glasso_cli.report.plots.study import Study
from glasso_cli.report.plots.tables import edge_table, neuron_table
from glasso_cli.report.words.labels import count, cut, percent, short_labels, signed


def partial_correlations(study: Study) -> np.ndarray:
    """The dense ``(p, p)`` matrix straight from the precision matrix, zero on the diagonal."""
    theta = study.fit.precision().toarray()
    scale = np.sqrt(np.diag(theta))
    rho = -theta / np.outer(scale, scale)
    np.fill_diagonal(rho, 0)
    return np.asarray(rho)


def test_labels_keep_their_distance_and_the_selected_one_is_there() -> None:
    places = np.log([0.5, 0.398, 0.316, 0.2, 0.187, 0.186, 0.178])
    assert apart(places, 5, 0.09).tolist() == [True, True, True, False, False, True, False]
    assert apart(np.log([0.3]), 0, 0.09).tolist() == [True]
    assert apart(np.log([0.3, 0.2]), 1, 0.09).all()


def test_degree_strength_and_influence_are_row_sums(make_study: Callable[..., Study]) -> None:
    study = make_study(40, 90)
    rho = partial_correlations(study)
    np.testing.assert_array_equal(study.degree, (rho != 0).sum(1))
    np.testing.assert_allclose(study.strength, np.abs(rho).sum(1))
    np.testing.assert_allclose(study.expected_influence, rho.sum(1), atol=1e-12)
    assert (np.diff(study.strength[study.by_strength]) <= 0).all()


def test_edges_run_from_strong_to_weak_with_their_own_numbers(make_study: Callable[..., Study]) -> None:
    study = make_study(40, 90)
    rho, theta = partial_correlations(study), study.fit.precision().toarray()
    rows, cols, values = study.edges
    np.testing.assert_allclose(values, rho[rows, cols])
    np.testing.assert_allclose(study.precision, theta[rows, cols])
    assert (np.diff(np.abs(values)) <= 0).all()
    np.testing.assert_allclose(study.correlation, -0.8 * study.precision, rtol=1e-6)  # as the fixture makes them


def test_order_keeps_communities_together_and_isolated_neurons_last(make_study: Callable[..., Study]) -> None:
    study = make_study(60, 40)
    ordered = study.communities[study.order]
    isolated = ordered < 0
    assert isolated.any()
    assert isolated[np.argmax(isolated) :].all()
    assert (np.diff(ordered[~isolated]) >= 0).all()
    np.testing.assert_array_equal(study.order[study.position], np.arange(study.p))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("fixed", "as given"),
        ("degree", "target 4 edges per neuron"),
        ("ebic", "smallest EBIC, γ = 0.5"),
        ("cv", "chosen by held-out likelihood"),
        ("stars", "chosen by stability, instability up to 0.05"),
    ],
)
def test_the_subject_tells_a_stranger_what_is_shown(make_study: Callable[..., Study], rule: str, words: str) -> None:
    study = make_study(rule=rule)
    for part in ("Toy model", "toy corpus", "30 neurons", "tokens", f"α = {study.alpha:.4g}", "edges", words):
        assert part in study.subject


def test_a_graph_that_did_not_converge_says_so(make_study: Callable[..., Study]) -> None:
    assert "NOT CONVERGED" in make_study(converged=False).subject
    assert "NOT CONVERGED" not in make_study().subject


# -- names --------------------------------------------------------------------------------------------


def test_short_labels_name_layer_and_index() -> None:
    ids = ["layers.9.mlp[12]", "layers.10.mlp[12]", "my probe[3]"]
    assert short_labels(ids, np.array([9, 10, -1])) == ["L9·12", "L10·12", "my probe[3]"]


def test_several_kinds_in_a_layer_are_told_apart() -> None:
    ids = ["layers.9.mlp[12]", "layers.9.resid[12]"]
    assert short_labels(ids, np.array([9, 9])) == ["L9·mlp·12", "L9·resid·12"]


def test_heads_and_experts_keep_their_numbers() -> None:
    ids = [
        "layers.9.head.0[12]",
        "layers.9.head.1[12]",
        "layers.10.expert.3[5]",
        "layers.11.mlp#2[7]",
        "layers.12.head#2.0[1]",
    ]
    assert short_labels(ids, np.array([9, 9, 10, 11, 12])) == [
        "L9·head.0·12",
        "L9·head.1·12",
        "L10·5",
        "L11·7",
        "L12·1",
    ]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=60), st.from_regex(r"layers\.[0-3]\.(mlp|resid|head\.[01])\[[0-9]\]", fullmatch=True)
        ),
        min_size=1,
        max_size=20,
        unique=True,
    ),
    st.integers(-1, 3),
)
def test_no_two_neurons_share_a_label(ids: list[str], layer: int) -> None:
    labels = short_labels(ids, np.full(len(ids), layer))
    assert len(set(labels)) == len(ids)


def test_numbers_in_words() -> None:
    assert count(1, "edge") == "1 edge"
    assert count(2560, "edge") == "2,560 edges"
    assert signed(-0.3684) == "−0.368"
    assert [percent(x) for x in (0, 0.0052, 0.13, 0.999, 1)] == ["0 %", "0.52 %", "13 %", "100 %", "100 %"]


# -- tables -------------------------------------------------------------------------------------------

HOSTILE = ['say "hi"', "a,b", "line\nbreak", "tab\t|", "<b>&amp;", "$x^2$ {", "ユニット", "back\\slash", "", "=1+1"]


def test_tables_read_back_as_what_was_written(make_study: Callable[..., Study], tmp_path: Path) -> None:
    study = make_study(len(HOSTILE), 14, ids=HOSTILE)
    table = edge_table(study)
    with open(write_table(tmp_path / "edges.csv", table), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # A spreadsheet shows an apostrophe before a formula as nothing, and takes what follows as text.
    assert not any(row["neuron_i"].startswith(("=", "+", "-", "@")) for row in rows)
    assert [row["neuron_i"].removeprefix("'") for row in rows] == table["neuron_i"].tolist()
    assert {row["neuron_j"].removeprefix("'") for row in rows} <= set(HOSTILE)
    assert [float(row["partial_correlation"]) for row in rows] == study.edges.rho.tolist()
    assert [float(row["precision"]) for row in rows] == study.precision.tolist()


def test_neurons_have_the_statistics_of_their_place_among_all_collected(make_study: Callable[..., Study]) -> None:
    study = make_study(20, 30, dead=(0, 5))
    table = neuron_table(study)
    known = {name: k for k, name in enumerate(study.stats.neuron_ids.tolist())}
    places = [known[name] for name in table["neuron"].tolist()]
    np.testing.assert_array_equal(table["mean"], study.stats.mean[places])
    assert len(places) == 20
    assert not set(places) & {0, 5}


def test_what_is_not_a_number_is_left_empty(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": np.array([1.5, np.nan]), "y": ["a", "b"]})
    assert path.read_text() == "x,y\n1.5,a\n,b\n"


def test_a_long_name_is_cut_between_words() -> None:
    assert cut("climate, warming", 16) == "climate, warming"
    assert cut("climate, warming", 15) == "climate…"
    assert cut("climate / said", 10) == "climate…"
    assert cut("after newlines", 10) == "after new…"
    assert cut("x" * 20, 5) == "xxxx…"
