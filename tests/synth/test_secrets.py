"""The key goes to the server that it is for and nowhere else: no other host, no output, no file."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.chat_api import ChatApi, Reply, answer, error
from support.synth_runs import Synth

from glasso_cli.config import SynthSection
from glasso_cli.errors import ServiceError
from glasso_cli.synth.chat_server import api_key

OPENAI = "sk-0penai-s3ntinel-0123456789"
OTHER = "sk-0ther-s3ntinel-9876543210"


@pytest.fixture
def keys(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys, and what else of OpenAI's stands in environments."""
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI)
    monkeypatch.setenv("OTHER_API_KEY", OTHER)
    monkeypatch.setenv("OPENAI_ORG_ID", f"org-{OPENAI}")
    monkeypatch.setenv("OPENAI_PROJECT_ID", f"proj-{OPENAI}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Extra: {OPENAI}")


def sent(api: ChatApi) -> str:
    return json.dumps([api.headers, api.bodies])


def files_with(secret: str) -> list[Path]:
    return [path for path in Path().rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.usefixtures("keys")
def test_the_key_of_openai_is_not_sent_to_another_server(synth: Synth) -> None:
    synth()
    assert len(synth.api.headers) == 6
    assert "s3ntinel" not in sent(synth.api)
    assert not [headers for headers in synth.api.headers if "authorization" in headers]


@pytest.mark.usefixtures("keys")
def test_a_key_that_is_named_is_sent_and_no_other(synth: Synth) -> None:
    synth(api_key_env="OTHER_API_KEY")
    assert {headers["authorization"] for headers in synth.api.headers} == {f"Bearer {OTHER}"}
    assert OPENAI not in sent(synth.api)
    synth(api_key_env="OPENAI_API_KEY", examples=8)
    assert synth.api.headers[-1]["authorization"] == f"Bearer {OPENAI}"


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("kind", ["good", "refused", "html", "broken", "moved", "bug"])
def test_no_output_and_no_file_holds_the_key_even_if_the_server_says_it(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(Path().resolve()))

    def behave(number: int, body: dict[str, Any]) -> Reply:
        if kind == "good":
            return answer(
                body, text=f"{number} {json.loads(answer(body).body)['choices'][0]['message']['content']} {OTHER}"
            )
        if kind == "refused":
            return error(401, f"Incorrect API key provided: {OTHER}")
        if kind == "html":
            return Reply(body=f"<html>{OTHER}</html>", kind="text/html")
        if kind == "broken":
            return error(500, f"at Authorization: Bearer {OTHER}")
        return Reply(302, "", {"Location": f"http://127.0.0.1:9/{OTHER}"})

    synth.api.behave = behave
    if kind == "bug":
        synth.api.behave = lambda number, body: answer(body)

        def fail(*words: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr("glasso_cli.synth.chat_server.read_answer", fail)
    code = {"good": 0, "bug": 1}.get(kind, 4)
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    from typer.testing import CliRunner

    from glasso_cli.cli.app import app

    result = CliRunner().invoke(app, ["synth", "c.yaml", "-v", "--debug", "--set", "synth.api_key_env=OTHER_API_KEY"])
    assert result.exit_code == code, result.output
    assert OTHER not in result.output + said.getvalue()
    assert files_with(OTHER) == []
    assert len(synth.api.headers) >= 1
    assert {headers["authorization"] for headers in synth.api.headers} == {f"Bearer {OTHER}"}


def test_a_key_from_env_file_reaches_the_server(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    Path(".env").write_text(f"OPENAI_API_KEY={OPENAI}\n")
    result = synth("-v", api_key_env="OPENAI_API_KEY")
    assert {headers["authorization"] for headers in synth.api.headers} == {f"Bearer {OPENAI}"}
    assert OPENAI not in result.output
    assert files_with(OPENAI) == [Path(".env")]


# -- which key ------------------------------------------------------------------------------------------


def section(**values: Any) -> SynthSection:
    return SynthSection(provider="openai", model="m", **values)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://api.openai.com/v1", OPENAI),
        ("https://API.OpenAI.com:443/v1/", OPENAI),
        ("http://api.openai.com/v1", None),
        ("https://api.openai.com:8443/v1", None),
        ("https://api.openai.com.example.org/v1", None),
        ("https://example.org/api.openai.com/v1", None),
        ("https://eu.api.openai.com/v1", None),
        ("http://localhost:8000/v1", None),
    ],
)
def test_which_server_gets_the_key_of_openai(url: str, key: str | None) -> None:
    assert api_key(section(base_url=url)) == key
    assert api_key(section(base_url=url, api_key_env="OTHER_API_KEY")) == OTHER


def test_no_key_for_openai(synth: Synth) -> None:
    said = synth.refused(4, base_url="https://api.openai.com/v1")
    assert "OPENAI_API_KEY is not set" in said
    assert ".env" in said
    assert synth.api.bodies == []


def test_a_variable_that_is_named_must_be_set(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GLASSO_OTHER is not set" in synth.refused(4, api_key_env="GLASSO_OTHER")
    monkeypatch.setenv("GLASSO_OTHER", "two\nlines of s3ntinel")
    with pytest.raises(ServiceError, match="is not an API key") as caught:
        api_key(section(api_key_env="GLASSO_OTHER"))
    assert "s3ntinel" not in caught.value.message
    assert synth.api.bodies == []


def test_answers_that_are_kept_need_no_key(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSO_OTHER", OTHER)
    synth(api_key_env="GLASSO_OTHER")
    monkeypatch.delenv("GLASSO_OTHER")
    synth("--force", api_key_env="GLASSO_OTHER")
    assert len(synth.api.bodies) == 6
