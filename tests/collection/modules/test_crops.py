"""Contexts of images and numeric sequences: which samples they are, and what their crops show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_networks import Recurrent, Rows, seeded
from torch import Tensor, nn

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.modules import crops
from glasso_cli.collection.modules.places import find_places
from glasso_cli.collection.modules.run import collect_arrays_to_disk
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.corpora.arrays import ArrayCorpus
from glasso_cli.models.modules.network import ModuleNetwork

RNG = np.random.default_rng(0)
PATCH = RNG.choice([0.6, 1], (5, 5)).astype(np.float32)
PLACES = RNG.integers(0, 27, (24, 2))


def planted(channels: int = 1) -> np.ndarray:
    """Images ``(24, channels, 32, 32)`` of faint noise, each with the patch at its place of ``PLACES``."""
    images = RNG.uniform(0.75, 0.85, (24, channels, 32, 32)).astype(np.float32)
    for index, (image, (row, column)) in enumerate(zip(images, PLACES)):
        image[:, row : row + 5, column : column + 5] = PATCH.mean() + (PATCH - PATCH.mean()) * (0.5 + index / 48)
    return images


class Detector(nn.Module):
    """Two channels that find the patch, the second with the other sign."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(1, 2, 5, bias=False), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.act(self.conv(images))
        return made


def detector() -> ModuleNetwork:
    network = seeded(Detector)
    kernel = torch.from_numpy(PATCH - PATCH.mean())
    with torch.no_grad():
        network.module.conv.weight.copy_(torch.stack([kernel, -kernel])[:, None])  # type: ignore[union-attr, operator]
    return network


def collect(
    network: ModuleNetwork, items: Any, *points: str, folder: Path, owners: Any = None, **settings: Any
) -> ActivationStats:
    corpus = items if isinstance(items, ArrayCorpus) else ArrayCorpus(
        list(items), np.arange(len(items)) if owners is None else np.asarray(owners)
    )  # fmt: skip
    settings = {"mask": {"massive": None, "border": 0, "first": 0}, "blocks": 4, **settings}
    section = CollectSection.model_validate({"hook_points": list(points), **settings})
    folder.mkdir(exist_ok=True)
    stats, stored = collect_arrays_to_disk(
        network, corpus, section, folder, name="x", seed=0, reporter=PythonWarnings()
    )
    return replace(stats, moments=np.stack([np.asarray(part) for part in stored["moments"].chunks()]))


def strongest(stats: ActivationStats, neuron: int, pole: str = "top") -> list[tuple[int, str, np.ndarray, Any]]:
    """Document, place, crop and box of the contexts at one pole."""
    tokens, documents = (getattr(stats, f"{pole}_{name}")[neuron] for name in ("tokens", "documents"))
    found = stats.crops
    assert found is not None
    return [
        (int(document), str(stats.vocabulary[token]), found.picture(found.of[token]), found.box(token, neuron))
        for (token,), document in zip(tokens, documents)
        if document >= 0
    ]


def test_crops_show_the_patch_that_a_unit_detects(tmp_path: Path) -> None:
    images = planted()
    stats = collect(detector(), images, "act:out", folder=tmp_path)
    assert stats.crops is not None
    assert (stats.crops.kind, stats.crops.mark) == ("image", "field")
    assert stats.crops.field.tolist() == [[5, 5]]
    assert stats.crops.extent.tolist() == [16, 16]
    low, high = images.min(), images.max()
    documents = []
    for document, place, crop, box in strongest(stats, 0):
        row, column = PLACES[document]
        assert place == f"row {row}, column {column}"
        top, left, bottom, right = map(int, box)
        assert (bottom - top, right - left) == (5, 5)
        whole = np.round(255 * (images[document, 0] - low) / (high - low))
        np.testing.assert_array_equal(crop[top:bottom, left:right, 0], whole[row : row + 5, column : column + 5])
        first, second = min(max(row - top, 0), 16), min(max(column - left, 0), 16)
        np.testing.assert_array_equal(crop[:, :, 0], whole[first : first + 16, second : second + 16])
        documents.append(document)
    assert documents == list(range(23, 15, -1))  # the patches of strongest contrast


def test_the_other_sign_exchanges_the_poles(tmp_path: Path) -> None:
    stats = collect(detector(), planted(), "act:out", folder=tmp_path)
    for one, other in (("top", "bottom"), ("bottom", "top")):
        np.testing.assert_array_equal(getattr(stats, f"{one}_tokens")[0], getattr(stats, f"{other}_tokens")[1])
        np.testing.assert_array_equal(getattr(stats, f"{one}_values")[0], -getattr(stats, f"{other}_values")[1])


def test_images_in_another_order_have_the_same_contexts(tmp_path: Path) -> None:
    images = planted()
    order = np.random.default_rng(1).permutation(24)
    plain = collect(detector(), images, "act:out", folder=tmp_path / "a")
    turned = collect(detector(), images[order], "act:out", folder=tmp_path / "b")
    for one, other in zip(strongest(plain, 0), strongest(turned, 0), strict=True):
        assert one[0] == order[other[0]]
        assert one[1] == other[1]
        assert one[3] == other[3]
        np.testing.assert_array_equal(one[2], other[2])


def test_hook_points_of_one_grid_have_boxes_of_their_own(tmp_path: Path) -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 5, padding=2)))
    stats = collect(network, planted(), "conv.0", "conv.1", folder=tmp_path, mask={"massive": None, "border": "auto"})
    assert stats.crops is not None
    assert stats.crops.field.tolist() == [[3, 3], [7, 7]]
    for neuron, size in ((0, 3), (4, 7)):
        for _, _, _, (top, left, bottom, right) in strongest(stats, neuron):
            assert (bottom - top, right - left) == (size, size)


def test_large_fields_are_shown_smaller(tmp_path: Path) -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 31, stride=8), nn.Tanh()))
    images = np.kron(planted(3), np.ones((2, 2), np.float32))
    stats = collect(network, images, "conv.0", folder=tmp_path)
    assert stats.crops is not None
    assert stats.crops.extent.tolist() == [47, 47]
    assert stats.crops.pixels.shape[1:] == (40, 40, 3)
    for document, place, crop, box in strongest(stats, 0):
        row, column = (int(part.split()[1]) for part in place.split(","))
        assert box[2] - box[0] == pytest.approx(31 * 40 / 47, abs=1e-3)
        top, left = 8 * row - box[0] * 47 / 40, 8 * column - box[1] * 47 / 40
        assert top == pytest.approx(round(top), abs=1e-3)
        part = images[document][:, round(top) : round(top) + 47, round(left) : round(left) + 47]
        assert crop.mean() / 255 == pytest.approx(
            ((part - images.min()) / (images.max() - images.min())).mean(), abs=0.02
        )


class Squeeze(nn.Module):
    """Each position depends on the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        made: Tensor = self.last(x + x.mean((2, 3), keepdim=True))
        return made


def test_a_position_that_sees_all_of_the_image_is_marked_by_its_cell(tmp_path: Path) -> None:
    stats = collect(seeded(Squeeze), planted(), "last:out", folder=tmp_path)
    assert stats.crops is not None
    assert stats.crops.mark == "cell"
    assert "depends on the whole image" in stats.crops.in_words
    assert len(stats.crops.pixels) <= 24  # a crop of a whole image is stored once
    for _, place, crop, (top, left, bottom, right) in strongest(stats, 0):
        row, column = (int(part.split()[1]) for part in place.split(","))
        assert (top, left, bottom, right) == (2 * row, 2 * column, 2 * row + 2, 2 * column + 2)
        assert crop.shape == (32, 32, 1)


def test_steps_of_sequences_are_marked_in_a_window(tmp_path: Path) -> None:
    lengths = np.arange(24) % 30 + 12
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in lengths]
    module = Recurrent("GRU", 1, batch_first=True)
    module(torch.zeros(1, 2, 4))
    network = seeded(lambda: module)
    stats = collect(network, items, "rnn:out", folder=tmp_path)
    assert stats.crops is not None
    assert (stats.crops.kind, stats.crops.mark) == ("sequence", "step")
    used = [document for pole in ("top", "bottom") for n in range(5) for document, *_ in strongest(stats, n, pole)]
    used += stats.quantile_documents.ravel().tolist()
    seen = np.concatenate([items[document] for document in set(used)])
    low, high = seen.min(0)[:, None], seen.max(0)[:, None]
    for document, place, crop, (top, left, bottom, right) in strongest(stats, 0):
        step, item = int(place.split()[1]), items[document]
        assert (top, bottom, right - left) == (0, 4, 1)
        assert crop.shape == (4, min(21, len(item)), 1)
        shown = np.round(255 * (item.T - low) / (high - low))
        start = step - int(left)
        np.testing.assert_array_equal(crop[:, :, 0], shown[:, start : start + 21])


def test_a_convolution_over_steps_is_marked_by_its_field(tmp_path: Path) -> None:
    items = RNG.standard_normal((24, 2, 60)).astype(np.float32)  # channels first
    network = seeded(lambda: nn.Sequential(nn.Conv1d(2, 3, 7, stride=3), nn.BatchNorm1d(3)))
    stats = collect(network, items, "1:out", folder=tmp_path)
    assert stats.crops is not None
    assert (stats.crops.kind, stats.crops.mark) == ("sequence", "field")
    for _, place, crop, box in strongest(stats, 0):
        assert box[3] - box[1] == 7
        assert crop.shape == (2, 21, 1)
        start = 3 * int(place.split()[1]) - int(box[1])
        assert start in range(40)


def test_rows_have_names_and_no_crops(tmp_path: Path) -> None:
    rows = RNG.standard_normal((60, 4)).astype(np.float32)
    network = seeded(Rows)
    stats = collect(network, rows, "layers.1:out", folder=tmp_path, owners=np.arange(60) // 3)
    assert stats.crops is not None
    assert stats.crops.kind == "row"
    weight, bias = list(network.module.parameters())[:2]
    values = torch.tanh(torch.from_numpy(rows) @ weight.T + bias)[:, 0]
    best = values.reshape(20, 3).max(1)
    order = best.values.argsort(descending=True)[:8]
    assert stats.top_documents[0].tolist() == order.tolist()
    names = [str(stats.vocabulary[token]) for (token,) in stats.top_tokens[0]]
    assert names == [f"row {row}" for row in best.indices[order].tolist()]
    assert (stats.crops.of == -1).all()


def test_a_mean_over_positions_shows_whole_images(tmp_path: Path) -> None:
    stats = collect(detector(), planted(), "act:out", folder=tmp_path, positions="mean")
    assert stats.crops is not None
    assert stats.crops.mark == "whole"
    assert [(place, crop.shape, box) for _, place, crop, box in strongest(stats, 0)] == 8 * [("", (32, 32, 1), None)]


def test_without_room_the_weaker_contexts_have_no_crop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "MOST_BYTES", 16 * 16 * 3)
    stats = collect(detector(), planted(), "act:out", folder=tmp_path)
    assert stats.crops is not None
    assert len(stats.crops.pixels) == 3
    assert stats.crops.of[stats.top_tokens[0, 0, 0]] >= 0
    assert stats.crops.of[stats.top_tokens[0, 7, 0]] == -1


def test_brightness_is_that_of_the_files(tmp_path: Path) -> None:
    images = np.repeat(planted(), 3, axis=1)
    display = np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.3, 0.1], np.float32)
    mean, std = (part[:, None, None] for part in display)
    corpus = ArrayCorpus(list((images - mean) / std), np.arange(24), display=display)
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 2, 5), nn.Tanh()))
    stats = collect(network, corpus, "conv.0", folder=tmp_path)
    assert stats.crops is not None
    assert stats.crops.pixels.shape[3] == 1  # the three channels are equal
    document, place, crop, box = strongest(stats, 0)[0]
    row, column = (int(part.split()[1]) for part in place.split(","))
    top, left = map(int, box[:2])
    np.testing.assert_array_equal(
        crop[top : top + 5, left : left + 5, 0],
        np.round(255 * images[document, 0, row : row + 5, column : column + 5]),
    )


class Volume(nn.Module):
    """The channels of an image as a third axis of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 2, 3, padding=(1, 0, 0))

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.conv(images[:, None])
        return made


def test_images_that_are_read_as_volumes_have_no_crops(tmp_path: Path) -> None:
    display = np.full(3, 0.4, np.float32), np.full(3, 0.2, np.float32)
    corpus = ArrayCorpus(list(planted(3)[:, :, :8, :8]), np.arange(24), display=display)
    stats = collect(seeded(Volume), corpus, "conv:out", folder=tmp_path)
    assert stats.crops is not None
    assert stats.crops.kind == "row"
    assert (stats.crops.of == -1).all()


def test_rows_are_counted_within_their_document() -> None:
    corpus = ArrayCorpus(list(np.zeros((7, 2))), np.array([0, 1, 0, 2, 1, 0, 2]))
    samples = crops.Samples(corpus, (1,), 1, True)
    assert samples.names(np.array([5, 0, 4, 2, 6])) == ["row 2", "row 0", "row 1", "row 1", "row 1"]
    alone = crops.Samples(ArrayCorpus(corpus.items, np.arange(7)), (1,), 1, True)
    assert alone.names(np.array([5, 0])) == ["", ""]


def test_whole_sequences_are_prepared_once_for_their_crops(tmp_path: Path) -> None:
    items = [RNG.standard_normal((length, 4)).astype(np.float32) for length in np.arange(24) % 5 + 12]
    prepared: list[int] = []

    def prepare(item: Any) -> Any:
        prepared.append(len(item))
        return item

    corpus = ArrayCorpus(items, np.arange(24), prepare=prepare)
    places = find_places(items[0], (12,), 1, lambda axes: [], steps=12, single=True)
    corpus.item(0)
    assert corpus.lengths == corpus.lengths == [len(item) for item in items]
    assert len(prepared) == 1 + 24
    found = crops.Samples(corpus, (12,), 1, True).crops(np.arange(24), np.arange(24), places)
    assert len(prepared) == 1 + 24 + 1 + 24
    assert found["crop_extent"].tolist() == [[4, 16], [4, 12]]
    assert found["crop_sizes"].tolist() == [[4, len(item)] for item in items]


def test_statistics_with_crops_are_saved_and_read(tmp_path: Path) -> None:
    stats = collect(detector(), planted(), "act:out", folder=tmp_path)
    assert "crop_pixels" in np.load(_saved(stats, tmp_path / "x.npz"))
    again = ActivationStats.load(tmp_path / "x.npz").crops
    assert again is not None
    assert stats.crops is not None
    np.testing.assert_array_equal(again.pixels, stats.crops.pixels)
    bare = collect(detector(), planted(), "act:out", folder=tmp_path / "b", contexts=False)
    assert not [name for name in np.load(_saved(bare, tmp_path / "y.npz")) if name.startswith("crop_")]
    assert ActivationStats.load(tmp_path / "y.npz").crops is None


def _saved(stats: ActivationStats, path: Path) -> Path:
    stats.save(path)
    return path
