"""Waiting for another process: the one place of the tests that lets time pass."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None, seconds: float = 60) -> None:
    """Return when ``condition`` holds; fail where ``process`` ends before it does, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"the process ended: {process and process.communicate()}"
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.01)
