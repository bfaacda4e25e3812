"""Models that are in memory already: what becomes of their modes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.tiny_encoder_decoders import bart, t5
from support.tiny_models import random_model
from transformers import PreTrainedModel

from glasso_cli.models.loaded import LoadedModel, loaded_in_memory

MADE: dict[str, Callable[[int], PreTrainedModel]] = {
    "llama": lambda words: random_model("llama"),
    "bart": bart,
    "t5": t5,
}


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("name", MADE)
def test_every_module_gets_its_own_mode_back(name: str, part: str, loaded: Callable[[str], LoadedModel]) -> None:
    """Of a model that is trained with some modules frozen."""
    tokenizer = loaded("bert").tokenizer
    model = MADE[name](len(tokenizer)).train()
    for module in list(model.modules())[::3]:
        module.training = False
    before = [module.training for module in model.modules()]
    with loaded_in_memory(model, tokenizer, part=part) as found, torch.no_grad():
        assert not any(module.training for module in found.model.modules())
        found.model(input_ids=torch.tensor([[5, 6, 7]]))
    assert [module.training for module in model.modules()] == before
