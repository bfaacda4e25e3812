"""Derivatives through layers of a known layout are those of forward mode, and other networks keep forward mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from support.influences import COLLECT, sentences
from torch import Tensor

from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.derivatives.all_paths import layered
from glasso_cli.derivatives.all_paths.blocks import chain_of
from glasso_cli.derivatives.all_paths.check import Sample, chosen_derivative
from glasso_cli.derivatives.all_paths.derivative import Derivative, Targets
from glasso_cli.derivatives.all_paths.layered import LayeredDerivative
from glasso_cli.derivatives.all_paths.push import Push, push_of
from glasso_cli.hooks import record
from glasso_cli.intervention.feed import Feed, feed_of_texts
from glasso_cli.models.loaded import LoadedModel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")]


@contextmanager
def fed(model: LoadedModel) -> Iterator[tuple[Feed, Push, Targets, list[tuple[torch.Tensor, object]]]]:
    """Batches of texts of several lengths, with the tokens that count, and a push at layer 0 with two targets."""
    section = CollectSection(**COLLECT)
    with (
        texts_reading(
            model,
            iter(sentences(12)),
            section.hook_points,
            section,
            name="a",
            reporter=PythonWarnings(),
            stage="influence",
        ) as reading,
        record(model.model, []) as recorder,
    ):
        feed = feed_of_texts(model, reading, recorder)
        source, *later = reading.points
        some = torch.arange(0, later[1].width, 3)  # of the last target
        targets = Targets(tuple(later), (torch.arange(later[0].width), some))
        reader, kept = reading.reader(), []
        for batch in reading.batches(reading.windows, 64):
            grid, _, _ = feed.grid(reader.read(batch), batch)
            kept.append((grid.flatten().nonzero()[:, 0], batch))
        yield feed, push_of(model.model, source, np.arange(source.width)), targets, kept


def along(derivative: Derivative | LayeredDerivative, push: Push, kept: torch.Tensor, batch: object) -> list[Tensor]:
    """All derivatives, with groups of pushes put together."""
    vectors = push.vectors()
    parts = list(derivative.along(batch, kept, vectors, torch.ones(len(vectors))))
    assert [number for group, _ in parts for number in range(group.start, group.stop)] == list(range(len(vectors)))
    return [torch.cat(found) for found in zip(*(found for _, found in parts))]


@pytest.mark.parametrize("family", ["gemma3", "llama", "gpt2", "opt"])
def test_it_is_forward_mode(loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """In batches whose rows have several lengths, for pushes in several groups, and with rows in several parts."""
    monkeypatch.setattr(layered, "_AT_ONCE", 5)
    monkeypatch.setattr(layered, "_MEMORY", 300_000)
    model = loaded(family)
    with fed(model) as (feed, push, targets, batches):
        general = Derivative(feed, push.point, targets)
        chain = chain_of(model, push.source, targets.points)
        assert chain is not None
        assert chain.targets == (0, 1)
        monkeypatch.setattr(Derivative, "along", None)
        found = [along(LayeredDerivative(general, chain), push, *batch) for batch in batches]
        monkeypatch.undo()
        for made, (kept, batch) in zip(found, batches, strict=True):
            for one, other in zip(made, along(general, push, kept, batch), strict=True):
                assert one.shape == other.shape
                assert float((one - other).norm()) < 1e-5 * float(other.norm())


@pytest.mark.parametrize(
    ("family", "is_layered"),
    [("gemma3", True), ("gpt2", True), ("bert", False), ("gpt_neox", False)],
    ids=["norms on both sides", "plain", "a norm behind each sum", "attention and MLP side by side"],
)
def test_it_is_chosen_where_it_is_right(loaded: Callable[[str], LoadedModel], family: str, is_layered: bool) -> None:
    with fed(loaded(family)) as (feed, push, targets, batches):
        kept, batch = batches[0]
        sample = Sample.of(batch, kept, np.ones(len(push.neurons)))
        choice = chosen_derivative(feed, feed.reading.reader(), push, targets, sample, PythonWarnings())
        assert isinstance(choice.derivative, LayeredDerivative) == is_layered
        if is_layered:  # what is said of the distance is of the derivative that is used
            assert all(check is not None and 0 < check.rms < 1e-4 for check in choice.checks)
        assert choice.derivative.step is None


def test_a_layer_that_computes_more_keeps_forward_mode(
    loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A matrix that is 1 % off is found, and nothing of it is left."""
    with fed(loaded("gemma3")) as (feed, push, targets, batches):
        kept, batch = batches[0]
        sample = Sample.of(batch, kept, np.ones(len(push.neurons)))
        matrix = layered._matrix
        monkeypatch.setattr(layered, "_matrix", lambda *given: matrix(*given).mul_(1.01))
        choice = chosen_derivative(feed, feed.reading.reader(), push, targets, sample, PythonWarnings())
        assert isinstance(choice.derivative, Derivative)


def test_long_rows_take_forward_mode(loaded: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("gemma3")
    monkeypatch.setattr(layered, "_VECTORS", 1_000)
    with fed(model) as (feed, push, targets, [(kept, batch), *_]):
        general = Derivative(feed, push.point, targets)
        chain = chain_of(model, push.source, targets.points)
        assert chain is not None
        long = along(LayeredDerivative(general, chain), push, kept, batch)
        for one, other in zip(long, along(general, push, kept, batch), strict=True):
            assert torch.equal(one, other)
        sample = Sample.of(batch, kept, np.ones(len(push.neurons)))
        choice = chosen_derivative(feed, feed.reading.reader(), push, targets, sample, PythonWarnings())
        assert isinstance(choice.derivative, Derivative)
