"""The columns of structure and importance: which number stands at which neuron, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from support.across import study_across
from support.scored_studies import MISSING, scores_of, structure_of, study_scored

from glasso_cli.report.explorer.columns import columns_of
from glasso_cli.report.explorer.view import ColumnGroup, NeuronColumn
from glasso_cli.report.plots.study import Study


def groups(study: Study) -> dict[str, ColumnGroup]:
    return {group.name: group for group in columns_of(study)}


def column(group: ColumnGroup, title: str) -> NeuronColumn:
    return next(each for each in group.columns if each.title == title)


def test_a_study_without_the_stages_has_no_columns(tmp_path: Path) -> None:
    assert columns_of(study_across(tmp_path)) == ()


def test_structure_has_its_numbers_errors_and_how_stable_the_ranking_is(tmp_path: Path) -> None:
    study = study_scored(tmp_path)
    assert study.structure is not None
    group = groups(study)["structure"]
    titles = ["held-out R²", "strength", "expected influence", "bridge strength", "participation", "PageRank"]
    assert [each.title for each in group.columns] == titles
    for title, name in (("held-out R²", "predictability"), ("PageRank", "pagerank")):
        row = study.structure.names.tolist().index(name)
        np.testing.assert_array_equal(column(group, title).value, study.structure.values[row])
        np.testing.assert_array_equal(column(group, title).error, study.structure.errors[row])
    assert "at least 75% of the documents can be dropped" in column(group, "strength").words
    assert "in 4 blocks" in group.words
    unmeasured = replace(study, structure=structure_of(study, subsets=0))
    assert "dropped" not in column(groups(unmeasured)["structure"], "strength").words


def test_importance_is_matched_by_id_and_empty_where_a_neuron_was_not_scored(tmp_path: Path) -> None:
    study = study_scored(tmp_path)
    scores = study.scores
    assert scores is not None
    group = groups(study)["importance"]
    attribution, effect, rank = (column(group, name) for name in ("attribution, plain", "exact effect", "rank"))
    for number, name in enumerate(study.fit.neuron_ids.tolist()):
        found = np.flatnonzero(scores.neuron_ids == name)
        if number == MISSING:
            assert len(found) == 0
            assert np.isnan([each.value[number] for each in group.columns]).all()
            continue
        assert attribution.value[number] == scores.attributions[0, found[0]]
        assert rank.value[number] == 1 + scores.order().tolist().index(found[0])
    measured = study.fit.neuron_ids[~np.isnan(effect.value)].tolist()
    assert measured == [scores.neuron_ids[-4]]  # the other one is not in the page
    assert "the loss of the next token (nats)" in group.words
    assert "37 neurons at 4 hook points" in group.words
    assert "120 tokens of 7 documents" in attribution.words
    assert "60 tokens of 7 documents" in effect.words
    assert "absolute attribution" in rank.words
    signed = replace(study, scores=scores_of(study, order="signed"))
    assert "by attribution" in column(groups(signed)["importance"], "rank").words
