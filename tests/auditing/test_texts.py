"""Tiny random language models: influence predicts effects, and turning the signs of gated neurons changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.interventions import collect_section, measure, statistics, texts

from glasso_cli.artifacts import Audit
from glasso_cli.auditing.run import Inputs, audit_of
from glasso_cli.auditing.texts import network_of_texts, points_read
from glasso_cli.config import AuditSection, InfluenceSection, InterveneSection
from glasso_cli.console import PythonWarnings
from glasso_cli.derivatives.run import influence_of_corpus
from glasso_cli.intervention.texts import choose_texts
from glasso_cli.models.loaded import LoadedModel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SECTION = AuditSection(share=0.05, top=20, replicates=30, splits=4)


def audited(model: LoadedModel, folder: Path) -> Audit:
    """All scores of all neurons of layer 0 on those of layer 1, with effects on other documents."""
    collect, first, second = collect_section(), texts(30), texts(30, seed=1)
    stats = statistics(model, collect, first)
    made = measure(model, stats, collect, documents=second, sources="all", delta=0.1)
    influence = influence_of_corpus(
        model, first, stats, collect, InfluenceSection(keep="all", ablation=True), folder, name="words", seed=0,
        reporter=PythonWarnings(),
    )  # fmt: skip
    asked = InterveneSection(stratify=(), tokens=100_000)
    read = choose_texts(model, lambda: second, None, collect, asked, name="words")
    assert len(points_read(stats, made)) == 2
    with network_of_texts(model, read, stats, made, collect, PythonWarnings()) as network:
        return audit_of(
            Inputs(stats=stats, interventions=made, influence=influence), network, SECTION, model="tiny", name="words",
            seed=0, reporter=PythonWarnings(),
        )  # fmt: skip


def step(audit: Audit, score: str, name: str = "precision") -> float:
    at = audit.rows_of("layers.1.mlp", "step", "mean")
    return float(getattr(audit, name)[at[audit.score[at] == score][0]])


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma3"])
def test_influence_predicts_steps_better_than_any_association(
    loaded: Callable[[str], LoadedModel], family: str, tmp_path: Path
) -> None:
    found = audited(loaded(family), tmp_path)
    best = max(step(found, score) for score in ("correlation", "partial correlation", "ordered ridge", "ordered lasso"))
    assert step(found, "influence, mean") > best
    assert step(found, "influence, mean") > step(found, "random") * 5
    assert "weights" in found.made_score.tolist()
    notes = dict(zip(found.made_score.tolist(), found.made_note.tolist()))
    assert notes["weights"].startswith("|weight|" if family == "gpt2" else "|gate| + |up|")
    assert np.isfinite(found.explained[found.predicted_score == "influence, mean"]).all()


def test_signs_of_gated_neurons_change_nothing(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    """The up-projection and what reads the neuron change sign: the network computes the same."""
    plain = loaded("llama")
    turned = replace(plain, model=copy.deepcopy(plain.model))
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for layer in turned.model.model.layers[:2]:
            signs = torch.from_numpy(rng.choice([-1.0, 1.0], layer.mlp.up_proj.out_features)).float()
            layer.mlp.up_proj.weight *= signs[:, None]
            layer.mlp.down_proj.weight *= signs
    one, other = audited(plain, tmp_path / "a"), audited(turned, tmp_path / "b")
    assert one.score.tolist() == other.score.tolist()
    for name in ("precision", "by_source", "top", "signs", "slope", "explained", "associated", "precision_low"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=2e-3)
