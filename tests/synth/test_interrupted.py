"""Runs that end in the middle: what arrived is kept, and none of it is asked for again."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest
from support.chat_api import ChatApi, Reply, answer
from support.command_lines import finish, start
from support.synth_runs import Synth
from support.waiting import until

# The command line with a Ctrl-C that works as in a terminal: a test run in the background is started without it.
COMMAND = """
import signal
from glasso_cli.cli import app
signal.signal(signal.SIGINT, signal.default_int_handler)
app.main()
"""
ANSWERED = 9


@pytest.fixture
def gate(synth: Synth) -> threading.Event:
    """Until it is set, the server answers nine requests and keeps the others waiting."""
    gate = threading.Event()

    def behave(number: int, body: dict[str, Any]) -> Reply:
        if number >= ANSWERED:
            gate.wait(30)
        return answer(body)

    synth.api.behave = behave
    return gate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["kill", "Ctrl-C", "term"]
)
def test_no_answer_that_arrived_is_paid_for_twice(
    synth: Synth, gate: threading.Event, how: signal.Signals, code: int
) -> None:
    process = start(COMMAND, "synth", "c.yaml", "--set", "synth.examples=20", "--set", "synth.max_parallel=4")
    until(lambda: len(synth.kept()) == ANSWERED and len(synth.api.bodies) == ANSWERED + 4, process)
    process.send_signal(how)
    ended, out, err = finish(process)
    assert (ended, out) == (code, ""), err
    assert "Traceback" not in err
    if how == signal.SIGINT:
        assert err.splitlines()[-2:] == [
            "error: Interrupted.",
            "  Run the same command to continue; finished work is kept.",
        ]
    assert not synth.manifest.exists()
    paid = prompts(synth.api.bodies[:ANSWERED])
    gate.set()
    synth.api.forget()
    synth(examples=20, max_parallel=4)
    assert len(synth.rows()) == 20
    asked = prompts(synth.api.bodies)
    assert len(asked) == 20 - ANSWERED
    assert not set(asked) & set(paid)
    assert max(synth.api.asked().values()) == 1


def prompts(bodies: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(body, sort_keys=True) for body in bodies]


def test_a_damaged_answer_is_asked_for_again(synth: Synth, api: ChatApi) -> None:
    synth()
    before = synth.rows()
    synth.kept()[2].write_text('{"text": "cut')
    synth("--force")
    assert len(api.bodies) == 7
    assert synth.rows() == before
