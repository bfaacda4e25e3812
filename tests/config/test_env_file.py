"""Secrets from ``.env``: the environment wins, other names are left alone, and no value is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glasso_cli.config.env_file import load_env_file
from glasso_cli.errors import ConfigError

SECRET = "hf_S3cr3tValue"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment of its own, and a working folder."""
    monkeypatch.setattr(os, "environ", {"PATH": "/bin"})
    monkeypatch.chdir(tmp_path)


def names() -> set[str]:
    """The names in the environment, without the one that the test runner keeps there."""
    return set(os.environ) - {"PYTEST_CURRENT_TEST"}


def load(text: str | bytes) -> dict[str, str]:
    """The environment after reading ``text`` as ``.env``, without what was there before."""
    before = dict(os.environ)
    Path(".env").write_bytes(text if isinstance(text, bytes) else text.encode())
    load_env_file(Path(".env"))
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("HF_TOKEN=abc", {"HF_TOKEN": "abc"}),
        ("# a comment\n\nexport OPENAI_API_KEY='a b # c'\n", {"OPENAI_API_KEY": "a b # c"}),
        ('GLASSO_CACHE_DIR="/a b"', {"GLASSO_CACHE_DIR": "/a b"}),
        ("HF_TOKEN=a=b${HOME}$x", {"HF_TOKEN": "a=b${HOME}$x"}),
        ("HF_TOKEN=", {}),
        ("HF_TOKEN", {}),
        ("PATH=/evil\nLD_PRELOAD=x\nhf_token=x\nMY_HF_TOKEN=x\nAWS_SECRET=x", {}),
        (b"\xef\xbb\xbfHF_TOKEN=abc\r\nHF_HOME=/x\r\n", {"HF_TOKEN": "abc", "HF_HOME": "/x"}),
        ("", {}),
    ],
)
def test_what_is_read(text: str | bytes, read: dict[str, str]) -> None:
    assert load(text) == read


def test_the_environment_wins() -> None:
    os.environ["HF_TOKEN"] = "from the shell"
    assert load(f"HF_TOKEN={SECRET}\nHF_HOME=/x") == {"HF_HOME": "/x"}


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_no_file_and_a_folder_of_that_name_are_no_error(make: object) -> None:
    make(Path(".env"))  # type: ignore[operator]
    load_env_file(Path(".env"))
    assert names() == {"PATH"}


@pytest.mark.parametrize("broken", [f"HF_TOKEN {SECRET}", f"HF_TOKEN='{SECRET}", f"={SECRET}"])
def test_a_broken_line_is_named_and_not_shown(broken: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"HF_HOME=/x\n{broken}\n")
    assert caught.value.message == ".env:2 should be NAME=value."
    assert "not shown" in caught.value.hint
    assert SECRET not in caught.value.message + caught.value.hint
    assert names() == {"PATH"}


def test_a_file_that_is_not_utf_8() -> None:
    with pytest.raises(ConfigError, match=r"\.env is not UTF-8 text"):
        load(b"HF_TOKEN=\xff")


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path(".env").touch()
    monkeypatch.setattr("glasso_cli.config.env_file.open", refuse, raising=False)
    with pytest.raises(ConfigError, match=r"\.env cannot be read \(Permission denied\)"):
        load_env_file(Path(".env"))
