"""The command line over stages that only shuffle text, in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from typer.testing import CliRunner

from glasso_cli.cli.app import app
from support.fake_stages import FAKES, FakeStages, write_inputs

# The command line with stages that only shuffle text; a line on stdin lets each go on, if asked to wait.
FAKED = f"""
import signal
import sys
from support.fake_stages import FakeStages
from glasso_cli.cli import app
from glasso_cli.pipeline import run

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background is started without it

def wait(job):
    print("working", file=sys.stderr, flush=True)
    sys.stdin.readline()

stages = FakeStages()
if sys.argv[1] == "wait":
    stages.before = wait
    del sys.argv[1]
run.STAGES = {FAKES}
run.stage_named = lambda stage: stages.stages()[stage]
app.main()
"""


class Shell:
    """A working folder with an experiment in it, and the command line over fake stages."""

    def __init__(self, stages: FakeStages) -> None:
        self.stages = stages
        self.config = str(write_inputs())

    def __call__(self, *words: str) -> Any:
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result


def start(script: str, *words: str, **more: Any) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"},
        **more,
    )


def finish(process: subprocess.Popen[str], answer: str | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(answer)
    return process.returncode, out, err
