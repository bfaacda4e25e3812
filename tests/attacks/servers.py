"""A server that misbehaves and says the key, in every encoding."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from support.chat_api import BAD_JSON, CUT, HTML, Reply, answer, error, serving
from support.synth_runs import write_config

from attacks.lab import Lab, run
from attacks.outcome import HELD, LEAK, SILENT, Outcome, of_result
from glasso_cli.synth import pace

KEY = "sk-Canary0123456789abcdefXYZ/+="
SPELLED = "".join(f"\\u{ord(char):04x}" for char in KEY)


def _said(random: Random) -> str:
    """The key as a server might say it."""
    ways = [
        KEY,
        quote(KEY, safe=""),
        KEY.encode().hex(),
        base64.b64encode(b"is " + KEY.encode()).decode(),
        KEY[::-1],
        SPELLED,
    ]
    return random.choice(ways)


def _reply(number: int, body: dict[str, Any], random: Random) -> Reply:
    good = json.loads(answer(body).body)
    message = good["choices"][0]["message"]
    way = random.randrange(14)
    if way == 0:
        return random.choice([CUT, HTML, BAD_JSON, error(500, f"no {_said(random)}"), error(429, "slow")])
    if way == 1:
        message["content"] += f" {_said(random)} "
    if way == 2:
        good["choices"][0]["finish_reason"] = random.choice(
            ["error", "abort", "MAX_TOKENS", "safety", "model_length", 7]
        )
    if way == 3:
        message["content"] = [{"type": "text", "text": message["content"]}, {"type": "image"}]
    if way == 4:
        message["content"] = f"<thinking>{message['content']}"
    if way == 5:
        message["content"] = f"I think so.</think>{message['content']}"
    if way == 6:
        good["usage"] = random.choice(
            [None, 5, {"prompt_tokens": [5]}, {"prompt_tokens": -1, "completion_tokens": 2**70}]
        )
    if way == 7:
        good = random.choice([[], 5, None, {"choices": 5}, {"choices": [{"message": 5}]}, {"choices": [{}]}])
    text = json.dumps(good)
    if way == 8:
        text = text.replace('"role"', f'"{SPELLED}": "{SPELLED}", "role"')
    if way == 9:
        text = text.replace('"content": "', '"content": "half \\ud83d an emoji ')
    if way == 10:
        text = '{"a":' * 3000 + "1" + "}" * 3000
    return Reply(body=text)


def attack(lab: Lab, random: Random) -> Outcome:
    """Texts from a server whose answers are often bad."""
    with lab.copy(lab.root / "model") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "FIRST_WAIT", 0.001)
        patch.setenv("MY_KEY", KEY)
        with serving(lambda number, body: _reply(number, body, random)) as api:
            write_config(api.url)
            result = run("synth", "c.yaml", "-v", "--set", "synth.api_key_env=MY_KEY", "--set", "synth.timeout=5")
        if bad := of_result("a bad server", result):
            return bad
        forms = {KEY, KEY[::-1], KEY.encode().hex(), quote(KEY, safe=""), SPELLED}
        kept = [path for name in ("out", "answers") for path in Path(folder, name).rglob("*") if path.is_file()]
        for path in kept:
            text = path.read_bytes().decode("utf-8", "replace")
            if any(form in text for form in forms):
                return Outcome(LEAK, f"{path}: {text[:300]}")
        if any(form in result.output for form in forms):
            return Outcome(LEAK, result.output[-300:])
        texts = Path("out/synth/tides.jsonl")
        if texts.exists() and "think" in texts.read_text(encoding="utf-8"):
            return Outcome(SILENT, "thoughts among the texts")
        return Outcome(HELD, f"exit {result.exit_code}")
