"""What is taken from an answer: no thoughts, only whole ones, and kept answers that are what was kept."""

from __future__ import annotations

import json
import stat
import time
from typing import Any

import pytest
from support.chat_api import Reply, answer
from support.synth_runs import Synth

from glasso_cli.synth.chat_server import read_answer
from glasso_cli.synth.refusals import Server
from glasso_cli.synth.writing import clean

TEXT = "The tide comes in twice a day."


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>Hm.</think>{TEXT}",
        f"<thinking>\nHm.\n</thinking>\n\n{TEXT}",
        f"Hm, about tides.</think>\n{TEXT}",
        f"<thought>a</thought> <reasoning>b</reasoning> {TEXT}",
        f"[THINK]Hm.[/THINK]{TEXT}",
        f"◁think▷Hm.◁/think▷{TEXT}",
        f"<|begin_of_thought|>Hm.<|end_of_thought|>{TEXT}",
        f"<seed:think>Hm.</seed:think>{TEXT}",
        f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{TEXT}<|return|>",
        TEXT,
    ],
)
def test_thoughts_are_not_text(answer: str) -> None:
    assert clean(answer) == TEXT


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>{TEXT}",
        f"<thinking>a</thinking><thinking>{TEXT}",
        f"[THINK]{TEXT}",
        f"<|channel|>analysis<|message|>{TEXT}",
    ],
)
def test_thoughts_that_do_not_end_are_no_text(answer: str) -> None:
    assert clean(answer) == ""


def test_thousands_of_tags_take_no_time() -> None:
    started = time.process_time()
    assert clean("<think>" * 50_000) == ""
    assert clean("<think>" * 20_000 + "</think>" + TEXT) == TEXT
    assert clean("<" * 100_000) == "<" * 100_000
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("stop", ""), ("STOP", ""), ("end_turn", ""), ("eos", ""), (None, ""),
        ("length", "cut off"), ("MAX_TOKENS", "cut off"), ("model_length", "cut off"),
        ("content_filter", "filtered"), ("SAFETY", "filtered"), ("RECITATION", "filtered"),
        ("error", "broken off"), ("abort", "broken off"), ("tool_calls", "broken off"), (7, "broken off"),
    ],
)  # fmt: skip
def test_only_reasons_that_are_known_to_be_good_are(reason: Any, fault: str) -> None:
    raw = {"choices": [{"message": {"content": TEXT}, "finish_reason": reason}]}
    assert read_answer(json.dumps(raw), Server("u", "m")).fault == fault


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "The tide "}, {"type": "image_url", "image_url": {}}, "comes in."]
    raw = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert read_answer(json.dumps(raw), Server("u", "m")).text == "The tide comes in."


@pytest.mark.slow
def test_half_an_emoji_is_text_all_the_same(synth: Synth) -> None:
    def halved(number: int, body: dict[str, Any]) -> Reply:
        return Reply(body=answer(body).body.replace('"content": "', '"content": "\\ud83d '))

    synth.api.behave = halved
    synth()
    assert len(synth.rows()) == 6
    assert all(row["text"].startswith("\ufffd ") for row in synth.rows())
    synth()
    assert len(synth.api.bodies) == 6


@pytest.mark.slow
@pytest.mark.parametrize("change", ["text", "request", "tokens", "digest", "rubbish"])
def test_a_kept_answer_that_was_changed_is_asked_for_again(synth: Synth, change: str) -> None:
    synth()
    before = synth.texts.read_bytes()
    path = synth.kept()[0]
    entry = json.loads(path.read_text())
    if change == "request":
        entry["request"]["seed"] += 1
    elif change == "digest":
        del entry["digest"]
    else:
        entry[change] = "changed"
    path.write_text("[" * 9999 if change == "rubbish" else json.dumps(entry))
    synth("--force")
    assert len(synth.api.bodies) == 7
    assert synth.texts.read_bytes() == before


def test_a_kept_answer_in_the_place_of_another_is_refused(synth: Synth) -> None:
    synth()
    first, second = synth.kept()[:2]
    first.write_bytes(second.read_bytes())
    synth("--force")
    assert len(synth.api.bodies) == 7


def test_texts_and_answers_are_for_their_owner(synth: Synth) -> None:
    synth()
    for path in (*synth.kept(), synth.texts):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_manifest_does_not_depend_on_how_often_it_was_interrupted(synth: Synth) -> None:
    synth()
    whole = synth.manifest.read_bytes()
    for path in synth.kept()[:3]:
        path.unlink()
    synth("--force")
    assert synth.manifest.read_bytes() == whole


@pytest.mark.parametrize("secret", ["sk-Canary0123456789abcdefXYZ/+=", "k" * 20])
def test_a_key_is_taken_out_in_every_encoding(secret: str) -> None:
    import base64
    from urllib.parse import quote

    server = Server("u", "m", secret)
    escaped = "".join(f"\\u{ord(char):04x}" for char in secret)
    forms = [
        secret,
        secret[::-1],
        quote(secret, safe=""),
        secret.encode().hex(),
        secret.encode().hex().upper(),
        escaped,
    ]
    forms += [base64.b64encode(b"x" * shift + secret.encode()).decode() for shift in range(3)]
    for form in forms:
        assert form not in server.clean(f"<{form}>"), form
    decoded = server.clean_all(json.loads(f'{{"{escaped}": ["{escaped}", 1, null]}}'))
    assert decoded == {"***": ["***", 1, None]}
