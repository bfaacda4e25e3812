"""Images in a dataset: the same documents as a folder of the same images, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glasso_cli.config.sections.corpora import CorpusSection
from glasso_cli.corpora.arrays import pin_arrays, read_arrays
from glasso_cli.errors import InputError

datasets = pytest.importorskip("datasets")
SCALE: dict[str, Any] = {"resize": 10, "crop": 8, "mean": [0.5], "std": [0.25]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images of noise, by name in the order of their numbers."""
    made = tmp_path / "photos"
    made.mkdir()
    generator = np.random.default_rng(0)
    for index in range(20):
        pixels = generator.integers(0, 256, (12, 10 + index % 3, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{index:02d}.png")
    return made


def table(folder: Path, name: str = "picture") -> Path:
    """The same images as a dataset in Parquet."""
    made = folder.parent / "table"
    made.mkdir()
    files = [str(path) for path in sorted(folder.iterdir())]
    rows = datasets.Dataset.from_dict({name: files, "label": list(range(20))}).cast_column(name, datasets.Image())
    rows.map(lambda row: row).to_parquet(made / "train.parquet")
    return made


def items(**corpus: Any) -> list[np.ndarray]:
    read = read_arrays("x", CorpusSection(**corpus))
    return [read.item(index) for index in range(len(read.items))]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_dataset_gives_the_images_of_a_folder(folder: Path, streaming: bool) -> None:
    expected = items(images=str(folder), **SCALE)
    found = items(dataset=str(table(folder)), image="picture", streaming=streaming, **SCALE)
    assert len(found) == 20
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("streaming", [False, True])
def test_other_columns_of_images_are_not_decoded(folder: Path, streaming: bool) -> None:
    made = folder.parent / "two"
    made.mkdir()
    columns = {
        "picture": [str(path) for path in sorted(folder.iterdir())],
        "mask": [{"bytes": b"no image", "path": None}] * 20,
    }
    rows = datasets.Dataset.from_dict(columns)
    for name in columns:
        rows = rows.cast_column(name, datasets.Image(decode=False))
    for name in columns:
        rows = rows.cast_column(name, datasets.Image())
    rows.to_parquet(made / "train.parquet")
    found = items(dataset=str(made), image="picture", streaming=streaming, **SCALE)
    np.testing.assert_array_equal(found[3], items(images=str(folder), **SCALE)[3])


def test_a_folder_of_images_is_a_dataset_too(folder: Path) -> None:
    found = items(dataset=str(folder), image="image", max_documents=18, **SCALE)
    assert len(found) == 18
    np.testing.assert_array_equal(found[3], items(images=str(folder), **SCALE)[3])


def test_the_content_of_a_dataset_is_its_pin(folder: Path) -> None:
    corpus = CorpusSection(dataset=str(folder), image="image")
    before = pin_arrays("x", corpus)
    Image.fromarray(np.zeros((12, 10, 3), np.uint8)).save(folder / "00.png")
    assert pin_arrays("x", corpus) != before


def test_a_column_without_images_is_refused_with_the_one_that_has_them(folder: Path) -> None:
    made = table(folder)
    with pytest.raises(InputError, match="has no column 'label' of images") as caught:
        items(dataset=str(made), image="label")
    assert caught.value.hint == "Set image: picture."


def test_keys_of_texts_and_of_images_do_not_mix() -> None:
    with pytest.raises(ValueError, match="delete text or image"):
        CorpusSection(dataset="x", image="image", text="text")
    with pytest.raises(ValueError, match="image has no effect on a corpus given as files"):
        CorpusSection(files=("x.txt",), image="image")
    with pytest.raises(ValueError, match="resize has no effect on a corpus given as dataset"):
        CorpusSection(dataset="x", resize=64)
