"""Results on stdout, everything else on stderr, and progress that suits where it is read."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from glasso_cli.console import PLAIN_EVERY, Console, strict_json

RECORD = {"stage": "fit", "corpus": "films", "path": "out/fit/films.npz", "metrics": {"gap": float("inf"), "ok": True}}
ESCAPE = re.compile(r"\x1b[^a-zA-Z]*[a-zA-Z]")

# Says one of everything, and shows the progress of work that takes longer than it is worth waiting for.
TALKER = """
from glasso_cli import console
from glasso_cli.console import Console

console.SHOW_AFTER = 0
talk = Console()
talk.note("a note with [bold]brackets[/bold]")
talk.warn("a warning")
talk.error("an error in " + "a/very/long/path/" * 12, "a hint")
with talk.progress("collect films", 10, "tokens") as advance:
    advance(4)
    advance(6)
"""


class Clock:
    """A clock that only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def on_terminal(**environment: str) -> str:
    """What the talker writes to a stderr that is a terminal."""
    leader, follower = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    talker = subprocess.Popen(
        [sys.executable, "-c", TALKER], stderr=follower, env={**kept, "TERM": "xterm-256color", **environment}
    )
    os.close(follower)
    written = b""
    with contextlib.suppress(OSError):  # Linux says so when the last writer has gone
        while chunk := os.read(leader, 4096):
            written += chunk
    os.close(leader)
    assert talker.wait() == 0
    return written.decode()


def test_a_result_is_its_path_on_stdout_and_nothing_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Console().result(RECORD)
    assert capsys.readouterr() == ("out/fit/films.npz\n", "")


def test_a_result_as_json_is_one_line_that_every_reader_takes(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).result(RECORD)
    line, rest = capsys.readouterr().out.split("\n")
    assert rest == ""
    record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert record == {**RECORD, "metrics": {"gap": None, "ok": True}}


def test_numbers_that_are_not_finite_become_null_wherever_they_stand() -> None:
    value = {"a": [float("nan"), {"b": -float("inf")}], "c": (1.5, True, None, "nan")}
    assert json.loads(strict_json(value)) == {"a": [None, {"b": None}], "c": [1.5, True, None, "nan"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ["note", "warning: warn", "error: error", "  hint"]),
        ({"quiet": True}, ["warning: warn", "error: error", "  hint"]),
        ({"verbose": True}, ["note", "detail", "warning: warn", "error: error", "  hint"]),
    ],
)
def test_quiet_and_verbose(options: dict[str, Any], said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(**options)
    console.note("note")
    console.detail("detail")
    console.warn("warn")
    console.error("error", "hint")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == said


def test_the_log_has_everything_with_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True, log_path=tmp_path / "logs" / "fit.log")
    console.note("note")
    console.detail("detail")
    console.warn("warn")
    console.error("error", "hint")
    console.result(RECORD)
    lines = (tmp_path / "logs" / "fit.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "note",
        "detail",
        "warning: warn",
        "error: error hint",
        "result: out/fit/films.npz",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 ", line) for line in lines)


def test_a_log_that_cannot_be_written_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").touch()
    console = Console(log_path=tmp_path / "logs" / "fit.log")
    console.note("note")
    console.note("another")
    assert capsys.readouterr().err == "note\nanother\n"


# -- progress ---------------------------------------------------------------------------------------


def test_off_a_terminal_progress_is_a_line_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with Console().progress("collect films", 10_000, "tokens") as advance:
        for _ in range(5):
            clock.now += PLAIN_EVERY / 2
            advance(1_000)
    assert capsys.readouterr().err.splitlines() == [
        "collect films: 2,000 of 10,000 tokens, 66.7 tokens/s, 2:00 left",
        "collect films: 4,000 of 10,000 tokens, 66.7 tokens/s, 1:30 left",
    ]


def test_progress_of_hours_and_of_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    with Console().progress("fit", 1_000, "alphas") as advance:
        clock.now += 31
        advance(0)
        clock.now += 69
        advance(10)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "fit: 0 of 1,000 alphas, 0.0 alphas/s"
    assert second == "fit: 10 of 1,000 alphas, 0.1 alphas/s, 2:45:00 left"


def test_quiet_shows_no_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(monkeypatch)
    with Console(quiet=True).progress("fit", 10, "alphas") as advance:
        clock.now += 100
        advance(1)
    assert capsys.readouterr().err == ""


def test_quick_work_on_a_terminal_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    clock, screen = Clock(monkeypatch), Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Console().progress("fit", 10, "alphas") as advance:
        clock.now += 1
        advance(10)
    assert screen.getvalue() == ""


# -- terminals --------------------------------------------------------------------------------------


def test_on_a_terminal_labels_are_coloured_and_nothing_is_wrapped_or_marked_up() -> None:
    written = on_terminal(COLUMNS="80")
    assert ESCAPE.search(written)
    plain = ESCAPE.sub("", written).replace("\r", "")
    assert "a note with [bold]brackets[/bold]\n" in plain
    assert "warning: a warning\n" in plain
    assert f"error: an error in {'a/very/long/path/' * 12}\n  a hint\n" in plain
    assert "collect films" in plain
    assert "10/10 tokens" in plain


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_messages_carry_no_escape_codes_where_none_are_wanted(environment: dict[str, str]) -> None:
    lines = on_terminal(**environment).replace("\r", "").splitlines()
    assert not ESCAPE.search("".join(lines[:4]))
    assert lines[1] == "warning: a warning"


def test_a_pipe_carries_no_escape_codes() -> None:
    talker: Any = subprocess.run([sys.executable, "-c", TALKER], capture_output=True, text=True, check=True)
    assert talker.stdout == ""
    assert "\x1b" not in talker.stderr
    assert talker.stderr.splitlines()[1] == "warning: a warning"
