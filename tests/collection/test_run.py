"""What a collection keeps of experts and heads, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_models import TEXT

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.run import collect_corpus, collect_to_disk, in_memory
from glasso_cli.config import CollectSection, MaskSection
from glasso_cli.console import GlassoWarning, PythonWarnings
from glasso_cli.errors import InputError
from glasso_cli.hooks import invariants, record, resolve_hook_points
from glasso_cli.linalg.moments import covariance_of
from glasso_cli.models.loaded import LoadedModel, encode
from glasso_cli.pipeline.shared import Shared

WORDS = TEXT.split()
MASK: dict[str, Any] = {"special": False, "first": 1, "massive": None}


def documents(count: int, words: int = 24) -> list[str]:
    random = np.random.default_rng(5)
    return [" ".join(random.choice(WORDS, words)) for _ in range(count)]


def collect(loaded: LoadedModel, hook_points: Sequence[str], texts: Sequence[str], **more: Any) -> ActivationStats:
    section = CollectSection(hook_points=tuple(hook_points), blocks=4, lags=4, mask=MaskSection(**MASK), **more)
    return collect_corpus(loaded, texts, section)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_statistics_of_an_expert_are_over_the_tokens_routed_to_it(loaded: Callable[[str], LoadedModel]) -> None:
    """Against a recorder, text by text, and numpy."""
    mixtral, texts = loaded("mixtral"), documents(40)
    stats = collect(mixtral, ["expert.1.2", "resid.0"], texts, neurons=("layers.1.expert.2[3]", "layers.0.resid[7]"))
    assert stats.neuron_ids.tolist() == ["layers.0.resid[7]", "layers.1.expert.2[3]"]
    rows, unrouted, first = [], 0, 0
    with record(mixtral.model, resolve_hook_points(mixtral.model, ["resid.0", "expert.1.2"])) as recorder:
        for ids in encode(mixtral, texts):
            stream, neurons = recorder.run(ids[None])
            assert recorder.unrouted is not None
            seen = ~recorder.unrouted[0]
            first += 1
            unrouted += int((~seen[1:]).sum())
            seen[0] = False
            rows.append(torch.stack([stream[0, seen, 7], neurons[0, seen, 3]], dim=1).double().numpy())
    values = np.concatenate(rows)
    tokens = stats.metrics.tokens
    assert (tokens.first, tokens.unrouted, tokens.kept) == (first, unrouted, len(values))
    assert tokens.read == first + unrouted + len(values)
    covariance = covariance_of(stats.counts, stats.sums, iter(stats.moments))
    np.testing.assert_allclose(covariance, np.cov(values.T, ddof=0), rtol=1e-4)
    assert [point.gated for point in stats.metrics.hook_points] == [False, True]


def test_an_expert_with_fewer_effective_tokens_than_neurons_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(
        InputError, match=r"Of \d+ tokens \d+ are kept; the tokens routed to 'layers\.1\.expert\.2' are"
    ):
        collect(loaded("mixtral"), ["expert.1.2"], documents(3, words=10))


@pytest.mark.parametrize("patterns", [["expert.1.*"], ["expert.0.1", "expert.1.1"]])
def test_two_experts_are_refused(loaded: Callable[[str], LoadedModel], patterns: list[str]) -> None:
    with pytest.raises(InputError, match=r"of [42] experts, such as 'layers\.\d\.expert\.\d'.* see different tokens"):
        collect(loaded("mixtral"), patterns, documents(3))


@pytest.mark.parametrize("pattern", ["head.1", "head.1.0"])
def test_the_basis_of_a_head_is_said_to_be_arbitrary(loaded: Callable[[str], LoadedModel], pattern: str) -> None:
    with pytest.warns(GlassoWarning, match="basis within an attention head is arbitrary"):
        stats = collect(loaded("llama"), [pattern], documents(10))
    assert stats.neuron_ids[-1] == ("layers.1.head.1[15]" if pattern == "head.1" else "layers.1.head.0[15]")


def test_heads_side_by_side_hold_what_each_holds_alone(loaded: Callable[[str], LoadedModel]) -> None:
    texts = documents(10)
    with pytest.warns(GlassoWarning):
        both, one = (collect(loaded("llama"), [pattern], texts) for pattern in ("head.1", "head.1.1"))
    assert both.neuron_ids[16:].tolist() == one.neuron_ids.tolist()
    np.testing.assert_allclose(both.sums[:, 16:], one.sums, rtol=1e-5, atol=1e-4)


@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_a_layer_that_runs_several_times_is_collected_run_by_run(loaded: Callable[[str], LoadedModel]) -> None:
    stats = collect(loaded("albert"), ["mlp.*"], documents(10))
    assert sorted({int(layer) for layer in stats.layers}) == [0, 1, 2]
    assert stats.n_neurons == 3 * 48


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
def test_what_is_measured_of_the_model_alone_is_measured_once(
    loaded: Callable[[str], LoadedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the statistics of each corpus are those that it has alone, to the bit."""
    model, whole, checked = loaded("llama"), invariants.check_hook_points, list[str]()

    def check(*given: Any) -> Any:
        checked.append("checked")
        return whole(*given)

    monkeypatch.setattr(invariants, "check_hook_points", check)
    section = CollectSection(hook_points=("mlp.1",), blocks=2, lags=2, mask=MaskSection(**MASK))

    def collected(texts: Sequence[str], shared: Shared | None) -> ActivationStats:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        options: dict[str, Any] = {"name": "words", "seed": 0, "reporter": PythonWarnings(), "shared": shared}
        return in_memory(*collect_to_disk(model, texts, section, folder, **options))

    corpora, shared = (documents(12), documents(9, words=30)), Shared()
    together = [collected(texts, shared) for texts in corpora]
    assert len(checked) == 1
    for found, texts in zip(together, corpora):
        alone = collected(texts, None)
        for item in fields(alone):
            if item.name != "meta":
                np.testing.assert_array_equal(getattr(found, item.name), getattr(alone, item.name), err_msg=item.name)
        assert found.meta == alone.meta
    assert len(checked) == 3
    assert set(together[0].orientation.tolist()) == {-1, 1}
