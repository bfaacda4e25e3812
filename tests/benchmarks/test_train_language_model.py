"""The script that trains small language models writes folders that load, with the hook points that their configurations name."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import train_language_model as script
from train_language_model import PLANS, divided, fresh_model, held_out_losses, save, token_stream, train

from glasso_cli.config.load import load_config
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.load import load_model, quiet_transformers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    return divided(held_out=10)


def test_held_out_texts_are_no_texts_of_the_training(texts: tuple[list[str], list[str]]) -> None:
    seen, unseen = texts
    assert (len(seen), len(unseen)) == (150, 30)
    assert not set(seen) & set(unseen)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PLANS)
def test_a_short_training_learns_and_its_model_is_read(
    architecture: str, texts: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    seen, unseen = texts
    torch.manual_seed(0)
    tokenizer = script.trained_tokenizer(seen)
    model = fresh_model(architecture, len(tokenizer))
    before = held_out_losses(model.eval(), tokenizer, seen, unseen[:3])
    plan = replace(PLANS[architecture], steps=30, windows=8, length=16)
    train(model, token_stream(tokenizer, seen), plan)
    after = held_out_losses(model, tokenizer, seen, unseen[:3])
    assert after["all tokens alike"] == math.log(1024)
    assert before["this model"] == pytest.approx(math.log(1024), abs=0.3)
    assert after["this model"] < before["this model"] - 0.3
    save(model, tokenizer, tmp_path)
    with quiet_transformers():
        loaded = load_model(str(tmp_path))
    torch.testing.assert_close(loaded.model(torch.tensor([[0, 5, 9]])).logits, model(torch.tensor([[0, 5, 9]])).logits)
    config = load_config(ROOT / "configs" / f"{architecture}.yaml")
    points = resolve_hook_points(loaded.model, list(config.collect.hook_points))
    report = check_hook_points(loaded, points)
    assert [point.width for point in points] == [256]
    assert max(report.projection.values()) < 1e-5


def test_what_a_text_is_made_of_comes_back(texts: tuple[list[str], list[str]]) -> None:
    tokenizer = script.trained_tokenizer(texts[0][:30])
    for text in texts[1][:3]:
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == 0
        assert tokenizer.decode(ids[1:]) == text
