"""Deterministic npz files: equal content is equal bytes, and a damaged file is one sentence."""

from __future__ import annotations

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glasso_cli.artifacts import npz
from glasso_cli.artifacts.npz import Chunked, read_meta, read_npz, write_npz
from glasso_cli.errors import ForeignFileError, InputError

META: dict[str, Any] = {"kind": "test", "schema": 1}
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.floating_dtypes(sizes=(32, 64)),
    hnp.unicode_string_dtypes(min_len=1, max_len=5),
)
ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True),
    DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))),
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(ARRAYS)
def test_a_round_trip_is_the_same_arrays_and_the_same_bytes(arrays: dict[str, np.ndarray]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "a.npz", Path(folder) / "b.npz"
        content = write_npz(first, arrays, META)
        read, meta = read_npz(first)
        assert meta == {**META, "content": content}
        assert list(read) == sorted(arrays)
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            assert read[name].shape == array.shape
            assert read[name].tobytes() == array.tobytes()
        write_npz(second, dict(reversed(list(read.items()))), META)
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.slow
@given(st.integers(0, 7), st.integers(0, 5), st.integers(1, 3))
def test_chunks_are_written_as_the_whole(rows: int, columns: int, step: int) -> None:
    whole = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    parts = Chunked(whole.dtype, whole.shape, lambda: (whole[k : k + step] for k in range(0, rows, step)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        assert write_npz(path / "a.npz", {"x": whole}, META) == write_npz(path / "b.npz", {"x": parts}, META)
        assert (path / "a.npz").read_bytes() == (path / "b.npz").read_bytes()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    write_npz(path, {"a": np.arange(10), "b": np.ones((40, 30)), "c": np.array(["x", "é"])}, META)
    return path


def test_numpy_and_unzip_read_it(written: Path) -> None:
    with np.load(written, allow_pickle=False) as loaded:
        assert set(loaded) == {"a", "b", "c", "meta.json"}
        np.testing.assert_array_equal(loaded["b"], np.ones((40, 30)))
    with zipfile.ZipFile(written) as archive:
        assert archive.namelist() == ["a.npy", "b.npy", "c.npy", "meta.json"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("meta.json"))["kind"] == "test"


def test_the_content_digest_is_of_names_types_shapes_and_bytes(tmp_path: Path) -> None:
    base = np.arange(6, dtype=np.int32)
    variants: dict[str, dict[str, np.ndarray]] = {
        "name": {"y": base},
        "type": {"x": base.astype(np.uint32)},
        "shape": {"x": base.reshape(2, 3)},
        "bytes": {"x": base + 1},
        "base": {"x": base},
    }
    digests = {key: write_npz(tmp_path / key, arrays, META) for key, arrays in variants.items()}
    assert len(set(digests.values())) == len(variants)
    assert write_npz(tmp_path / "other meta", {"x": base}, {**META, "metrics": 1}) == digests["base"]


def test_memory_order_does_not_matter(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert write_npz(tmp_path / "c", {"x": array}, META) == write_npz(
        tmp_path / "f", {"x": np.asfortranarray(array)}, META
    )


def test_large_members_are_mapped_and_cannot_be_changed(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "_MAP_FROM", 1_000)
    arrays, _ = read_npz(written)
    assert isinstance(arrays["b"], np.memmap)
    assert not isinstance(arrays["a"], np.memmap)
    np.testing.assert_array_equal(arrays["b"], np.ones((40, 30)))
    with pytest.raises(ValueError, match="read-only"):
        arrays["b"][0, 0] = 2


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="only pickle"):
        write_npz(tmp_path / "a.npz", {"x": np.array([object()])}, META)
    assert not list(tmp_path.iterdir())


# -- what is no artifact ----------------------------------------------------------------------------


def savez(path: Path) -> None:
    np.savez(path, x=np.arange(3))


def with_meta(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("meta.json", text)

    return write


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (savez, ForeignFileError, "is not an artifact of glasso: it has no meta.json"),
        (lambda path: path.write_text("model: {id: m}\n"), ForeignFileError, "it is not an .npz file"),
        (with_meta("{}"), ForeignFileError, "names no kind and schema"),
        (with_meta("[1]"), ForeignFileError, "names no kind and schema"),
        (with_meta('{"kind": "x", "schema": "1"}'), ForeignFileError, "names no kind and schema"),
        (with_meta("{"), InputError, "is truncated or damaged"),
        (lambda path: path.write_bytes(b""), InputError, "is truncated or damaged"),
        (lambda path: path.write_bytes(b"PK\x03\x04"), InputError, "is truncated or damaged"),
        (lambda path: path.mkdir(), InputError, "is a folder"),
        (lambda path: None, InputError, "There is no file"),
    ],
)
def test_what_is_no_artifact_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], None], kind: type[InputError], words: str
) -> None:
    path = tmp_path / "a.npz"
    make(path)
    for read in (read_meta, read_npz):
        with pytest.raises(InputError) as caught:
            read(path)
        assert type(caught.value) is kind
        assert words in caught.value.message
        assert str(path) in caught.value.message
        assert caught.value.hint.endswith(".")


def test_any_truncation_is_found(written: Path, tmp_path: Path) -> None:
    data, cut = written.read_bytes(), tmp_path / "cut.npz"
    for size in [*range(0, len(data), 97), len(data) - 1]:
        cut.write_bytes(data[:size])
        with pytest.raises(InputError, match="is truncated or damaged"):
            read_npz(cut)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_any_damage_is_an_input_error(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "_MAP_FROM", 1_000)
    data, rng, damaged = written.read_bytes(), random.Random(0), tmp_path / "damaged.npz"
    refused = 0
    for _ in range(800):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 8])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        damaged.write_bytes(changed)
        try:
            read_npz(damaged)
        except InputError:
            refused += 1
    assert refused > 50


def test_a_member_that_only_pickle_could_read_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", buffer.getvalue())
        archive.writestr("meta.json", json.dumps(META))
    assert read_meta(path) == META
    with pytest.raises(InputError, match="damaged"):
        read_npz(path)
