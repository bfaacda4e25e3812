"""The same numbers in batches of any size, in a model whose frequencies depend on the longest window of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.tiny_models import TEXT, loaded, make_tokenizer, model_dir, tokenizers

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.linalg import moments
from glasso_cli.models.loaded import LoadedModel

__all__ = ["loaded", "make_tokenizer", "model_dir", "tokenizers"]

WORDS = TEXT.split()
LENGTHS = (5, 12, 30, 45, 60, 90)  # on both sides of 40 tokens


def texts() -> list[str]:
    rng = np.random.default_rng(3)
    return [" ".join(rng.choice(WORDS, size=LENGTHS[i % len(LENGTHS)])) for i in range(60)]


class Notes(PythonWarnings):
    """Keeps what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def collect(model: LoadedModel, batch_tokens: int, reporter: Reporter | None = None) -> ActivationStats:
    section = CollectSection(
        hook_points=("mlp.2",), batch_tokens=batch_tokens, blocks=2, max_length=128, contexts=False
    )
    return collect_corpus(model, texts(), section, reporter=reporter)


def correlations(stats: ActivationStats) -> np.ndarray:
    covariance = moments.covariance_of(stats.counts, stats.sums, iter(stats.moments))
    scale = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(scale, scale))


@pytest.mark.slow
def test_batches_of_any_size_give_equal_correlations(loaded: Callable[[str], LoadedModel]) -> None:
    small, large = (correlations(collect(loaded("phi3_longrope"), size)) for size in (16, 16_384))
    assert np.abs(small - large).max() < 1e-5


@pytest.mark.slow
def test_in_mixed_batches_they_would_not_be_equal(
    loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasso_cli.hooks.windows.lengths_can_mix", lambda *_: True)
    small, large = (correlations(collect(loaded("phi3_longrope"), size)) for size in (16, 16_384))
    assert np.abs(small - large).max() > 0.01


def test_batches_of_one_length_are_told_of(loaded: Callable[[str], LoadedModel]) -> None:
    for name, told in (("phi3_longrope", True), ("llama", False)):
        reporter = Notes()
        collect(loaded(name), 1_024, reporter)
        assert any("each batch holds windows of one length" in note for note in reporter.notes) is told
