"""Whole runs over texts: what the numbers must do, whatever the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.scores import bench, scored

from glasso_cli.errors import InputError
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.assemble import Known
from glasso_cli.scoring.curves import ablated_sums

Load = Callable[[str], LoadedModel]
pytestmark = pytest.mark.slow
FORMS = ["plain_absolute", "plain", "frozen_absolute", "frozen"]
NAMES = [*FORMS, "write_norm", "mean_abs", "random", "matched"]


def test_an_exact_effect_is_that_of_a_whole_pass_with_one_neuron_replaced(loaded: Load) -> None:
    from glasso_cli.scoring.effect import exact_effects

    with bench(loaded("gemma3"), "mlp.0", "mlp.1") as tried:
        documents = np.array(sorted({document for row in tried.rows for document in row.documents}))
        neurons = [50, 60, 90]  # of the second hook point
        found = np.zeros((len(documents), len(neurons)))
        for row in tried.rows:
            some = exact_effects(
                tried.scalar,
                tried.replacement,
                tried.reader,
                row,
                1,
                neurons,
                lambda amount: None,
                check=row is tried.rows[0],
            )
            found[np.searchsorted(documents, row.counted.documents)] += some.sums
            assert (some.replayed is None) == (row is not tried.rows[0])
            assert some.replayed is None or some.replayed < 1e-5
        clean = ablated_sums(tried.scalar, tried.replacement, tried.rows, documents, [])
        for place, neuron in enumerate(neurons):
            changed = ablated_sums(tried.scalar, tried.replacement, tried.rows, documents, [neuron])
            np.testing.assert_allclose(found[:, place], changed - clean, atol=2e-4)


def test_curves_begin_and_end_where_they_must(loaded: Load) -> None:
    with pytest.warns(UserWarning, match="mean little"):  # a random model loses nothing without its neurons
        made = scored(loaded("gemma3"), ablations=["resample", "mean"])
    assert made.rankings.tolist() == NAMES
    assert np.array_equal(made.deletion[:, :, -1], np.repeat(made.everything[:, None], len(NAMES), 1))
    assert np.array_equal(made.insertion[0, 0, -1], made.clean)
    assert made.areas.shape == (2, len(NAMES), 5)
    assert np.allclose(made.differences, -made.differences.transpose(0, 2, 1, 3))
    assert np.all(made.area_intervals[0] <= made.area_intervals[1])


def test_both_parts_have_other_documents_and_the_ranking_has_seen_one_part_alone(loaded: Load) -> None:
    made = scored(loaded("gemma3"))
    metrics = made.metrics
    assert metrics.attributed.documents + metrics.held_out.documents <= 40
    assert metrics.held_out.tokens == made.counts.sum()
    assert len(made.measured) == 10
    assert made.drawn.sum() == 6
    assert set(made.measured[~made.drawn].tolist()) == set(made.order()[:4].tolist())
    total = made.document_effects.sum(axis=1) / made.counts.sum()
    np.testing.assert_allclose(made.effects, total)


def test_a_gated_neuron_has_the_same_score_with_the_other_sign(loaded: Load) -> None:
    import copy
    from dataclasses import replace

    import torch

    model = loaded("gemma3")
    turned = copy.deepcopy(model.model)
    mlp = turned.model.layers[0].mlp
    with torch.no_grad():
        mlp.up_proj.weight[5] *= -1
        mlp.down_proj.weight[:, 5] *= -1
    one, other = scored(model), scored(replace(model, model=turned))
    np.testing.assert_allclose(one.attributions, other.attributions, atol=1e-5)
    assert one.mean[5] == pytest.approx(-other.mean[5], rel=1e-4)


def test_an_interrupted_run_ends_in_the_same_numbers(loaded: Load, tmp_path: Path) -> None:
    whole = scored(loaded("gemma3"), folder=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "cpu-held-out-frozen-0000.npz" in names
    for name in names[::2]:
        (tmp_path / name).unlink()
    again = scored(loaded("gemma3"), folder=tmp_path)
    for name in ("attributions", "effects", "deletion", "insertion", "areas"):
        assert np.array_equal(getattr(whole, name), getattr(again, name)), name


def test_known_scores_and_communities_stand_beside(loaded: Load) -> None:
    ids = [f"layers.0.mlp[{index}]" for index in range(48)]
    known = Known({ids[3]: 2}, {"strength": {name: float(index) for index, name in enumerate(ids)}})
    made = scored(loaded("gemma3"), known=known)
    assert "strength" in made.rankings.tolist()
    assert made.communities[3] == 2
    assert (made.communities >= 0).sum() == 1
    assert np.isnan(made.structure[0][48:]).all()
    assert "strength" in made.neuron_columns()


@pytest.mark.parametrize(
    ("family", "section", "forms"),
    [
        ("gemma3", {}, ["plain", "frozen"]),
        ("mixtral", {}, ["plain"]),
        ("gemma3", {"scalar": "kl", "forms": ["integrated"]}, ["integrated"]),
        ("gemma3", {"scalar": "logit_difference", "logit_tokens": ["river", "queue"]}, ["plain", "frozen"]),
        ("gemma3", {"baseline": "resample", "order": "signed", "forms": ["plain"]}, ["plain"]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_scalars_and_forms(loaded: Load, family: str, section: dict[str, Any], forms: list[str]) -> None:
    point = "resid.0" if family == "mixtral" else "mlp.0"
    made = scored(loaded(family), point, **section)
    assert made.forms.tolist() == forms
    assert np.isfinite(made.attributions).all()
    assert np.abs(made.attributions).max() > 0
    assert np.isfinite(made.errors).all()


@pytest.mark.filterwarnings("ignore")
def test_without_curves_and_effects_there_are_attributions(loaded: Load) -> None:
    from glasso_cli.report.words.scores import one_line, scores_summary

    made = scored(loaded("gemma3"), top=0, sample=0, shares=[])
    assert made.metrics.clean is None
    assert made.metrics.missed is None
    assert made.metrics.forms[0].spearman is None
    assert len(made.measured) == len(made.rankings) == 0
    assert "not known" in one_line(made.metrics)
    assert scores_summary(made.metrics)


def test_what_cannot_be_is_refused_in_a_sentence(loaded: Load) -> None:
    with pytest.raises(InputError, match="is not linear"):
        scored(loaded("mixtral"), "resid.0", forms=["frozen"])
    with pytest.raises(InputError, match="both need at least two"):
        scored(loaded("gemma3"), documents=["river queue museum opens"] * 2)
    with pytest.raises(InputError, match=r"score\.scalar: loss"):
        scored(loaded("bert"), "mlp.0")
