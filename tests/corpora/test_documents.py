"""Corpora by kind: topics, files, dataset folders, and a hub that is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasso_cli.artifacts.manifest import write_manifest
from glasso_cli.config import CorpusSection
from glasso_cli.corpora.documents import pin_corpus, read_documents
from glasso_cli.errors import GlassoError, InputError, ServiceError, UpstreamError
from glasso_cli.files import sha256_of
from glasso_cli.models import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def documents(**corpus: Any) -> list[str]:
    return list(read_documents("reviews", CorpusSection(**corpus)))


def problem(**corpus: Any) -> GlassoError:
    with pytest.raises(GlassoError) as caught:
        documents(**corpus)
    return caught.value


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path / "glasso-cache"))


# -- topics and files -----------------------------------------------------------------------------


def written(folder: Path, *texts: str) -> Path:
    """The manifest of ``texts`` as synth leaves it in ``folder``."""
    lines = folder / "reviews.jsonl"
    lines.write_text("".join(json.dumps({"id": "x", "text": text}) + "\n" for text in texts), encoding="utf-8")
    manifest = folder / "reviews.json"
    write_manifest(manifest, {"kind": "texts", "content": sha256_of(lines)})
    return manifest


def test_a_topic_gives_the_texts_that_were_written_on_it(tmp_path: Path) -> None:
    manifest = written(tmp_path, "one", "zwei\nDrei – é", "three")
    found = list(read_documents("reviews", CorpusSection(topic="t"), manifest))
    assert found == ["one", "zwei\nDrei – é", "three"]
    assert list(read_documents("reviews", CorpusSection(topic="t", max_documents=1), manifest)) == ["one"]


def test_texts_on_a_topic_that_were_changed_by_hand_are_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path, "one", "two")
    with open(manifest.with_suffix(".jsonl"), "a") as file:
        file.write('{"text": "mine"}\n')
    with pytest.raises(UpstreamError, match="is not what synth wrote") as caught:
        list(read_documents("reviews", CorpusSection(topic="t"), manifest))
    assert "--force" in caught.value.hint


def test_max_documents_cuts_any_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    assert documents(files=[f"{tmp_path}/a.txt"], lines=True, max_documents=2) == ["one", "two"]


def test_no_file_is_opened_beyond_max_documents(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    assert documents(files=[f"{tmp_path}/*.txt"], max_documents=1) == ["one"]


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("from b")
    (tmp_path / "a.jsonl").write_text('{"body": "first"}\n{"body": ""}\n')
    found = documents(files=[f"{tmp_path}/b.txt", f"{tmp_path}/a.jsonl"], text="body")
    assert found == ["from b", "first", ""]


def test_a_missing_file_names_its_corpus() -> None:
    assert problem(files=["no/such/*.txt"]).message == "corpora.reviews: no file matches 'no/such/*.txt'."


# -- pins -----------------------------------------------------------------------------------------


def test_a_pin_follows_content_not_names(tmp_path: Path) -> None:
    def pin(name: str) -> dict[str, Any]:
        return pin_corpus("reviews", CorpusSection(files=(f"{tmp_path}/{name}",)))

    for name, content in (("a.txt", "one"), ("b.txt", "one"), ("c.txt", "two")):
        (tmp_path / name).write_text(content)
    assert pin("a.txt") == pin("b.txt") != pin("c.txt")


def test_a_topic_has_no_pin_of_its_own() -> None:
    assert pin_corpus("x", CorpusSection(topic="climate change")) == {}


def test_a_pin_of_a_dataset_folder_covers_its_subfolders(folder: Path) -> None:
    before = pin_corpus("x", CorpusSection(dataset=str(folder)))
    (folder / "data").mkdir()
    (folder / "data" / "train.jsonl").write_text('{"text": "c"}\n')
    assert pin_corpus("x", CorpusSection(dataset=str(folder))) != before


def test_a_pin_of_a_hub_dataset_is_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "dataset_commit", lambda name, revision: f"{name}@{revision}")
    assert pin_corpus("x", CorpusSection(dataset="a/b", revision="v1")) == {"commit": "a/b@v1"}


# -- dataset folders ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset in the layout of the hub: two splits, and a cache of its own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets-cache"))
    path = tmp_path / "reviews"
    path.mkdir()
    (path / "train.jsonl").write_text('{"text": "a", "n": 1}\n{"text": null, "n": 2}\n')
    (path / "test.jsonl").write_text('{"text": "t", "n": 3}\n')
    return path


def with_configs(folder: Path) -> None:
    entries = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}.jsonl\n"
        for name in ("train", "test")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{entries}---\n")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_dataset_folder_is_read_without_a_hub(folder: Path, streaming: bool) -> None:
    assert documents(dataset=str(folder), streaming=streaming) == ["a", ""]
    assert documents(dataset=str(folder), streaming=streaming, split="test") == ["t"]


def test_splits_can_be_cut_and_joined(folder: Path) -> None:
    assert documents(dataset=str(folder), split="train[:1]+test") == ["a", "t"]


@pytest.mark.parametrize("streaming", [False, True])
def test_an_unknown_split_lists_the_splits(folder: Path, streaming: bool) -> None:
    error = problem(dataset=str(folder), split="validation", streaming=streaming)
    assert isinstance(error, InputError)
    assert "validation" in error.message
    assert "['train', 'test']" in error.message
    assert error.hint == "Set the corpus's `split` to one of those."


def test_a_split_that_cannot_be_understood(folder: Path) -> None:
    assert "train[:1000]" in problem(dataset=str(folder), split="train[:1").hint


@pytest.mark.parametrize("config", [None, "validation"])
def test_a_missing_or_unknown_config_lists_the_configs(folder: Path, config: str | None) -> None:
    with_configs(folder)
    assert documents(dataset=str(folder), config="test") == ["t"]
    error = problem(dataset=str(folder), config=config)
    assert "['train', 'test']" in error.message
    assert "load_dataset" not in error.message
    assert error.hint == "Set the corpus's `config` to one of those."


def test_a_missing_column_lists_the_columns(folder: Path) -> None:
    error = problem(dataset=str(folder), text="body")
    assert error.message == f"{folder} has no column 'body' (row 1)."
    assert error.hint.endswith("one of its columns: text, n.")


def test_a_column_of_numbers_is_not_text(folder: Path) -> None:
    assert "holds a number instead of text in column 'n' (row 1)" in problem(dataset=str(folder), text="n").message


@pytest.mark.parametrize("streaming", [False, True])
def test_a_split_without_rows(folder: Path, streaming: bool) -> None:
    (folder / "train.jsonl").unlink()
    (folder / "test.jsonl").unlink()
    (folder / "train.csv").write_text("text,n\n")
    assert problem(dataset=str(folder), streaming=streaming).message.endswith("has no rows.")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_damaged_data_file(folder: Path, streaming: bool) -> None:
    (folder / "train.jsonl").write_text('{"text": "a"}\n{"text":\n')
    error = problem(dataset=str(folder), streaming=streaming)
    assert isinstance(error, InputError)
    assert "JSON parse error" in error.message


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ({}, "doesn't contain any data files", "Check its data files."),
        ({"reviews.py": "import datasets"}, "scripts are no longer supported", "Parquet"),
        ({"state.json": "{}", "dataset_info.json": "{}"}, "save_to_disk", "dataset.to_parquet"),
    ],
)
def test_a_folder_that_is_no_dataset(folder: Path, content: dict[str, str], message: str, hint: str) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, text in content.items():
        (folder / name).write_text(text)
    error = problem(dataset=str(folder))
    assert message in error.message
    assert hint in error.hint


def test_a_folder_has_no_revisions(folder: Path) -> None:
    assert "has no revisions" in problem(dataset=str(folder), revision="main").message
    with pytest.raises(InputError, match="has no revisions"):
        pin_corpus("x", CorpusSection(dataset=str(folder), revision="main"))


def test_a_file_is_no_dataset(folder: Path) -> None:
    error = problem(dataset=str(folder / "train.jsonl"))
    assert (error.message.endswith("is a file."), error.hint) == (True, "Give it under `files`.")


# -- the hub --------------------------------------------------------------------------------------


class FakeHub:
    """Stands in for ``datasets.load_dataset``: raises, or gives rows and remembers how it was called."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *arguments: Any, **named: Any) -> Iterator[dict[str, str]]:
        self.calls.append((arguments, named))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self._rows()

    def _rows(self) -> Iterator[dict[str, str]]:
        for row in self.answer:
            if isinstance(row, Exception):
                raise row
            yield row


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the hub answer with rows or an exception; its main branch is at ``COMMIT``."""
    import datasets

    monkeypatch.setattr(hub, "dataset_commit", lambda name, revision: COMMIT)
    for name in ("HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)

    def install(result: Any) -> FakeHub:
        fake = FakeHub(result)
        monkeypatch.setattr(datasets, "load_dataset", fake)
        return fake

    return install


def test_a_hub_dataset_is_read_at_the_commit_of_its_pin(answer: Any) -> None:
    fake = answer([{"body": "a"}, {"body": None}, {"body": "c"}])
    found = documents(dataset="owner/name", config="small", split="test", text="body", streaming=True)
    assert found == ["a", "", "c"]
    expected = {"split": "test", "revision": COMMIT, "streaming": True}
    assert fake.calls == [(("owner/name", "small"), expected)]


def test_a_gated_dataset(answer: Any) -> None:
    from datasets.exceptions import DatasetNotFoundError

    answer(DatasetNotFoundError("Dataset 'owner/name' is a gated dataset on the Hub. Visit the page."))
    error = problem(dataset="owner/name")
    assert isinstance(error, InputError)
    assert error.message == "The dataset 'owner/name' is gated and no token is set."
    assert "https://huggingface.co/datasets/owner/name" in error.hint


def test_a_dataset_that_does_not_exist(answer: Any) -> None:
    from datasets.exceptions import DatasetNotFoundError

    answer(DatasetNotFoundError("Dataset 'owner/nmae' doesn't exist on the Hub or cannot be accessed."))
    error = problem(dataset="owner/nmae")
    assert isinstance(error, InputError)
    assert error.message == "There is no dataset 'owner/nmae' on the hub, and no folder of that name here."


@pytest.mark.parametrize("error", [ConnectionError("Couldn't reach the hub"), TimeoutError("slow")])
@pytest.mark.parametrize("late", [False, True])
def test_a_connection_that_breaks(answer: Any, error: Exception, late: bool) -> None:
    answer([{"text": "a"}, error] if late else error)
    found = problem(dataset="owner/name")
    assert isinstance(found, ServiceError)
    assert "'owner/name' is not complete in the local cache" in found.message
    assert "give local files" in found.hint


def test_a_full_disk_is_said_to_be_full(answer: Any) -> None:
    import errno

    answer(OSError(errno.ENOSPC, "No space left on device"))
    found = problem(dataset="owner/name")
    assert isinstance(found, ServiceError)
    assert found.message.startswith("The disk is full")


def test_an_unknown_dataset_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    found = problem(dataset="owner/name")
    assert isinstance(found, ServiceError)
    assert found.message == (
        "The dataset 'owner/name' is not complete in the local cache, and HF_HUB_OFFLINE forbids downloading it."
    )


def test_what_a_reader_of_documents_raises_stays_its_own(folder: Path) -> None:
    """An error in the middle of somebody's loop over documents is not one of the dataset."""
    with pytest.raises(ValueError, match="mine"):
        for _ in read_documents("x", CorpusSection(dataset=str(folder))):
            raise ValueError("mine")
