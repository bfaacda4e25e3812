"""The whole audit: in a linear network, where the ordered regression is the effect, and in one that reads images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import seeded
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats, Audit, Interventions
from glasso_cli.auditing.run import Inputs, audit_of
from glasso_cli.auditing.texts import network_of_items
from glasso_cli.collection.modules.run import collect_arrays
from glasso_cli.config import AuditSection, CollectSection, InterveneSection
from glasso_cli.console import GlassoWarning, PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.intervention.arrays import intervene_arrays
from glasso_cli.models.modules.network import ModuleNetwork

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")]
SECTION = AuditSection(share=0.1, top=5, replicates=30, splits=3)


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 5), nn.Linear(5, 3))


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.second(torch.tanh(self.first(images)))
        return made


def corpus_of(*shape: int, count: int = 64, seed: int = 0) -> ArrayCorpus:
    rng = np.random.default_rng(seed)
    return ArrayCorpus(list(rng.standard_normal((count, *shape)).astype(np.float32)), np.arange(count))


def audited(
    network: ModuleNetwork, shape: tuple[int, ...], folder: Path, points: list[str], *, read: str = "b", **asked: Any
) -> tuple[Audit, ActivationStats, Interventions]:
    """The audit of effects on a second corpus, or on that of the statistics."""
    settings = {"blocks": 8, "mask": {"massive": None, "first": 0}, "lags": 2, "hook_points": points}
    collect, first = CollectSection.model_validate(settings), corpus_of(*shape)
    stats = collect_arrays(network, first, collect, name="a", seed=0, reporter=PythonWarnings())
    section = InterveneSection.model_validate({"sources": "all", "stratify": [], "tokens": 10**6, "blocks": 8} | asked)
    second = first if read == "a" else corpus_of(*shape, seed=1)
    made = intervene_arrays(
        network, second, stats, None, collect, section, folder, read=read, name="a", seed=0, reporter=PythonWarnings()
    )
    inputs = Inputs(stats=stats, interventions=made)
    with network_of_items(network, second, stats, made, collect, section, own=read == "a", seed=0) as clean:
        found = audit_of(inputs, clean, SECTION, model="toy", name="a", seed=0, reporter=PythonWarnings())
    return found, stats, made


def number(audit: Audit, name: str, score: str, target: str, change: str = "step", statistic: str = "mean") -> float:
    at = audit.rows_of(target, change, statistic)
    return float(getattr(audit, name)[at[audit.score[at] == score][0]])


def test_in_a_linear_network_the_ordered_regression_is_the_effect(tmp_path: Path) -> None:
    found, _, _ = audited(seeded(linear), (6,), tmp_path, ["0:out", "1:out", "2:out"])
    assert number(found, "precision", "ordered ridge", "1:out") == pytest.approx(1)
    assert number(found, "slope", "ordered ridge", "1:out") == pytest.approx(1, abs=0.02)
    assert number(found, "signs", "ordered ridge", "1:out") == 1
    for target in ("1:out", "2:out"):  # the last is regressed on both layers, so that no coefficient is a total effect
        own = (found.predicted_target == target) & (found.predicted_score == "ordered ridge")
        assert found.explained[own][0] > 0.99
    assert {(item.target, item.score): item.reason for item in found.metrics.left_out} == {
        (target, score): reason
        for target in ("1:out", "2:out")
        for score, reason in (
            ("fitted graph", "there is no fit that is up to date"),
            ("weights", "they are read between MLPs of language models alone"),
            ("influence", "there is no influence that is up to date"),
        )
    }
    assert np.isnan(found.explained[found.predicted_score == "correlation"]).all()


def test_effects_on_texts_that_were_read_give_tables_and_no_verdict(tmp_path: Path) -> None:
    with pytest.warns(GlassoWarning, match="no score is said to predict"):
        found, _, _ = audited(seeded(linear), (6,), tmp_path, ["0:out", "1:out"], read="a")
    assert number(found, "precision", "ordered ridge", "1:out") == pytest.approx(1)
    assert not any(item.predicts for item in found.metrics.verdicts)
    assert len(found.explained) == 0


def test_images_are_audited_too(tmp_path: Path) -> None:
    found, stats, made = audited(
        seeded(Images), (3, 6, 6), tmp_path, ["first:out", "second:out"], changes=["step", "mean"]
    )
    assert found.truths() == [
        ("second:out", *truth) for truth in (("step", "mean"), ("step", "rms"), ("mean", "mean"), ("mean", "rms"))
    ]
    own = found.predicted_score == "ordered ridge"
    assert 0.8 < found.explained[own][0] < 1
    assert number(found, "signs", "ordered ridge", "second:out") == 1
    without = audit_of(
        Inputs(stats=stats, interventions=made), None, SECTION, model="toy", name="a", seed=0, reporter=PythonWarnings()
    )
    np.testing.assert_array_equal(without.precision, found.precision)
    assert without.metrics.unpredicted == "the network is not at hand"
