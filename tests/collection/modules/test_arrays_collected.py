"""Statistics of any module, against the same statistics computed at once; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import Convolutional, Recurrent, Rows, Waves, seeded
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.modules.run import collect_arrays_to_disk
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.errors import InputError
from glasso_cli.models.modules.network import ModuleNetwork

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((24, 3, 10, 10)).astype(np.float32)
STEPS = [RNG.standard_normal((length, 4)).astype(np.float32) for length in (np.arange(24) % 5 + 3)]


def corpus_of(items: Any, documents: Any = None, symbols: Any = None) -> ArrayCorpus:
    owners = np.arange(len(items)) if documents is None else np.asarray(documents)
    return ArrayCorpus(list(items), owners, symbols)


def collect(
    network: ModuleNetwork, corpus: ArrayCorpus, *points: str, folder: Path, **settings: Any
) -> ActivationStats:
    settings = {"mask": {"massive": None}, "blocks": 4, **settings}
    section = CollectSection.model_validate({"hook_points": list(points), **settings})
    from dataclasses import replace

    folder.mkdir(exist_ok=True)
    stats, stored = collect_arrays_to_disk(
        network, corpus, section, folder, name="x", seed=0, reporter=PythonWarnings()
    )
    return replace(stats, moments=np.stack([np.asarray(part) for part in stored["moments"].chunks()]))


@pytest.fixture
def images() -> ModuleNetwork:
    return seeded(Convolutional)


def channels(network: ModuleNetwork) -> np.ndarray:
    """The channels of the first convolution after its nonlinearity, ``(24, 6, 10, 10)``."""
    net: Any = network.module
    with torch.inference_mode():
        return np.asarray(net.act(net.norm(net.first(torch.from_numpy(IMAGES)))))


@pytest.mark.parametrize("border", ["auto", 0, 2])
def test_positions_of_images_are_samples(images: ModuleNetwork, border: Any, tmp_path: Path) -> None:
    stats = collect(
        images, corpus_of(IMAGES), "conv.0", folder=tmp_path, mask={"massive": None, "border": border}, batch_tokens=256
    )
    width = {"auto": 1, 0: 0, 2: 2}[border]
    inner = channels(images)[:, :, width : 10 - width, width : 10 - width]
    values = inner.transpose(0, 2, 3, 1).reshape(-1, 6)
    assert stats.metrics.tokens.border == 24 * 100 - len(values)
    np.testing.assert_allclose(stats.covariance(), np.cov(values.T, bias=True), atol=1e-5)
    np.testing.assert_allclose(stats.mean, values.mean(0), atol=1e-5)
    assert stats.neuron_ids.tolist() == [f"conv.0[{index}]" for index in range(6)]
    assert stats.metrics.model.kind == "torch"
    peaks = np.sort(inner.max((2, 3)), axis=0)[::-1][:8]  # the strongest position of each image
    np.testing.assert_allclose(stats.top_values[:, :, 0], peaks.T, atol=1e-5)
    block = inner[1::4].transpose(0, 2, 3, 1).reshape(-1, 6)
    np.testing.assert_allclose(stats.covariance([1]), np.cov(block.T, bias=True), atol=1e-5)


def test_autocorrelation_of_images_is_that_of_neighbours(images: ModuleNetwork, tmp_path: Path) -> None:
    mask = {"massive": None, "border": 0}
    stats = collect(images, corpus_of(IMAGES), "conv.0", folder=tmp_path, mask=mask, lags=2)
    values = channels(images)
    centred = values - values.mean((0, 2, 3), keepdims=True)
    beside = (centred[..., :-1] * centred[..., 1:]).sum((0, 2, 3)) / (centred**2).sum((0, 2, 3))
    # A lag that fewer pairs have counts for less: here 9 of 10 positions have a neighbour at the right.
    np.testing.assert_allclose(stats.autocorrelation[:, 0], beside / np.sqrt(0.9), atol=1e-4)


@pytest.mark.parametrize("budget", [16, 100_000])
def test_steps_of_sequences_are_samples(budget: int, tmp_path: Path) -> None:
    module = Recurrent("GRU", 2, batch_first=True)
    module(torch.zeros(1, 2, 4))
    network = seeded(lambda: module)
    stats = collect(network, corpus_of(STEPS), "rnn.0", "rnn.1", folder=tmp_path, batch_tokens=budget)
    net: Any = network.module
    rows = []
    for item in STEPS:
        lower = net.rnn.layers[0](torch.from_numpy(item)[None])[0]
        rows.append(torch.cat([lower, net.rnn.layers[1](lower)[0]], dim=2)[0, 1:].detach().numpy())
    values = np.concatenate(rows)
    assert stats.metrics.tokens.first == 24
    np.testing.assert_allclose(stats.covariance(), np.cov(values.T, bias=True), atol=1e-5)


class Pooled(nn.Module):
    """The mean over the steps of a sequence, padding included, or without it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        hidden = torch.tanh(self.first(steps))
        if lengths is None:
            made: Tensor = self.last(hidden.mean(1))
            return made
        inside = torch.arange(steps.shape[1]) < lengths[:, None]
        masked: Tensor = self.last((hidden * inside[..., None]).sum(1) / lengths[:, None])
        return masked


class Spectrum(nn.Module):
    """A convolution over time and frequency."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 5, 3)

    def forward(self, steps: Tensor) -> Tensor:
        made: Tensor = self.first(steps[:, None])
        return made


def both_ways() -> nn.Module:
    module = Recurrent("GRU", 1, batch_first=True, bidirectional=True)
    module(torch.zeros(1, 2, 4))
    return module


SEVERAL_LENGTHS: list[tuple[Any, str, dict[str, Any]]] = [
    (both_ways, "rnn:out", {"positions": "mean"}),
    (Pooled, "last:out", {}),
    (lambda: Waves(1), "second:out", {"positions": "mean"}),
    (lambda: Waves(2), "second:out", {"positions": "mean"}),
    (Spectrum, "first:out", {"positions": "mean"}),
]


@pytest.mark.parametrize(("make", "point", "settings"), SEVERAL_LENGTHS)
def test_items_of_several_lengths_share_no_window_where_padding_counts(
    make: Any, point: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    network = seeded(make)
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in np.tile([6, 14], 24)]
    settings = {"mask": {"massive": None, "first": 0, "border": 0}, **settings}
    with pytest.raises(InputError, match="Document 0 has items of 6 and of 14 entries") as caught:
        collect(network, corpus_of(items, np.repeat(np.arange(24), 2)), point, folder=tmp_path, **settings)
    assert "items of one length" in caught.value.hint
    apart = collect(network, corpus_of(items), point, folder=tmp_path / "apart", **settings)
    by_length = np.tile([0, 1], 24) * 24 + np.repeat(np.arange(24), 2)  # two items of one length in a document
    ordered = [item for _, item in sorted(zip(by_length.tolist(), items), key=lambda pair: pair[0])]
    alike = collect(network, corpus_of(ordered, np.repeat(np.arange(24), 2)), point, folder=tmp_path / "a", **settings)
    np.testing.assert_allclose(alike.mean, apart.mean, atol=1e-6)
    np.testing.assert_allclose(alike.covariance(), apart.covariance(), atol=1e-6)


def test_items_of_several_lengths_share_a_window_where_padding_is_masked(tmp_path: Path) -> None:
    network = seeded(Pooled, adapter=lambda values, lengths: (values, lengths))
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in np.tile([6, 14], 24)]
    settings: dict[str, Any] = {"mask": {"massive": None, "first": 0}}
    together = collect(network, corpus_of(items, np.repeat(np.arange(24), 2)), "last:out", folder=tmp_path, **settings)
    apart = collect(network, corpus_of(items), "last:out", folder=tmp_path / "apart", **settings)
    np.testing.assert_allclose(together.mean, apart.mean, atol=1e-6)
    np.testing.assert_allclose(together.covariance(), apart.covariance(), atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("border", "positions"), [("auto", "each"), (0, "each"), ("auto", "mean")])
def test_the_ends_of_sequences_depend_on_padding(stride: int, border: Any, positions: str, tmp_path: Path) -> None:
    """Two padded convolutions reach three steps over each end."""
    network = seeded(lambda: Waves(stride))
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in np.arange(24) % 5 + 10]
    net: Any = network.module
    with torch.inference_mode():
        outputs = [net(torch.from_numpy(item)[None])[0].T.numpy() for item in items]
    reach = [0, 0] if border == 0 else [-(-3 // stride), 0]
    inner = []
    for item, output in zip(items, outputs):
        places = np.arange(len(output)) * stride
        inside = (places >= 3) & (places < len(item) - 3) if border == "auto" else np.ones(len(output), bool)
        if border == "auto" and stride == 2:  # at the end, the largest number over the lengths
            inside = (np.arange(len(output)) >= reach[0]) & (np.arange(len(output)) < len(output) - 2)
        inner.append(output[inside])
    mask = {"massive": None, "first": 0, "border": border}
    stats = collect(
        network, corpus_of(items), "second:out", folder=tmp_path, mask=mask, positions=positions, contexts=False
    )
    expected = np.concatenate(inner if positions == "each" else [part.mean(0, keepdims=True) for part in inner])
    assert stats.counts.sum() == len(expected)
    np.testing.assert_allclose(stats.covariance(), np.cov(expected.T, bias=True), rtol=1e-4, atol=1e-6)
    if positions == "each":
        assert stats.metrics.tokens.border == sum(map(len, outputs)) - len(expected)


def test_prepared_documents_have_the_lengths_that_they_are_prepared_to(tmp_path: Path) -> None:
    """Every step counts, and no padding does, whatever the first document is."""
    words = ["a" * (1 + index % 7) for index in range(24)]
    generator = np.random.default_rng(1)
    made = {word: generator.standard_normal((len(word), 4)).astype(np.float32) for word in words}
    corpus = ArrayCorpus(words, np.arange(24), None, made.__getitem__)
    network = seeded(lambda: nn.Sequential(nn.Linear(4, 3)))
    mask = {"massive": None, "first": 0}
    stats = collect(network, corpus, "0:out", folder=tmp_path, mask=mask)
    net: Any = network.module
    expected = np.concatenate([net(torch.from_numpy(made[word])).numpy() for word in words])
    assert stats.counts.sum() == len(expected)
    np.testing.assert_allclose(stats.covariance(), np.cov(expected.T, bias=True), rtol=1e-4, atol=1e-6)


def test_documents_that_change_between_readings_are_refused(tmp_path: Path) -> None:
    lengths = iter(range(3, 10_000))
    corpus = ArrayCorpus(list(range(24)), np.arange(24), None, lambda item: np.ones((next(lengths), 4), np.float32))
    with pytest.raises(InputError, match=r"entries on its first axis, where \d+ were expected"):
        collect(seeded(lambda: nn.Sequential(nn.Linear(4, 3))), corpus, "0:out", folder=tmp_path)


def test_ends_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"second:out, all positions of a sequence depend on the padding"):
        short = [RNG.standard_normal((length, 4)).astype(np.float32) for length in np.arange(24) % 5 + 2]
        collect(seeded(Waves), corpus_of(short), "second:out", folder=tmp_path)


def test_what_whole_numbers_stand_for_is_shown_in_contexts(tmp_path: Path) -> None:
    words = ["aab", "bab", "ba", "abba"] * 6
    items = [np.array([ord(letter) - ord("a") for letter in word]) for word in words]

    class Letters(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.rnn = nn.Embedding(2, 4), nn.GRU(4, 3, batch_first=True)

        def forward(self, letters: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.rnn(self.table(letters))[0]
            return made

    stats = collect(seeded(Letters), corpus_of(items, symbols=np.array(["a", "b"])), "rnn.0", folder=tmp_path)
    texts = set(stats.contexts(0)["text"])
    assert texts <= set(words)
    assert stats.metrics.documents.identical == 20


def test_rows_of_a_document_stay_in_one_block(tmp_path: Path) -> None:
    rows = RNG.standard_normal((60, 4)).astype(np.float32)
    owners = np.arange(60) // 3
    network = seeded(Rows)
    stats = collect(network, corpus_of(rows, owners), "layers.1:out", folder=tmp_path)
    net: Any = network.module
    values = torch.tanh(net.layers[0](torch.from_numpy(rows))).detach().numpy()
    assert stats.counts.tolist() == [15, 15, 15, 15]
    assert stats.documents.tolist() == [5, 5, 5, 5]
    np.testing.assert_allclose(stats.covariance(), np.cov(values.T, bias=True), atol=1e-5)


def test_the_mean_of_positions_joins_hook_points_of_different_sizes(images: ModuleNetwork, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"different positions \(conv.0: 10 x 10, conv.1: 5 x 5\)"):
        collect(images, corpus_of(IMAGES), "conv.0", "conv.1", folder=tmp_path / "a")
    stats = collect(
        images, corpus_of(IMAGES), "conv.0", "conv.1", folder=tmp_path / "b", positions="mean",
        mask={"massive": None, "border": 0},
    )  # fmt: skip
    assert stats.n_tokens == 24
    values = channels(images).mean((2, 3))
    np.testing.assert_allclose(stats.covariance()[:6, :6], np.cov(values.T, bias=True), atol=1e-5)
    assert not stats.autocorrelation.any()


def test_a_border_that_leaves_nothing_is_refused(images: ModuleNetwork, tmp_path: Path) -> None:
    small = corpus_of(IMAGES[:, :, :2, :2])
    with pytest.raises(InputError, match=r"Every position at conv.0 \(2 x 2\) depends on the padding"):
        collect(images, small, "conv.0", folder=tmp_path)


def test_images_of_different_sizes_are_refused(images: ModuleNetwork, tmp_path: Path) -> None:
    items = [*IMAGES[:20], *IMAGES[20:, :, :, :8]]
    with pytest.raises(InputError, match="different shapes"):
        collect(images, corpus_of(items), "conv.0", folder=tmp_path)


def test_data_that_the_network_does_not_take_is_one_sentence(images: ModuleNetwork, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fails on a batch: RuntimeError"):
        collect(images, corpus_of(IMAGES[:, :2]), "conv.0", folder=tmp_path)


def test_too_few_samples_for_too_few_documents_is_refused(images: ModuleNetwork, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ends after 3 documents"):
        collect(images, corpus_of(IMAGES), "conv.0", folder=tmp_path, max_tokens=300)


def test_zeros_give_no_norm_for_massive_samples(tmp_path: Path) -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.ReLU()))
    sparse = IMAGES * (np.arange(10) < 3)
    with pytest.raises(InputError, match="half of the samples are zero"):
        collect(network, corpus_of(sparse), "conv.0", folder=tmp_path, mask={})
