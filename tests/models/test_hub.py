"""Pins of what is on the hub and on the disk, and the hub's refusals in sentences."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, errors

from glasso_cli import digests, files
from glasso_cli.errors import GlassoError, InputError, ServiceError
from glasso_cli.models import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COMMITS = {"model": hub.model_commit, "dataset": hub.dataset_commit}


def http_error(kind: type[Exception], status: int) -> Exception:
    response = SimpleNamespace(headers={}, request=None, status_code=status)
    return kind("the server's words", response=response)  # type: ignore[call-arg]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], list[tuple[Any, ...]]]:
    """Makes the hub answer with a commit or an exception; returns the list of questions it was asked."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)

    def install(result: Any) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []

        def info(kind: str) -> Callable[..., Any]:
            def ask(self: HfApi, name: str, *, revision: str | None, timeout: float) -> Any:
                asked.append((kind, name, revision))
                if isinstance(result, Exception):
                    raise result
                return SimpleNamespace(sha=result)

            return ask

        monkeypatch.setattr(HfApi, "model_info", info("model"))
        monkeypatch.setattr(HfApi, "dataset_info", info("dataset"))
        return asked

    return install


# -- commits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", COMMITS)
@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:7]])
def test_the_hub_is_asked_for_a_name(answer: Any, kind: str, revision: str | None) -> None:
    asked = answer(COMMIT)
    assert COMMITS[kind]("owner/name", revision) == COMMIT
    assert asked == [(kind, "owner/name", revision)]


@pytest.mark.parametrize("kind", COMMITS)
def test_a_commit_is_its_own_answer(answer: Any, kind: str) -> None:
    asked = answer(AssertionError("the hub was asked"))
    assert COMMITS[kind]("owner/name", COMMIT) == COMMIT
    assert asked == []


def remember(tmp_path: Path, kind: str, revision: str) -> None:
    reference = tmp_path / "hub" / f"{kind}s--owner--name" / "refs" / revision
    reference.parent.mkdir(parents=True)
    reference.write_text(COMMIT + "\n")


@pytest.mark.parametrize("kind", COMMITS)
@pytest.mark.parametrize("revision", [None, "main", "v1.0", "refs/pr/3"])
@pytest.mark.parametrize(
    "error",
    [errors.OfflineModeIsEnabled("offline"), errors.HTTPError("no route"), http_error(errors.HfHubHTTPError, 503)],
)
def test_without_a_hub_the_cache_knows(
    answer: Any, tmp_path: Path, kind: str, revision: str | None, error: Exception
) -> None:
    answer(error)
    remember(tmp_path, kind, revision or "main")
    assert COMMITS[kind]("owner/name", revision) == COMMIT
    with pytest.raises(ServiceError):
        COMMITS[kind]("owner/name", "another")
    with pytest.raises(ServiceError):
        COMMITS[kind]("owner/other", revision)


def test_the_cache_is_no_answer_to_a_refusal(answer: Any, tmp_path: Path) -> None:
    """A repository that was deleted or made private is not what the cache says it is."""
    remember(tmp_path, "model", "main")
    answer(http_error(errors.RepositoryNotFoundError, 401))
    with pytest.raises(InputError):
        hub.model_commit("owner/name")


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", COMMITS)
@pytest.mark.parametrize(
    ("error", "type_", "message"),
    [
        (http_error(errors.GatedRepoError, 403), InputError, "The {kind} 'owner/name' is gated and no token is set."),
        (http_error(errors.HfHubHTTPError, 403), InputError, "The {kind} 'owner/name' is gated and no token is set."),
        (
            http_error(errors.HfHubHTTPError, 401),
            InputError,
            "The hub does not accept the token in use (asked for the {kind} 'owner/name').",
        ),
        (
            http_error(errors.RepositoryNotFoundError, 401),
            InputError,
            "There is no {kind} 'owner/name' on the hub, and no folder of that name here.",
        ),
        (
            http_error(errors.RevisionNotFoundError, 404),
            InputError,
            "The {kind} 'owner/name' has no revision 'v9'.",
        ),
        (
            http_error(errors.HfHubHTTPError, 429),
            ServiceError,
            "The hub answered with status 429, and the {kind} 'owner/name' is not complete in the local cache.",
        ),
        (
            errors.HTTPError("no route to host"),
            ServiceError,
            "The hub cannot be reached, and the {kind} 'owner/name' is not complete in the local cache.",
        ),
    ],
)
def test_a_refusal_is_a_sentence(
    answer: Any, kind: str, error: Exception, type_: type[GlassoError], message: str
) -> None:
    answer(error)
    with pytest.raises(type_) as caught:
        COMMITS[kind]("owner/name", "v9")
    assert caught.value.message == message.format(kind=kind)
    assert caught.value.hint.endswith(".")


def test_offline_mode_is_named(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(errors.OfflineModeIsEnabled("offline"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ServiceError, match="HF_HUB_OFFLINE forbids downloading") as caught:
        hub.dataset_commit("owner/name")
    assert caught.value.hint == "Unset HF_HUB_OFFLINE, or give local files."


@pytest.mark.parametrize("name", ["a/b/c", "./here", "two words", "/absolute/path"])
def test_what_can_be_no_name_is_not_looked_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="There is no dataset"):
        hub.dataset_commit(name)


def test_advice_knows_whether_there_is_a_token(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(http_error(errors.GatedRepoError, 403))
    with pytest.raises(InputError) as without:
        hub.dataset_commit("owner/name")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    with pytest.raises(InputError) as having:
        hub.dataset_commit("owner/name")
    assert "set HF_TOKEN" in without.value.hint
    assert "no access" in having.value.message
    for error in (without.value, having.value):
        assert "https://huggingface.co/datasets/owner/name" in error.hint
        assert "hf_secret" not in error.message + error.hint


def test_an_error_of_the_disk_is_not_one_of_the_hub(answer: Any) -> None:
    answer(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        hub.model_commit("owner/name")


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from glasso_cli.models import hub; hub.dataset_commit('a/b', '0' * 40)\n"
        "print([m for m in ('torch', 'transformers', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- local files ----------------------------------------------------------------------------------


def make(folder: Path, content: dict[str, str], age: float = 60) -> Path:
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        changed = path.stat().st_mtime - age
        os.utime(path, (changed, changed))
    return folder


FILES = {"a.json": "one", "sub/b.json": "two", "c.bin": "three"}


def test_a_folder_is_its_names_and_contents(tmp_path: Path) -> None:
    def digest(name: str, content: dict[str, str], patterns: list[str]) -> str:
        return digests.folder_digest(make(tmp_path / name, content), patterns, tmp_path / "cache")

    every = ["**/*"]
    assert digest("here", FILES, every) == digest("there", FILES, every)
    assert digest("here", FILES, ["**/*", "*.json"]) == digest("there", FILES, every)
    changed = {**FILES, "sub/b.json": "2"}
    renamed = {"a.json": "one", "sub/d.json": "two", "c.bin": "three"}
    moved = {"a.json": "one", "b.json": "two", "c.bin": "three"}
    swapped = {**FILES, "a.json": "two", "sub/b.json": "one"}
    contents = [FILES, changed, renamed, moved, swapped]
    assert len({digest(f"{i}", content, every) for i, content in enumerate(contents)}) == 5
    assert digest("6", changed, ["*.json"]) == digest("7", FILES, ["*.json"])


def test_hidden_files_do_not_count(tmp_path: Path) -> None:
    before = digests.folder_digest(make(tmp_path / "data", FILES), ["**/*"], tmp_path / "cache")
    make(tmp_path / "data", {".cache/download": "x", ".gitignore": "y", "sub/.lock": "z"})
    assert digests.folder_digest(tmp_path / "data", ["**/*"], tmp_path / "cache") == before


def test_file_digests_are_those_of_their_bytes(tmp_path: Path) -> None:
    folder = make(tmp_path, FILES)
    found = digests.file_digests([folder / "c.bin", folder / "a.json"], tmp_path / "cache")
    assert found == [hashlib.sha256(text).hexdigest() for text in (b"three", b"one")]


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as old enough to be remembered, however new they are."""
    monkeypatch.setattr(digests, "RACY_SECONDS", -1e9)


@pytest.mark.usefixtures("settled")
def test_nothing_is_hashed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = make(tmp_path, FILES) / "a.json", tmp_path / "cache"
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return files.sha256_of(path)

    monkeypatch.setattr(digests, "sha256_of", counted)
    first = digests.file_digests([path], cache)
    assert digests.file_digests([path], cache) == first
    assert hashed == [path]
    make(tmp_path, {"a.json": "two"})
    os.utime(path, (1, 1))
    assert digests.file_digests([path], cache) != first
    assert hashed == [path, path]


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    path = make(tmp_path, {"a.json": "one"}, age=0) / "a.json"
    status = path.stat()
    first = digests.file_digests([path], tmp_path / "cache")
    path.write_text("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # within one tick of the clock
    assert digests.file_digests([path], tmp_path / "cache") != first


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "memo", ["", "[]", "{", '{"a": 1}', "[" * 9999, '{"sha256:PATH": [1, 2]}', '{"sha256:PATH": 7}']
)
def test_a_broken_memory_is_forgotten(tmp_path: Path, memo: str) -> None:
    make(tmp_path, {**FILES, "cache/file-digests.json": memo.replace("PATH", str(tmp_path / "a.json"))})
    found = digests.file_digests([tmp_path / "a.json"], tmp_path / "cache")
    assert found == [hashlib.sha256(b"one").hexdigest()]
    assert f"sha256:{tmp_path / 'a.json'}" in json.loads((tmp_path / "cache" / "file-digests.json").read_text())


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    make(tmp_path, {**FILES, "cache": "a file where the folder should be"})
    found = digests.file_digests([tmp_path / "a.json"], tmp_path / "cache")
    assert found == [hashlib.sha256(b"one").hexdigest()]


@pytest.mark.usefixtures("settled")
def test_the_memory_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path / "mine"))
    digests.file_digests([make(tmp_path, FILES) / "a.json"])
    assert (tmp_path / "mine" / "file-digests.json").is_file()
