"""Answers kept before, and nobody to ask."""

from __future__ import annotations

import shutil

import pytest
from support.chat_api import answer
from support.synth_runs import Synth


def test_a_replay_gives_the_same_texts_without_a_server(synth: Synth) -> None:
    synth.api.behave = lambda number, body: answer(
        body, text=f"Text {body['seed']}. {answer(body).body[:9]}{body['seed']}"
    )
    synth()
    texts = synth.texts.read_bytes()
    shutil.move("answers", "shared")
    result = synth(provider="replay", cache="shared")
    assert "0 answers asked for" in result.stderr
    assert synth.texts.read_bytes() == texts
    assert len(synth.api.bodies) == 6


def test_a_missing_answer_shows_the_request(synth: Synth) -> None:
    synth()
    said = synth.refused(4, provider="replay", examples=8)
    assert "answers holds no answer to this request" in said
    assert "Write one text about this topic: the tides" in said
    assert '"model": "small"' in said
    assert "and 1 more like it" in said
    assert len(synth.api.bodies) == 6


def test_another_model_of_a_replay_is_another_answer(synth: Synth) -> None:
    synth()
    assert '"model": "large"' in synth.refused(4, provider="replay", model="large")


def test_a_replay_asks_no_hub(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr("glasso_cli.models.hub._asked_commit", fail)
    synth()
    synth("--force", provider="replay")
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert '"model": "large/model"' in synth.refused(4, provider="replay", model="large/model", revision=commit)
