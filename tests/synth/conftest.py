"""A working folder with a topic to write on, a server to ask, and answers kept in the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chat_api import ChatApi, serving
from support.synth_runs import Synth, write_config
from support.tiny_models import loaded, make_tokenizer, model_dir, one_thread, tokenizers

from glasso_cli.synth import pace

__all__ = ["loaded", "make_tokenizer", "model_dir", "one_thread", "tokenizers"]


@pytest.fixture
def api() -> Iterator[ChatApi]:
    with serving() as found:
        yield found


@pytest.fixture
def synth(api: ChatApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synth:
    """An experiment of six texts that asks ``api``; waiting between tries takes no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    write_config(api.url)
    return Synth(api)
