"""End to end against a server of somebody else's that speaks the same API: ``transformers serve``."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from support.synth_runs import Synth
from support.waiting import until

from glasso_cli.config.sections.synth import LOCAL_MODEL
from glasso_cli.models.builtin import builtin_folder

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (find_spec("fastapi") and find_spec("uvicorn")), reason="needs the extra 'serving'"),
]
SHORT = {
    "length": ["one sentence of at most twenty words"],
    "genre": ["a weather report", "a proverb", "a diary entry"],
}


@pytest.fixture
def server() -> Iterator[tuple[str, str]]:
    """The address of a server on this machine, and the name of its model."""
    folder = str(builtin_folder(LOCAL_MODEL))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    words = ["serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/health"), process, seconds=240)
        yield f"http://127.0.0.1:{port}/v1", folder
    finally:
        process.kill()
        process.communicate()


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def test_texts_from_transformers_serve(synth: Synth, server: tuple[str, str]) -> None:
    url, model = server
    options: dict[str, Any] = {
        "base_url": url,
        "model": model,
        "attributes": SHORT,
        "max_tokens": 160,
        "max_parallel": 2,
    }
    result = synth(examples=3, timeout=240, near_duplicate=1.0, max_redraws=5, **options)
    rows = synth.rows()
    assert len(rows) == 3
    assert all(len(row["text"].split()) >= 3 for row in rows)
    tokens = synth.metrics()["tokens"]
    assert tokens["prompts"] > 3 * 40
    assert tokens["answers"] > 3 * 3
    assert "cost unknown" in result.stderr
    again = synth("--force", examples=3, near_duplicate=1.0, max_redraws=5, **options)
    assert "0 answers asked for" in again.stderr or "drawn again" in again.stderr
    assert synth.rows() == rows
