"""Documents that are arrays: files, folders of images, and code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glasso_cli.config import CorpusSection
from glasso_cli.corpora.arrays import pin_arrays, read_arrays
from glasso_cli.corpora.known import digits, words
from glasso_cli.errors import InputError

VALUES = np.arange(20 * 6, dtype=np.float32).reshape(20, 6)


def saved(path: Path, **arrays: Any) -> CorpusSection:
    np.savez(path / "a.npz", **arrays)
    return CorpusSection(arrays=str(path / "a.npz"))


def test_every_row_of_a_file_is_a_document(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    corpus = read_arrays("x", CorpusSection(arrays=str(tmp_path / "a.npy")))
    assert corpus.n_documents == 20
    np.testing.assert_array_equal(corpus.item(3), VALUES[3])


def test_rows_of_one_document_stay_together(tmp_path: Path) -> None:
    owners = np.array([f"d{i // 2 % 17}" for i in range(40)])
    corpus = read_arrays("x", saved(tmp_path, values=np.tile(VALUES, (2, 1)), documents=owners))
    assert corpus.documents[:6].tolist() == [0, 0, 1, 1, 2, 2]
    assert corpus.n_documents == 17


def test_sequences_end_where_lengths_say(tmp_path: Path) -> None:
    lengths = np.arange(20) % 6 + 1
    corpus = read_arrays("x", saved(tmp_path, values=VALUES, lengths=lengths, symbols=np.array(["a", "b"])))
    assert [len(corpus.item(i)) for i in range(20)] == lengths.tolist()
    assert corpus.symbols is not None
    assert corpus.symbols.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"value": VALUES}, "has 'value'"),
        ({"documents": np.arange(20)}, "has no 'values'"),
        ({"values": VALUES, "documents": np.arange(3)}, "'documents' in a.npz has shape"),
        ({"values": VALUES, "lengths": np.full(20, 7)}, "not whole numbers from 1 to 6"),
        ({"values": VALUES[:15]}, "has 15 documents.*at least 16"),
        ({"values": np.array([{}] * 20)}, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_arrays("x", saved(tmp_path, **arrays))


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[4, 2] = np.nan
    with pytest.raises(InputError, match="Document 4 has values that are not finite"):
        read_arrays("x", saved(tmp_path, values=values)).item(4)


def images(folder: Path, count: int = 16) -> Path:
    from PIL import Image

    for index in range(count):
        pixels = np.full((12, 20, 3), index, dtype=np.uint8)
        pixels[:, 10:] = 200
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


def test_images_are_documents_in_the_order_of_their_names(tmp_path: Path) -> None:
    section = CorpusSection(images=str(images(tmp_path)), crop=8, mean=(0.5,), std=(0.5,))
    corpus = read_arrays("x", section)
    image = corpus.item(5)
    assert image.shape == (3, 8, 8)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[0, 0], ([5] * 4 + [200] * 4 - np.float32(127.5)) / 127.5, atol=1e-6)
    grey = read_arrays("x", CorpusSection(images=str(tmp_path), resize=6, channels=1)).item(0)
    assert grey.shape == (1, 6, 10)


def test_images_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    section = CorpusSection(images=str(tmp_path))
    with pytest.raises(InputError, match="holds no images"):
        read_arrays("x", section)
    with pytest.raises(InputError, match="has 3 documents"):
        read_arrays("x", CorpusSection(images=str(images(tmp_path, 3))))
    images(tmp_path)
    with pytest.raises(InputError, match="fewer than the crop of 30"):
        read_arrays("x", CorpusSection(images=str(tmp_path), crop=30)).item(0)
    (tmp_path / "00.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"00.png cannot be read as an image"):
        read_arrays("x", section).item(0)


def test_the_pin_changes_with_the_content(tmp_path: Path) -> None:
    section = CorpusSection(images=str(images(tmp_path)))
    before = pin_arrays("x", section)
    (tmp_path / "00.png").write_bytes((tmp_path / "01.png").read_bytes())
    assert pin_arrays("x", section) != before


def test_code_gives_documents() -> None:
    corpus = read_arrays("x", CorpusSection(module="glasso_cli.corpora.known.words:climate", max_documents=20))
    assert corpus.n_documents == 20
    assert corpus.symbols is not None
    spelled = ["".join(corpus.symbols[corpus.item(index)]) for index in range(20)]
    assert all(word.endswith("</s>") for word in spelled)
    with pytest.raises(InputError, match="gives no documents"):
        read_arrays("x", CorpusSection(module="glasso_cli.corpora.known.digits:SIDE"))


@pytest.mark.slow
def test_digits_and_words_come_with_packages() -> None:
    assert digits.low().shape == (901, 3, digits.SIDE, digits.SIDE)
    assert len(digits.low()) + len(digits.high()) == 1797
    assert -1.01 < float(digits.high()[:10].min()) < float(digits.high()[:10].max()) < 1.01
    assert len(words.every()) > 3_000
