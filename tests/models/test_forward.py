"""How many tokens a model takes, and what its code and its tokenizer raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection
from glasso_cli.console import GlassoWarning
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.models.forward import errors_of, errors_of_tokenizer, longest_window
from glasso_cli.models.loaded import LoadedModel


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "longest"), [("gpt2", 128), ("bert", 128), ("roberta", 127), ("opt", 128), ("gemma3", 128)]
)
def test_the_longest_window_is_that_of_the_positions(
    loaded: Callable[[str], LoadedModel], family: str, longest: int
) -> None:
    model = loaded(family).model
    assert longest_window(model) == longest
    ids = torch.randint(5, 40, (1, longest))
    with torch.inference_mode():
        model(input_ids=ids)  # it takes as many


def test_a_model_without_positions_has_no_limit() -> None:
    assert longest_window(nn.Sequential(nn.Linear(2, 2), nn.Embedding(5, 2))) is None


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_texts_longer_than_the_positions_are_cut_into_windows(
    loaded: Callable[[str], LoadedModel], family: str
) -> None:
    texts = [" ".join(["the a of and in to river queue museum"] * 40) for _ in range(4)]
    section = CollectSection(hook_points=("mlp.1",), blocks=2, max_length=512)
    with pytest.warns(GlassoWarning, match="windows have 128 tokens instead of collect.max_length 512"):
        stats = collect_corpus(loaded(family), texts, section)
    assert stats.metrics.windows == 4 * 3


class Broken(nn.Module):
    def forward(self) -> None:
        raise RuntimeError("no language\n was set")


def test_what_a_model_raises_is_a_sentence() -> None:
    said = "The model Broken fails on a text: RuntimeError: no language was set"
    with pytest.raises(InputError, match=said), errors_of(Broken()):
        Broken()()
    with pytest.raises(ServiceError, match="does not fit"), errors_of(Broken()):
        raise torch.cuda.OutOfMemoryError("no")
    with pytest.raises(KeyboardInterrupt), errors_of(Broken()):
        raise KeyboardInterrupt


def test_a_panic_of_a_tokenizer_is_a_sentence() -> None:
    panic: Any = type("PanicException", (BaseException,), {})
    with pytest.raises(InputError, match="PanicException: no entry"), errors_of_tokenizer():
        raise panic("no entry")
    with pytest.raises(KeyboardInterrupt), errors_of_tokenizer():
        raise KeyboardInterrupt
