"""`g.intervene` in memory gives what `glasso intervene` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.experiments import documents
from support.real_runs import Runner, overrides
from support.tiny_encoder_decoders import bart
from support.tiny_models import build_tokenizer

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError
from glasso_cli.models.load import load_model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_it_gives_the_numbers_of_the_stage(runner: Runner) -> None:
    asked: dict[str, Any] = {"sources": 5, "stratify": [], "tokens": 10_000, "at": [2, " the"]}
    runner.run("collect", "intervene", set_=overrides(collect={"hook_points": ["mlp.0", "mlp.1"]}, intervene=asked))
    stage, stats = g.load("out/intervene/words.npz"), g.load("out/collect/words.npz")
    assert isinstance(stage, g.Interventions)
    assert isinstance(stats, g.ActivationStats)
    text = Path("c.yaml").read_text()
    loaded = load_model(text.split("model: {id: ")[1].split("}")[0])
    made = g.intervene(loaded.model, loaded.tokenizer, documents(), stats, **asked)
    assert not made.metrics.texts.held_out
    for name in ("effects", "errors", "q_values", "block_sums"):
        np.testing.assert_array_equal(getattr(made, name), getattr(stage, name))
    assert list(made.pairs_frame()["source"].unique()) != []
    with pytest.raises(ConfigError, match="unknown key"):
        g.intervene(loaded.model, loaded.tokenizer, documents(), stats, change="step")
    with pytest.raises(InputError, match="those of a fit"):
        g.intervene(loaded.model, loaded.tokenizer, documents(), stats, communities=[0])
    with pytest.raises(InputError, match="between an ordered graph and influence"):
        g.intervene(loaded.model, loaded.tokenizer, documents(), stats, stratify=["disagreement"])


def held_out(made: g.Interventions) -> dict[str, Any]:
    """The ``meta`` of ``made``, as if `collect` had not read its texts."""
    metrics = made.meta["metrics"]
    return {**made.meta, "metrics": {**metrics, "texts": {**metrics["texts"], "held_out": True}}}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_part_of_an_encoder_decoder_is_that_of_the_statistics() -> None:
    """Neurons of a decoder are not looked for in the encoder, whose layers have the same names."""
    tokenizer = build_tokenizer(["[PAD]", "[CLS]", "[UNK]"], "[CLS] $A", pad_token="[PAD]", cls_token="[CLS]")
    torch.manual_seed(1)
    model = bart(len(tokenizer))
    more: dict[str, Any] = {"blocks": 4, "lags": 4, "max_length": 32, "mask": {"massive": None}}
    asked: dict[str, Any] = {"sources": 4, "stratify": [], "changes": ["step"], "tokens": 10_000}
    found, explained = {}, {}
    for part in ("encoder", "decoder"):
        stats = g.collect(model, tokenizer, documents(), [f"{part}.mlp.0", f"{part}.mlp.1"], **more)
        found[part] = g.intervene(model, tokenizer, documents(), stats, **asked)
        assert found[part].metrics.kind == part
        read: dict[str, Any] = {"model": model, "tokenizer": tokenizer, "texts": documents()}
        explained[part] = g.audit(stats, replace(found[part], meta=held_out(found[part])), **read, share=0.2).explained
    assert not np.allclose(found["encoder"].effects, found["decoder"].effects)
    for values in explained.values():  # they are the texts of the statistics, which a regression on them explains
        assert np.nanmax(values) > 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_disagreement_in_memory_draws_the_sources_of_the_stage(runner: Runner) -> None:
    two = (*overrides(collect={"hook_points": ["mlp.0", "mlp.1"]}), "fit.order=layers")
    asked: dict[str, Any] = {"sources": 4, "stratify": ["disagreement"], "tokens": 10_000, "at": [2, " the"]}
    runner.run("collect", "fit", "influence", "intervene", set_=(*two, *overrides(intervene=asked)))
    stage, stats = g.load("out/intervene/words.npz"), g.load("out/collect/words.npz")
    ordered, influence = g.load("out/fit/words.ordered.npz"), g.load("out/influence/words.npz")
    assert isinstance(stage, g.Interventions)
    assert isinstance(stats, g.ActivationStats)
    assert isinstance(ordered, g.OrderedGraph)
    assert isinstance(influence, g.Influence)
    loaded = load_model(Path("c.yaml").read_text().split("model: {id: ")[1].split("}")[0])
    made = g.intervene(
        loaded.model, loaded.tokenizer, documents(), stats, ordered=ordered, influence=influence, **asked
    )
    assert made.source_ids.tolist() == stage.source_ids.tolist()
    np.testing.assert_array_equal(made.effects, stage.effects)
