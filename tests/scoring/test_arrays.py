"""Scores in networks that read no texts: linear ones where they are known, and images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import seeded
from torch import Tensor, nn

from glasso_cli.artifacts import Scores
from glasso_cli.config import CollectSection, ScoreSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.models.modules.network import ModuleNetwork
from glasso_cli.scoring.arrays import score_arrays
from glasso_cli.scoring.assemble import Known

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Images(nn.Module):
    """Two convolutions, and logits from the means over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 5, 1)
        self.head = nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.second(torch.relu(self.first(images)))).mean((2, 3)))
        return logits


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 2))


def corpus_of(*shape: int, count: int = 40) -> ArrayCorpus:
    rng = np.random.default_rng(0)
    return ArrayCorpus(list(rng.standard_normal((count, *shape)).astype(np.float32)), np.arange(count))


def scores_of(network: ModuleNetwork, corpus: ArrayCorpus, folder: Path, points: list[str], **section: Any) -> Scores:
    settings = {
        "scalar": "class_logit",
        "tokens": 10**6,
        "held_out": 5 * 10**5,
        "top": 3,
        "sample": 3,
        "shares": [0.2, 1.0],
    }
    collect = CollectSection.model_validate({"hook_points": points, "mask": {"massive": None, "first": 0}})
    asked = ScoreSection.model_validate(settings | {"draws": 1} | section)
    return score_arrays(
        network, corpus, collect, asked, Known({}, {}), folder, name="a", seed=0, reporter=PythonWarnings()
    )


def test_together_divides_the_effect_of_a_chain_among_its_layers(tmp_path: Path) -> None:
    section: dict[str, Any] = {"forms": ["integrated"], "integrate": "together", "class_index": 1, "baseline": "mean"}
    made = scores_of(seeded(linear), corpus_of(4), tmp_path, ["0:out", "1:out"], **section)
    expected = made.document_attributions[0].sum(axis=1) / made.counts.sum()
    np.testing.assert_allclose(made.effects / 2, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("forms", [["plain"], ["integrated"]])
def test_in_a_linear_network_attribution_is_the_exact_effect(tmp_path: Path, forms: list[str]) -> None:
    made = scores_of(seeded(linear), corpus_of(4), tmp_path, ["0:out", "1:out"], forms=forms, class_index=1)
    tokens = made.counts.sum()
    expected = made.document_attributions[0].sum(axis=1) / tokens
    np.testing.assert_allclose(made.effects, expected, rtol=1e-3, atol=1e-6)
    assert made.metrics.forms[0].spearman == pytest.approx(1)


@pytest.mark.parametrize("ablation", ["mean", "resample"])
def test_channels_of_an_image_network_are_scored_at_all_positions(tmp_path: Path, ablation: str) -> None:
    made = scores_of(
        seeded(Images),
        corpus_of(3, 6, 6),
        tmp_path,
        ["first:out", "second:out"],
        baseline=ablation,
        ablations=[ablation],
    )
    assert len(made.neuron_ids) == 11
    assert made.forms.tolist() == ["plain"]
    assert np.isfinite(made.effects).all()
    assert np.abs(made.effects).max() > 0
    spearman = made.metrics.forms[0].spearman
    assert spearman is not None
    assert spearman > 0.5


def test_the_frozen_form_is_refused_and_the_class_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frozen form is for language models"):
        scores_of(seeded(linear), corpus_of(4), tmp_path, ["0:out"], forms=["frozen"])
    with pytest.raises(InputError, match="There is no class 7"):
        scores_of(seeded(linear), corpus_of(4), tmp_path, ["0:out"], class_index=7)
